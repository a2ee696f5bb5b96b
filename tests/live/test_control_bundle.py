"""Bundles built by the real pip: small wheels from the package index, and what cannot be built."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from attacca.control.bundle import Bundles, environment
from attacca.control.core.requirements import Requirements, parse
from attacca.control.state import StateDir
from attacca.errors import BuildFailed

TINY = "iniconfig==2.0.0"  # one small wheel
NO_WHEEL = "docopt==0.6.2"  # sources alone


def required(text: str) -> Requirements:
    found = parse(text, allow_source_builds=False)
    assert found is not None
    return found


def story(directory: Path, play: Callable[[Bundles, StateDir], Awaitable[None]], timeout_s: float = 60.0) -> None:
    async def main() -> None:
        state = StateDir(directory)
        state.make()
        bundles = Bundles(state, timeout_s)
        await play(bundles, state)
        await bundles.close()
        assert os.listdir(state.tmp) == []
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


async def lines(bundles: Bundles, text: str) -> list[str]:
    return [line async for line in bundles.build(required(text), from_source=False)]


def test_a_bundle_is_built_once_for_all_who_ask_and_can_be_imported(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        first, second = await asyncio.gather(lines(bundles, TINY), lines(bundles, f"{TINY}  # the same"))
        assert first == second
        assert any(line.startswith("Collecting iniconfig==2.0.0") for line in first)  # how it goes on is pip's affair
        [digest] = os.listdir(state.bundles)
        assert digest == bundles.digest(required(TINY))
        assert await lines(bundles, TINY) == [f"bundle {digest[:12]} is there already"]
        path = state.bundles / digest
        assert path.stat().st_mode & 0o777 == 0o755
        code = (
            f"import os, sys; sys.path.insert(0, {str(path)!r}); import iniconfig; "
            "print(os.path.isfile(iniconfig.__cached__))"
        )
        cached = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-I", "-c", code], text=True)
        assert cached.strip() == "True"

    story(tmp_path, play)


def test_what_has_no_wheel_is_refused_with_pips_words_and_a_way_out(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        with pytest.raises(BuildFailed) as caught:
            await lines(bundles, NO_WHEEL)
        assert "docopt" in caught.value.message
        assert "--allow-source-builds" in caught.value.hint
        assert os.listdir(state.bundles) == []

    story(tmp_path, play)


def test_a_reader_who_goes_away_ends_the_build(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        building = bundles.build(required(TINY), from_source=False)
        assert await anext(building)
        await building.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            while True:
                if len(asyncio.all_tasks()) == 1:
                    break
                await asyncio.sleep(0.005)
        assert os.listdir(state.bundles) == []

    story(tmp_path, play)


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        began = time.monotonic()
        with pytest.raises(BuildFailed, match=r"within 0\.05 s"):
            await lines(bundles, TINY)
        assert time.monotonic() - began < 5
        assert os.listdir(state.bundles) == []

    story(tmp_path, play, timeout_s=0.05)


def test_pip_sees_its_own_configuration_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = environment(tmp_path)
    assert (found["PIP_INDEX_URL"], found["HTTPS_PROXY"]) == ("https://mirror.example/simple", "http://proxy.example")
    assert "DATABASE_PASSWORD" not in found
    assert "PYTHONPATH" not in found

"""Bundles built by the real pip and the real uv: small wheels from the package index, and what cannot be built."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from attacca.control.core.packages.installer import Installer, choose
from attacca.control.core.packages.requirements import Requirements, parse
from attacca.control.deploy.bundle import Bundles, installer
from attacca.control.deploy.state import StateDir
from attacca.errors import BuildFailed

TINY = "iniconfig==2.0.0"  # one small wheel
NO_WHEEL = "docopt==0.6.2"  # sources alone


UV = Path(sys.executable).with_name("uv")


def by_pip(environ: Mapping[str, str]) -> Installer:
    return choose(None, sys.executable, environ, {})


def by_uv(environ: Mapping[str, str]) -> Installer:
    """As a server has it that finds uv on its PATH."""
    return installer({**environ, "PATH": f"{UV.parent}{os.pathsep}{environ['PATH']}"})


BOTH = pytest.mark.parametrize("find", [by_pip, by_uv])
Find = Callable[[Mapping[str, str]], Installer]


def required(text: str) -> Requirements:
    found = parse(text, allow_source_builds=False)
    assert found is not None
    return found


def story(
    directory: Path,
    play: Callable[[Bundles, StateDir], Awaitable[None]],
    timeout_s: float = 60.0,
    find: Find = by_pip,
) -> None:
    async def main() -> None:
        state = StateDir(directory)
        state.make()
        bundles = Bundles(state, timeout_s, find_installer=find)
        await play(bundles, state)
        await bundles.close()
        assert os.listdir(state.tmp) == []
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


async def lines(bundles: Bundles, text: str) -> list[str]:
    return [line async for line in bundles.build(required(text), from_source=False)]


@BOTH
def test_a_bundle_is_built_once_for_all_who_ask_and_can_be_imported(tmp_path: Path, find: Find) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        first, second = await asyncio.gather(lines(bundles, TINY), lines(bundles, f"{TINY}  # the same"))
        assert first == second
        assert any("iniconfig" in line for line in first)  # how it is said is pip's and uv's affair
        [digest] = os.listdir(state.bundles)
        assert digest == bundles.digest(required(TINY))
        assert await lines(bundles, TINY) == [f"bundle {digest[:12]} is there already"]
        path = state.bundles / digest
        assert path.stat().st_mode & 0o777 == 0o755
        assert {"iniconfig", "iniconfig-2.0.0.dist-info"} == set(os.listdir(path))
        code = (
            f"import os, sys; sys.path.insert(0, {str(path)!r}); import iniconfig; "
            "print(os.path.isfile(iniconfig.__cached__))"
        )
        cached = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-I", "-c", code], text=True)
        assert cached.strip() == "True"

    story(tmp_path, play, find=find)


@BOTH
def test_constraints_bound_what_is_installed(tmp_path: Path, find: Find) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        found = parse("iniconfig\n-c bounds.txt\n", allow_source_builds=False, read=lambda _: "iniconfig<2\nflask<1\n")
        assert found is not None
        async for _ in bundles.build(found, from_source=False):
            pass
        names = os.listdir(state.bundles / bundles.digest(found))
        assert [name for name in names if name.startswith("iniconfig-1.")]
        assert not [name for name in names if "flask" in name.lower()]

    story(tmp_path, play, find=find)


@BOTH
def test_what_has_no_wheel_is_refused_with_the_installers_words_and_a_way_out(tmp_path: Path, find: Find) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        with pytest.raises(BuildFailed) as caught:
            await lines(bundles, NO_WHEEL)
        assert caught.value.message.startswith("docopt==0.6.2 has no wheel for CPython 3.")
        assert "--allow-source-builds" in caught.value.hint
        assert os.listdir(state.bundles) == []

    story(tmp_path, play, find=find)


@BOTH
def test_what_is_not_what_its_hash_says_is_refused_by_both(tmp_path: Path, find: Find) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        with pytest.raises(BuildFailed):
            await lines(bundles, f"{TINY} --hash=sha256:{'0' * 64}")
        with pytest.raises(BuildFailed):
            await lines(bundles, f"{TINY}\n--require-hashes")
        assert os.listdir(state.bundles) == []

    story(tmp_path, play, find=find)


def test_a_reader_who_goes_away_ends_the_build(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        building = bundles.build(required(TINY), from_source=False)
        assert await anext(building)
        await building.aclose()  # type: ignore[attr-defined]  # a generator
        async with asyncio.timeout(30):
            while True:
                if len(asyncio.all_tasks()) == 1:
                    break
                await asyncio.sleep(0.005)
        assert os.listdir(state.bundles) == []

    story(tmp_path, play)


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async def play(bundles: Bundles, state: StateDir) -> None:
        with pytest.raises(BuildFailed, match=r"within 0\.05 s"):
            await lines(bundles, TINY)
        assert os.listdir(state.bundles) == []

    story(tmp_path, play, timeout_s=0.05)


def test_the_servers_configuration_of_pip_holds_for_uv_too(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    environ = {"PATH": str(UV.parent), "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    chosen = by_uv(environ)
    assert chosen.name == "uv"
    assert chosen.environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    (tmp_path / "pip.conf").write_text("[global]\nproxy = http://proxy.example\n")
    assert by_uv(environ).name == "pip"
    (tmp_path / "pip.conf").write_text("nothing of the kind")
    assert by_uv(environ).name == "pip"

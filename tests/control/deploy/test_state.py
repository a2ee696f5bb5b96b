import asyncio
import os
from pathlib import Path

import pytest

from attacca.control.deploy.state import StateDir, place
from attacca.errors import BadConfig, StateUnavailable


def test_one_server_at_a_time_and_the_holder_is_named(tmp_path: Path) -> None:
    first, second = StateDir(tmp_path / "state"), StateDir(tmp_path / "state")
    first.lock()
    with pytest.raises(BadConfig, match=f"process {os.getpid()}"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "deep" / "state")
    state.make()
    assert state.path.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable, match="file"):
        StateDir(tmp_path / "file" / "state").make()


def test_what_a_crash_left_unfinished_is_cleared(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.make()
    (state.tmp / "half" / "a").mkdir(parents=True)
    (state.tmp / "file").write_text("")
    state.lock()
    assert os.listdir(state.tmp) == []
    state.unlock()


def test_placing_settles_modes_and_the_second_one_yields(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.make()

    async def main() -> None:
        for content in ("first", "second"):
            async with state.unfinished() as directory:
                made = directory / "made"
                made.mkdir(mode=0o700)
                (made / "a").write_text(content)
                (made / "a").chmod(0o777)
                place(made, state.code / "digest")

    asyncio.run(main())
    target = state.code / "digest"
    assert (target / "a").read_text() == "first"
    assert target.stat().st_mode & 0o777 == 0o755
    assert (target / "a").stat().st_mode & 0o777 == 0o755
    assert os.listdir(state.tmp) == []


def test_a_sweep_leaves_what_is_needed(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.make()
    for path in (state.code / "a", state.code / "b", state.bundles / "c"):
        path.mkdir()
    assert state.sweep({"a"}) == 2
    assert os.listdir(state.code) == ["a"]

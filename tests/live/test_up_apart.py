"""`attacca up --workers 2 --gateways 2`: several processes, of which any may die, and none is left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.whole import Whole, running, until

OPTIONS = ("--workers", "2", "--gateways", "2")
ECHO = "def echo(n=0):\n    return n"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Whole]:
    with running(tmp_path / "state", *OPTIONS, "--apart") as up:
        yield up


@pytest.fixture
def paired(tmp_path: Path) -> Iterator[Whole]:
    with running(tmp_path / "state", *OPTIONS) as up:
        yield up


def alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def admin(whole: Whole) -> Whole:
    """The same, asked where the admin API is."""
    whole.port = int(whole.info["admin"].rpartition(":")[2])
    return whole


def kill(whole: Whole, names: tuple[str, ...]) -> None:
    """One after the other, and calls are answered meanwhile; then all are there again."""
    gateways = whole.port
    admin(whole).function("echo", ECHO)
    for name in names:
        os.kill(whole.info["planes"][name], signal.SIGKILL)
        whole.port = gateways

        def answers() -> bool:
            try:
                return whole.call("echo", {"n": 5}).status == 200
            except OSError:
                return False

        until(answers, f"it is answered without {name}")
    admin(whole)

    def all_there() -> bool:
        try:
            return {one["name"] for one in whole.get("/api/workers")} == {"worker-1", "worker-2"}
        except OSError:
            return False

    until(all_there, "control is there again, and both workers are")
    until(lambda: len(whole.get("/api/info")["gateways"]) == 2, "both gateways are")
    whole.port = gateways


def test_each_that_dies_is_started_anew_and_nothing_is_left_after_the_end(apart: Whole) -> None:
    planes: dict[str, int] = apart.info["planes"]
    assert set(planes) == {"control", "worker-1", "worker-2", "gateway-1", "gateway-2"}
    assert len(set(planes.values())) == 5
    kill(apart, ("worker-1", "gateway-1", "control"))
    apart.stop()
    assert [name for name, pid in planes.items() if alive(pid)] == []


def test_a_pair_dies_as_one_and_nothing_is_left_when_all_are_killed(paired: Whole) -> None:
    planes: dict[str, int] = paired.info["planes"]
    assert planes["gateway-1"] == planes["worker-1"] != planes["gateway-2"] == planes["worker-2"]
    kill(paired, ("worker-1",))
    paired.family()
    paired.kill()
    until(lambda: not [pid for pid in planes.values() if alive(pid)], "all planes have ended")


def test_what_is_deployed_is_fetched_by_all_before_it_is_called(tmp_path: Path) -> None:
    with running(tmp_path / "state", *OPTIONS, "--set", "control.prefetch=all") as up:
        admin(up).function("echo", ECHO)
        both = ["worker-1", "worker-2"]
        until(lambda: up.get("/api/functions/echo")["lies_on"] == both, "both workers have its code")
        until(lambda: [one["holds"] for one in up.get("/api/cluster")["workers"]] == [1, 1], "and that is shown")

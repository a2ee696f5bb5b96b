"""`attacca up --workers 2 --gateways 2`: processes of their own, of which any may die, and none is left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.whole import Whole, running, until

OPTIONS = ("--workers", "2", "--gateways", "2")
ECHO = "def echo(n=0):\n    return n"


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
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


def test_each_that_dies_is_started_anew_and_nothing_is_left_after_the_end(whole: Whole) -> None:
    gateways = whole.port
    admin(whole).function("echo", ECHO)
    planes: dict[str, int] = whole.info["planes"]
    assert set(planes) == {"control", "worker-1", "worker-2", "gateway-1", "gateway-2"}
    for name in ("worker-1", "gateway-1", "control"):
        os.kill(planes[name], signal.SIGKILL)
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
    whole.stop()
    assert [name for name, pid in planes.items() if alive(pid)] == []


def test_nothing_is_left_when_it_is_killed(whole: Whole) -> None:
    admin(whole).function("echo", ECHO)
    planes: dict[str, int] = whole.info["planes"]
    whole.family()
    whole.kill()
    until(lambda: not [pid for pid in planes.values() if alive(pid)], "all planes have ended")

"""A process of ours ends once, in whatever order we hear of it."""

import os
import signal
import subprocess
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.child_process import OUTPUT_PER_S, OUTPUT_READ, STATUS_WAIT_S, ChildProcess
from tests.worker.runtime.process.turns import Loop


class House:
    def __init__(self) -> None:
        self.loop = Loop()
        self.out, self.far_out = os.pipe()
        os.set_blocking(self.far_out, False)
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.ended: list[str] = []
        self.printed: list[bytes] = []
        self.child = ChildProcess(cast("Any", self.loop), self.out, self.printed.append, self.ended.append)

    def born(self) -> bool:
        self.process = subprocess.Popen(["sleep", "60"])
        self.pidfd = os.pidfd_open(self.process.pid)
        return self.child.born(self.process.pid, self.pidfd)

    def die(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def hear(self) -> None:
        """The loop sees that the process is gone, if it is."""
        if self.process is not None and self.process.poll() is not None and self.pidfd in self.loop.readers:
            self.loop.readers[self.pidfd]()

    def end(self) -> None:
        self.die()
        assert self.loop.is_empty()
        for descriptor in (self.out, self.pidfd):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
        os.close(self.far_out)


DOINGS = st.sampled_from(["born", "told", "kill", "die", "hear", "abandon", "wait", "print"])


@given(st.lists(DOINGS, max_size=10))
def test_it_ends_once_whatever_comes_first(doings: list[str]) -> None:
    house, said = House(), 0
    child = house.child
    for doing in doings:
        match doing:
            case "born" if house.process is None and not house.ended:
                assert house.born() is not child.killed_for.startswith("killed")
            case "told" if not house.ended:
                child.told(9)
            case "kill":
                child.kill("killed")
            case "die":
                house.die()
            case "hear":
                house.hear()
            case "abandon":
                child.abandon()
            case "wait":
                house.loop.wait(STATUS_WAIT_S)
            case "print" if not house.ended:
                said += os.write(house.far_out, b"x")
        assert len(house.ended) <= 1
        is_alive = house.process is not None and house.process.poll() is None
        assert not (is_alive and house.ended), "never before its process is gone"
    house.die()
    house.hear()
    house.loop.wait(STATUS_WAIT_S)
    child.abandon()
    assert len(house.ended) == 1
    assert b"".join(house.printed) == b"x" * said, "its last words, too"
    house.end()


def test_how_it_ended_is_waited_for_but_not_for_long() -> None:
    house = House()
    house.born()
    house.die()
    house.hear()
    assert house.ended == []
    house.child.told(signal.SIGSEGV)
    assert house.ended == ["its process was killed by SIGSEGV"]
    house.end()
    house = House()
    house.born()
    house.die()
    house.hear()
    house.loop.wait(STATUS_WAIT_S)
    assert house.ended == ["its process ended"]
    house.end()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (9, "we did it"),
        (11, "its process was killed by SIGSEGV"),
        (50, "its process was killed by signal 50"),
        (3 << 8, "its process exited with status 3"),
        (-(1 << 31), "we did it"),
    ],
)
def test_what_it_says_of_the_end(status: int, says: str) -> None:
    house = House()
    house.child.kill("we did it")
    house.child.told(status)
    assert len(house.ended) == 1
    assert status < 0 or house.ended == [says]
    house.end()


def test_who_is_killed_before_it_is_born_does_not_live() -> None:
    house = House()
    house.child.kill("too late")
    assert not house.born()
    assert house.process is not None
    house.process.wait()
    house.hear()
    house.child.told(9)
    assert house.ended == ["too late"]
    house.end()


def test_the_last_words_are_heard_before_the_end() -> None:
    house = House()
    os.write(house.far_out, b"help")
    house.child.abandon()
    assert house.printed == [b"help"]
    house.end()


def test_who_floods_is_heard_slowly() -> None:
    house = House()

    def flood() -> int:
        count = 0
        while house.out in house.loop.readers:
            os.write(house.far_out, bytes(OUTPUT_READ))
            house.loop.turn()
            count += 1
        return count

    assert OUTPUT_PER_S <= flood() * OUTPUT_READ <= OUTPUT_PER_S + OUTPUT_READ
    house.loop.wait(1.0)
    assert flood() > 0
    house.child.abandon()
    house.loop.wait(1.0)
    house.end()


def test_it_says_how_it_is() -> None:
    house = House()
    assert repr(house.child) == "<ChildProcess 0 not born>"
    house.born()
    assert repr(house.child) == f"<ChildProcess 0 process {house.child.pid}>"
    house.child.kill()
    assert repr(house.child) == f"<ChildProcess 0 process {house.child.pid}, doomed>"
    house.die()
    house.hear()
    house.loop.wait(STATUS_WAIT_S)
    assert repr(house.child) == "<ChildProcess 0 over, doomed>"
    house.end()

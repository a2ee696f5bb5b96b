"""A process of ours ends once, in whatever order we hear of it."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.child_process import (
    AGAIN_S,
    OUTPUT_PER_S,
    OUTPUT_READ,
    STATUS_WAIT_S,
    ChildProcess,
    tells_processes_apart,
)
from tests.worker.runtime.process.turns import Loop


def descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")


class House:
    def __init__(self) -> None:
        self.before = descriptors()
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
        pidfd = self.child._pidfd
        if self.process is not None and self.process.poll() is not None and pidfd in self.loop.readers:
            self.loop.readers[pidfd]()
        for do in self.loop.take_soon():
            do()

    def end(self) -> None:
        self.die()
        assert self.loop.is_empty()
        os.close(self.far_out)
        assert self.before == descriptors()


DOINGS = st.sampled_from(["born", "told", "die", "hear", "wait", "print", "kill", "abandon", "rest", "look"])


SIMPLE: dict[str, Callable[[ChildProcess], None]] = {
    "kill": lambda child: child.kill("killed"),
    "abandon": ChildProcess.abandon,
    "rest": lambda child: child.rest(0),
    "look": ChildProcess.look,
}


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
            case "die":
                house.die()
            case "hear":
                house.hear()
            case "wait":
                house.loop.wait(STATUS_WAIT_S)
            case _ if doing in SIMPLE:
                SIMPLE[doing](child)
            case "print" if not house.ended:
                said += os.write(house.far_out, b"x")
        assert len(house.ended) <= 1
        is_alive = house.process is not None and house.process.poll() is None
        assert not (is_alive and house.ended), "never before its process is gone"
    house.die()
    child.look()
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


@pytest.mark.parametrize("sign", ["kill", "told", "output", "look"])
def test_one_at_rest_is_held_by_no_descriptor_until_something_says_that_it_may_have_ended(sign: str) -> None:
    if not tells_processes_apart():
        pytest.skip("pidfds of this kernel's are all alike: Linux 6.9")
    for has_ended in (False, True):
        house = House()
        house.born()
        held = len(descriptors())
        house.child.rest(0)
        assert len(descriptors()) == held - 1
        assert house.loop.readers.keys() == {house.out}
        assert house.child.is_born
        if has_ended:
            house.die()
        match sign:
            case "kill":
                house.child.kill("we did it")
            case "told":
                house.child.told(9)
            case "output":
                os.close(house.far_out)
                house.loop.turn()
                house.far_out = os.open(os.devnull, os.O_WRONLY)
            case _:
                house.child.look()
        assert house.ended == []
        assert (house.child._pidfd >= 0) is not has_ended
        house.die()
        house.hear()
        house.loop.wait(STATUS_WAIT_S)
        assert len(house.ended) == 1
        house.end()


def test_another_process_of_its_number_is_not_taken_for_one_at_rest() -> None:
    if not tells_processes_apart():
        pytest.skip("pidfds of this kernel's are all alike: Linux 6.9")
    house = House()
    house.born()
    house.child.rest(0)
    with subprocess.Popen(["sleep", "60"]) as other:
        house.child.pid = other.pid
        house.child.kill("we did it")
        house.hear()
        house.loop.wait(STATUS_WAIT_S)
        assert house.ended == ["we did it"]
        assert other.poll() is None
        other.kill()
    house.end()


def test_one_at_rest_is_ended_once_there_is_a_descriptor_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if not tells_processes_apart():
        pytest.skip("pidfds of this kernel's are all alike: Linux 6.9")
    house = House()
    house.born()
    house.child.rest(0)

    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, "none is left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", none_left)
        house.child.kill("we did it")
    assert house.process is not None
    assert house.process.poll() is None
    house.loop.wait(AGAIN_S)
    assert house.process.wait() == -signal.SIGKILL
    house.hear()
    house.loop.wait(STATUS_WAIT_S)
    assert house.ended == ["we did it"]
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

"""Orders on their way to a process that forks, whose socket is on paper."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest.channel import HEAD, PREPARE
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot
from attacca.worker.runtime.process.fork_client import (
    AGAIN_S,
    AGAIN_TRIES,
    LARGEST,
    NO_ROOM,
    PER_S,
    TURN,
    ForkClient,
    SpawnOrder,
)
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH
from tests.worker.runtime.process.turns import Loop

FULL = OSError(errno.ETOOMANYREFS, "too many references")


class Orders:
    """A socket that takes what it is sent, or fails as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, ...]] = []
        self.fails: OSError | None = None
        self.is_closed = False

    def settimeout(self, seconds: float) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def sendmsg(self, parts: list[bytes], *_: object) -> int:
        assert not self.is_closed
        if self.fails is not None:
            raise self.fails
        self.sent.append(BIRTH.unpack(b"".join(parts)))
        return len(parts[0])

    def close(self) -> None:
        self.is_closed = True


class House:
    def __init__(self) -> None:
        self.loop, self.orders = Loop(), Orders()
        self.reader, self.writer = os.pipe()
        self.far_reader, self.tells = os.pipe()
        self.heard: list[tuple[int, int, bytes]] = []
        self.gone: list[str] = []
        self.failed: list[tuple[int, str]] = []
        self.descriptors: list[int] = []
        self.fork_client = ForkClient(
            cast("Any", self.loop),
            cast("Any", self.orders),
            self.reader,
            self.tells,
            CgroupSlot(None, lambda group: None),
            lambda *frame: self.heard.append(frame),
            self.gone.append,
        )

    def birth(self) -> None:
        """They are numbered from 1."""
        descriptor = os.open("/dev/null", os.O_RDONLY)
        self.descriptors.append(descriptor)
        number = len(self.descriptors)
        before = list(self.failed)
        self.fork_client.birth(number, 0, (descriptor,), lambda why: self.failed.append((number, why)))
        assert self.failed == before, "never in this call"

    def hang_up(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def end(self) -> None:
        self.fork_client.close()
        self.loop.turn()
        assert self.loop.is_empty()
        for descriptor in (self.reader, self.tells, *self.descriptors):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
        os.close(self.far_reader)
        self.hang_up()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


def set_failure(error: OSError | None) -> Callable[[House], None]:
    return lambda house: setattr(house.orders, "fails", error)


DOINGS: dict[str, Callable[[House], None]] = {
    "birth": lambda house: house.birth() if house.fork_client.is_open else None,
    "full": set_failure(FULL),
    "busy": set_failure(BlockingIOError()),
    "broken": set_failure(BrokenPipeError()),
    "free": set_failure(None),
    "turn": lambda house: house.loop.turn(),
    "wait": lambda house: house.loop.wait(AGAIN_S),
    "long": lambda house: house.loop.wait(AGAIN_S * AGAIN_TRIES),
    "hang up": lambda house: house.hang_up(),
}


@given(st.lists(st.sampled_from([*DOINGS, "birth", "turn"]), max_size=25))
def test_every_order_is_sent_once_or_fails_once(doings: list[str]) -> None:
    """And its descriptors are closed, which `end` looks for."""
    house = House()
    for doing in doings:
        DOINGS[doing](house)
        assert len(house.gone) <= 1
        assert house.orders.is_closed is not house.fork_client.is_open
    house.fork_client.close()
    house.loop.turn()
    assert sorted([number for number, *_ in house.orders.sent] + [number for number, _ in house.failed]) == list(
        range(1, len(house.descriptors) + 1)
    )
    assert [number for number, *_ in house.orders.sent] == sorted(number for number, *_ in house.orders.sent)
    house.end()


@pytest.mark.parametrize("number", sorted(NO_ROOM))
def test_while_the_kernel_has_no_room_it_is_tried_again(house: House, number: int) -> None:
    house.orders.fails = OSError(number, "no room")
    house.birth()
    house.loop.wait(AGAIN_S)
    assert (house.orders.sent, house.failed, house.gone) == ([], [], [])
    house.orders.fails = None
    house.loop.wait(AGAIN_S)
    assert house.orders.sent == [(1, 0, 0, 0, 0)]


def test_but_not_for_ever_and_the_next_may_have_more_luck(house: House) -> None:
    house.orders.fails = FULL
    house.birth()
    house.birth()
    house.loop.wait(AGAIN_S * (AGAIN_TRIES - 0.5))
    house.orders.fails = None
    house.loop.wait(AGAIN_S)
    house.loop.turn()
    assert house.failed == [(1, "its descriptors cannot be sent: too many references")]
    assert house.orders.sent == [(2, 0, 0, 0, 0)]
    assert house.gone == []


def test_one_that_takes_nothing_more_is_gone(house: House) -> None:
    house.orders.fails = BrokenPipeError()
    house.birth()
    house.loop.turn()
    assert house.gone == ["it takes no more orders"]
    assert house.failed == [(1, "the process that would fork it is gone")]


def test_it_waits_for_one_that_is_busy(house: House) -> None:
    house.orders.fails = BlockingIOError()
    house.birth()
    house.birth()
    house.orders.fails = None
    assert list(house.loop.writers) == [house.orders]
    house.loop.turn()
    assert house.orders.sent == [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]
    assert house.loop.writers == {}


def test_what_it_says_is_heard_a_few_at_a_time_and_never_much_at_once(house: House) -> None:
    os.write(house.writer, 3 * TURN * HEAD.pack(0, 5, 1))
    house.loop.turn()
    assert house.heard == TURN * [(5, 1, b"")]
    for _ in range(3):
        house.loop.turn()
    assert len(house.heard) == 3 * TURN
    os.write(house.writer, HEAD.pack(LARGEST + 1, 5, 1))
    house.loop.turn()
    house.loop.turn()
    assert house.gone == [f"it sent a frame of {LARGEST + 1} bytes"]


def test_who_says_more_than_anybody_can_listen_to_is_listened_to_more_slowly(house: House) -> None:
    os.write(house.writer, 7000 * HEAD.pack(0, 5, 1))
    for _ in range(2000):
        house.loop.turn()
    assert len(house.heard) < 0.1 * PER_S
    for tenth in range(1, 10):
        house.loop.wait(0.1)
        for _ in range(200):
            house.loop.turn()
        assert len(house.heard) <= (tenth + 1) / 10 * PER_S
    assert len(house.heard) > 0.01 * PER_S


def test_whoever_closes_it_is_not_told(house: House) -> None:
    house.hang_up()
    house.fork_client.close()
    assert house.gone == []


def test_a_template_is_told_by_the_one_and_its_minder_by_the_other(house: House) -> None:
    house.fork_client.go()
    house.fork_client.tell(PREPARE, b"x")
    assert house.orders.sent == [(0, 0, 0, 0, 0)]
    assert os.read(house.far_reader, 100) == HEAD.pack(1, PREPARE, 0) + b"x"


def test_it_says_how_it_is(house: House) -> None:
    assert repr(house.fork_client) == "<ForkClient open, 0 waiting, <CgroupSlot left, 0 waiting>>"
    house.orders.fails = FULL
    house.birth()
    assert repr(house.fork_client) == "<ForkClient open, 1 waiting, <CgroupSlot left, 0 waiting>>"
    house.fork_client.close()
    assert repr(house.fork_client) == "<ForkClient closed, 0 waiting, <CgroupSlot closed, 0 waiting>>"


def test_an_order_that_waits_says_so() -> None:
    assert repr(SpawnOrder(b"", (3, 4), lambda _: None)) == "<SpawnOrder 2 descriptors, 0 tries>"

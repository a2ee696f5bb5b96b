"""How much of what comes from whoever cannot be trusted is held, and for how long."""

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest.link import READ, STALL_BYTES, STALL_S
from tests.guest.test_link import LONG, Ends, Purse, frame


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
def long(purse: Purse) -> Iterator[Ends]:
    made = Ends(2 * STALL_BYTES, room=purse)
    yield made
    made.close()


SIZES = st.sampled_from([0, 5, READ, READ + 1, 150_000, LONG])
ENDINGS = st.sampled_from(["complete", "close", "hang up", "too long", "stall"])


class Suspect(Ends):
    """Frames of these sizes are on their way."""

    def __init__(self, sizes: list[int]) -> None:
        self.purse = Purse()
        super().__init__(LONG, turn=2, room=self.purse)
        self.frames = [(1, number, bytes(size)) for number, size in enumerate(sizes)]
        self.data = b"".join(frame(*one) for one in self.frames)

    def write(self, size: int) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self.data = self.data[os.write(self.far_writer, self.data[:size]) :]

    def fill_or_empty(self) -> None:
        self.purse.is_empty = not self.purse.is_empty

    def finish(self, how: str) -> None:
        self.purse.is_empty = False
        if how == "complete" and self.link.is_open:
            for _ in range(2 * len(self.frames) + len(self.data) // 50_000 + 1):
                self.purse.grant()
                self.link.resume()
                if self.link._rests is not None:  # else a frame may be owed, and just about late
                    self.loop.wait(STALL_S / 5)
                self.settle()
                self.write(65_536)
            self.settle()
            assert self.came == self.frames
        elif how == "close":
            self.link.close()
        elif how == "hang up":
            self.hang_up()
            self.settle()
        elif how == "too long":
            vars(self.link)["_max_frame"] = 0
            self.settle()
        else:
            self.loop.wait(2 * STALL_S)


DOINGS: dict[str, Callable[[Suspect, int], None]] = {
    "write": Suspect.write,
    "turn": lambda ends, _: ends.loop.turn(),
    "full": lambda ends, _: ends.fill_or_empty(),
    "grant": lambda ends, _: ends.purse.grant(),
    "pause": lambda ends, _: ends.link.pause(),
    "resume": lambda ends, _: ends.link.resume(),
    "wait": lambda ends, _: ends.loop.wait(STALL_S / 10),
    "rest": lambda ends, _: ends.link.rest(STALL_S / 5),
}
DOING = st.tuples(st.sampled_from([*DOINGS, "write", "turn", "turn"]), st.integers(1, 70_000))


@given(st.lists(SIZES, max_size=4), st.lists(DOING, max_size=25), ENDINGS)
def test_room_for_a_long_frame_is_given_back_however_it_ends(
    sizes: list[int], doings: list[tuple[str, int]], how: str
) -> None:
    """Which `close` looks for."""
    ends = Suspect(sizes)
    for doing, size in doings:
        DOINGS[doing](ends, size)
        assert ends.came == ends.frames[: len(ends.came)]
        if ends.purse.is_waiting or ends.link.is_paused or not ends.link.is_open:
            assert ends.reader not in ends.loop.readers, "nothing is read"
            assert not ends.loop.has_timer(but=ends.link._wake), "nothing is owed while nobody reads"
    ends.finish(how)
    ends.close()


def test_room_is_asked_before_a_long_frame_is_collected_and_given_back_when_it_is_there(
    long: Ends, purse: Purse
) -> None:
    raw = frame(1, 1, bytes(LONG))
    long.arrive(raw[:8])
    assert purse.asked == 0, "nobody knows how long it is"
    long.arrive(raw[8:9])
    assert (purse.asked, purse.held) == (1, LONG)
    long.pour(raw[9:])
    assert (purse.asked, purse.held) == (1, 0)
    assert [len(data) for *_, data in long.came] == [LONG]


def test_a_short_frame_needs_no_room(long: Ends, purse: Purse) -> None:
    long.pour(frame(1, 1, bytes(READ)))
    assert (purse.asked, len(long.came)) == (0, 1)


def test_while_there_is_no_room_nothing_is_read(long: Ends, purse: Purse) -> None:
    purse.is_empty = True
    raw = frame(1, 1, bytes(LONG))
    long.arrive(raw[:100])
    assert (long.loop.readers, long.loop.has_timer()) == ({}, False)
    long.loop.wait(5 * STALL_S)
    long.link.pause()
    purse.grant()
    assert long.loop.readers == {}, "there is room, but it is paused"
    long.link.resume()
    long.pour(raw[100:])
    assert (purse.held, len(long.came), long.ended) == (0, 1, [])


@pytest.mark.parametrize("sent", [1, 8, 9, 100])
def test_who_stops_in_the_middle_of_a_frame_is_ended(long: Ends, sent: int) -> None:
    long.link.pause()
    long.link.resume()
    long.loop.wait(5 * STALL_S)
    assert long.ended == [], "between frames one may be silent"
    long.arrive(frame(1, 1, bytes(1000))[:sent])
    long.loop.wait(STALL_S - 1)
    assert long.link.is_open
    long.loop.wait(1)
    assert long.ended == [f"it stopped in the middle of a frame for {STALL_S:g} s"]
    assert long.loop.is_empty()


def test_who_drips_is_ended(long: Ends) -> None:
    raw = frame(1, 1, bytes(LONG))
    for at in range(2 * int(STALL_S)):
        if long.link.is_open:
            long.arrive(raw[at : at + 1])
            long.loop.wait(1)
    assert long.ended == [f"it stopped in the middle of a frame for {STALL_S:g} s"]


def test_who_gets_on_is_not_ended(long: Ends, purse: Purse) -> None:
    raw = frame(1, 1, bytes(2 * STALL_BYTES))
    half = STALL_BYTES + 2 * READ
    long.pour(raw[:half])
    long.loop.wait(STALL_S)
    long.pour(raw[half:-1])
    long.loop.wait(STALL_S - 1)
    long.pour(raw[-1:])
    long.loop.wait(5 * STALL_S)
    assert (long.ended, len(long.came), purse.held) == ([], 1, 0)


def test_the_time_that_nobody_reads_is_not_its_own(long: Ends) -> None:
    raw = frame(1, 1, bytes(1000))
    long.arrive(raw[:100])
    long.link.pause()
    long.loop.wait(5 * STALL_S)
    long.link.resume()
    long.loop.wait(STALL_S - 1)
    long.arrive(raw[100:])
    assert (long.ended, len(long.came)) == ([], 1)


def test_who_may_send_what_it_likes_has_no_clock(ends: Ends) -> None:
    for piece in (frame(1, 1, b"hello")[:-2], b"l"):
        ends.arrive(piece)
        ends.link.pause()
        ends.link.resume()
        assert not ends.loop.has_timer()

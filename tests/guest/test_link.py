"""Frames over a pair of pipes, on a loop whose turns and time a test takes by hand."""

import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest.channel import HEAD
from attacca.guest.link import ALL, HIGH, LAST_FRAMES, LOW, STALL_BYTES, Link
from tests.worker.runtime.process.turns import Loop

MOST = 100
LONG = 200_000  # room is asked for what is longer than READ


class Purse:
    """Room on paper: there is some, or whoever asks has to wait."""

    def __init__(self) -> None:
        self.held = self.asked = 0
        self.is_empty = False
        self._granted: Callable[[], None] | None = None

    def take(self, size: int, granted: Callable[[], None]) -> bool:
        assert not self.is_waiting, "one frame at a time"
        self.asked += 1
        if self.is_empty:
            self._size, self._granted = size, granted
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        if self._granted is not None:
            assert size == self._size
            self._granted = None
        else:
            self.held -= size
            assert self.held >= 0, "no more than was granted"

    @property
    def is_waiting(self) -> bool:
        return self._granted is not None

    def grant(self) -> None:
        if self._granted is not None:
            granted, self._granted = self._granted, None
            self.held += self._size
            granted()


class Ends:
    """A link, and the bare pipes at its other end."""

    def __init__(self, most: int = MOST, turn: int = ALL, room: Purse | None = None) -> None:
        self.loop, self.room = Loop(), room
        self.reader, self.far_writer = os.pipe()
        self.far_reader, self.writer = os.pipe()
        for far in (self.far_reader, self.far_writer):
            os.set_blocking(far, False)
        self.came: list[tuple[int, int, bytes]] = []
        self.ended: list[str] = []
        self.pressed: list[bool] = []
        self.link = Link(
            cast("Any", self.loop),
            self.reader,
            self.writer,
            most,
            lambda kind, number, data: self.came.append((kind, number, data)),
            self.ended.append,
            self.pressed.append,
            turn=turn,
            room=room,
        )

    def arrive(self, data: bytes) -> None:
        assert os.write(self.far_writer, data) == len(data)
        self.loop.turn()

    def pour(self, data: bytes) -> None:
        """More than a pipe holds, until it is read or nobody reads."""
        while data and self.reader in self.loop.readers:
            data = data[os.write(self.far_writer, data) :]
            self.loop.turn()

    def settle(self) -> None:
        for _ in range(200):
            self.loop.turn()

    def drain(self) -> int:
        """How much the link has written."""
        count = 0
        while True:
            try:
                count += len(os.read(self.far_reader, 1 << 20))
            except BlockingIOError:
                return count

    def hang_up(self) -> None:
        if self.far_writer >= 0:
            os.close(self.far_writer)
            self.far_writer = -1

    def close(self) -> None:
        """For the test's sake. Nothing of it is left, however it ended."""
        self.link.close()
        assert self.loop.is_empty()
        for descriptor in (self.reader, self.writer):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
        assert self.room is None or (self.room.held == 0 and not self.room.is_waiting)
        self.hang_up()
        os.close(self.far_reader)


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


def frame(kind: int, number: int, data: bytes = b"") -> bytes:
    return HEAD.pack(len(data), kind, number) + data


FRAMES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.binary(max_size=12)), max_size=6)
PIECES = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["", "pause", "resume", "turn"])), max_size=12)


@given(FRAMES, st.lists(st.integers(0, 60), max_size=6))
def test_frames_are_taken_wherever_they_are_cut(frames: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    ends = Ends()
    data, at = b"".join(frame(*one) for one in frames), 0
    for cut in [*sorted(cuts), len(data)]:
        if data[at:cut]:
            ends.arrive(data[at:cut])
            at = cut
    assert ends.came == frames
    ends.close()


@given(FRAMES, PIECES, st.integers(1, 3), st.sampled_from(["close", "all"]))
def test_no_more_of_them_in_a_turn_than_is_fair_and_none_is_lost(
    frames: list[tuple[int, int, bytes]], pieces: list[tuple[int, str]], fair: int, ending: str
) -> None:
    """However they are cut, and whoever pauses, goes on or closes in between."""
    ends = Ends(turn=fair)
    data = b"".join(frame(*one) for one in frames)
    turns = 0
    for size, then in [*pieces, (len(data), "")]:
        before = len(ends.came)
        if data[:size]:
            ends.arrive(data[:size])
            data = data[size:]
        elif then == "turn":
            ends.loop.turn()
        assert len(ends.came) - before <= fair
        assert ends.came == frames[: len(ends.came)]
        if then in ("pause", "resume"):
            getattr(ends.link, then)()
    if ending == "close":
        ends.link.close()
    else:
        ends.link.resume()
        while len(ends.came) < len(frames):
            before, turns = len(ends.came), turns + 1
            ends.loop.turn()
            assert len(ends.came) - before <= fair
            assert turns < 50
    assert ends.came == frames
    ends.close()


def test_one_who_sends_many_is_not_read_while_they_wait_for_their_turn() -> None:
    ends = Ends(turn=2)
    ends.arrive(5 * frame(1, 1))
    assert (len(ends.came), ends.loop.readers) == (2, {})
    ends.loop.turn()
    ends.loop.turn()
    assert len(ends.came) == 5
    assert ends.reader in ends.loop.readers
    ends.close()


def test_none_is_taken_once_whoever_takes_them_has_let_go() -> None:
    ends = Ends(turn=2)
    ends.arrive(3 * frame(1, 1) + HEAD.pack(MOST + 1, 1, 1) + frame(1, 2))
    ends.settle()
    assert ends.came == 3 * [(1, 1, b"")]
    assert ends.ended == [f"it sent a frame of {MOST + 1} bytes"]
    ends.close()


def test_an_empty_frame_is_taken_at_once(ends: Ends) -> None:
    ends.arrive(frame(4, 1))
    assert ends.came == [(4, 1, b"")]


def test_a_frame_may_be_as_long_as_it_may_be_and_not_longer(ends: Ends) -> None:
    ends.arrive(frame(1, 1, b"x" * MOST))
    assert ends.came == [(1, 1, b"x" * MOST)]
    ends.arrive(frame(1, 2, b"x" * (MOST + 1)))
    assert ends.ended == [f"it sent a frame of {MOST + 1} bytes"]
    assert not ends.link.is_open
    assert ends.loop.is_empty()


@pytest.mark.parametrize("cut", [1, 8, 9, 10])
def test_how_long_it_is_counts_as_soon_as_it_is_known(ends: Ends, cut: int) -> None:
    raw = frame(1, 2, b"x" * (MOST + 1))
    ends.arrive(raw[:cut])
    assert ends.link.is_open is (cut < 9)
    if cut < 9:
        ends.arrive(raw[cut:])
    assert ends.ended == [f"it sent a frame of {MOST + 1} bytes"]


def test_it_ends_once_when_the_other_side_lets_go(ends: Ends) -> None:
    ends.hang_up()
    ends.loop.turn()
    ends.loop.turn()
    assert ends.ended == ["it closed its channel"]
    ends.link.send(b"x")  # into the void


def test_what_has_arrived_is_taken_before_it_is_closed(ends: Ends) -> None:
    ends.link.pause()
    ends.arrive(LAST_FRAMES * frame(1, 1, b"x" * MOST))
    assert ends.came == []
    ends.link.close()
    assert len(ends.came) == LAST_FRAMES
    assert not ends.link.is_open
    assert ends.ended == [], "who closes it knows"


@pytest.mark.parametrize("turn", [ALL, 2])
def test_of_a_flood_that_has_arrived_only_some_is(turn: int) -> None:
    ends = Ends(turn=turn)
    ends.link.pause()
    ends.arrive(7000 * frame(1, 1))
    ends.link.close()
    assert len(ends.came) == LAST_FRAMES
    ends.loop.turn()
    assert len(ends.came) == LAST_FRAMES
    ends.close()


def test_who_is_to_rest_is_not_heard_for_so_long() -> None:
    ends = Ends(turn=2)
    rests = iter([5.0])

    def take(kind: int, number: int, data: bytes) -> None:
        ends.came.append((kind, number, data))
        ends.link.rest(next(rests, 0.0))

    vars(ends.link)["_take"] = take
    ends.arrive(4 * frame(1, 1))
    ends.settle()
    assert (len(ends.came), ends.loop.readers) == (1, {})
    ends.loop.wait(4)
    ends.settle()
    assert len(ends.came) == 1
    ends.link.pause()
    ends.loop.wait(1)
    ends.link.resume()
    ends.loop.wait(0)
    ends.settle()
    assert len(ends.came) == 4
    ends.close()


def test_who_rests_is_closed_all_the_same(ends: Ends) -> None:
    ends.link.rest(5.0)
    ends.link.rest(5.0)
    ends.arrive(frame(1, 1))
    assert (ends.came, ends.loop.readers) == ([], {})
    ends.link.close()
    assert ends.came == [(1, 1, b"")]


def test_what_still_arrives_while_it_is_closed_is_not_waited_for() -> None:
    """Somebody else may have the other end, and write for ever."""
    ends = Ends()
    vars(ends.link)["_take"] = lambda *_: os.write(ends.far_writer, frame(1, 1))
    ends.link.pause()
    ends.arrive(3 * frame(1, 1))
    ends.link.close()
    assert not ends.link.is_open
    ends.close()


def test_who_is_paused_takes_nothing_until_it_goes_on(ends: Ends) -> None:
    ends.link.pause()
    ends.arrive(frame(1, 1))
    assert ends.came == []
    ends.link.resume()
    ends.loop.turn()
    assert ends.came == [(1, 1, b"")]


def test_who_writes_faster_than_the_other_side_reads_is_told_to_wait_and_to_go_on(ends: Ends) -> None:
    written = 0
    while not ends.pressed and written < 10 * HIGH:
        ends.link.send(b"x" * 10_000)
        written += 10_000
    assert ends.pressed == [True]
    assert written > HIGH
    read = 0
    for _ in range(100):
        read += ends.drain()
        ends.loop.turn()
        assert ends.pressed == [True, False][: 1 + (len(ends.link._backlog) < LOW)]
    assert read == written
    assert ends.pressed == [True, False]
    assert ends.loop.writers == {}


def test_what_can_be_written_at_once_is(ends: Ends) -> None:
    ends.link.send(b"hello")
    assert os.read(ends.far_reader, 9) == b"hello"
    assert ends.loop.writers == {}


def test_what_waits_to_be_written_goes_first(ends: Ends) -> None:
    ends.link.send(b"x" * HIGH)
    assert os.read(ends.far_reader, 10_000) == b"x" * 10_000
    ends.link.send(b"last")
    written = b""
    while len(written) < HIGH - 10_000 + 4:
        written += os.read(ends.far_reader, 1 << 20)
        ends.loop.turn()
    assert written.endswith(b"xlast")


def test_who_is_closed_writes_nothing_to_whoever_has_its_descriptor_now(ends: Ends) -> None:
    ends.link.close()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    assert ends.writer in (reader, writer) or ends.reader in (reader, writer)
    os.dup2(writer, ends.writer) if ends.writer != writer else None
    ends.link.send(b"x")
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    for descriptor in {reader, writer, ends.writer}:
        os.close(descriptor)


def test_one_that_only_hears_needs_no_other_way() -> None:
    loop, (reader, far) = Loop(), os.pipe()
    came: list[int] = []
    only = Link(cast("Any", loop), reader, -1, MOST, lambda kind, *_: came.append(kind), lambda _: None, lambda _: None)
    os.write(far, frame(7, 1))
    loop.turn()
    only.close()
    os.close(far)
    assert came == [7]
    assert loop.is_empty()


def test_who_closes_it_while_taking_one_gets_no_other(ends: Ends) -> None:
    def take(kind: int, number: int, data: bytes) -> None:
        ends.came.append((kind, number, data))
        ends.link.close()

    vars(ends.link)["_take"] = take
    ends.arrive(3 * frame(1, 1))
    assert len(ends.came) == 1


def test_it_says_how_it_is(ends: Ends) -> None:
    assert repr(ends.link) == "<Link open, 0 bytes in, 0 out>"
    ends.arrive(frame(1, 1, b"hello")[:-2])
    ends.link.pause()
    assert repr(ends.link) == "<Link paused, 12 bytes in, 0 out>"
    ends.link.close()
    assert repr(ends.link) == "<Link closed, 0 bytes in, 0 out>"

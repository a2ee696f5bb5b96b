"""Frames over a pair of sockets, on a loop that a test turns by hand."""

import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.guest.channel import HEAD
from attacca.worker.runtime.process.guest.link import HIGH, LOW, Link

MOST = 100


class Loop:
    def __init__(self) -> None:
        self.readers: dict[socket.socket, Callable[[], Any]] = {}
        self.writers: dict[socket.socket, Callable[[], Any]] = {}

    def add_reader(self, sock: socket.socket, do: Callable[[], Any]) -> None:
        self.readers[sock] = do

    def add_writer(self, sock: socket.socket, do: Callable[[], Any]) -> None:
        self.writers[sock] = do

    def remove_reader(self, sock: socket.socket) -> None:
        self.readers.pop(sock, None)

    def remove_writer(self, sock: socket.socket) -> None:
        self.writers.pop(sock, None)

    def turn(self) -> None:
        for do in [*self.readers.values(), *self.writers.values()]:
            do()


class Ends:
    """A link, and the bare socket at its other end."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.sock, self.far = socket.socketpair()
        self.far.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self.came: list[tuple[int, int, bytes]] = []
        self.ended: list[str] = []
        self.pressed: list[bool] = []
        self.link = Link(
            cast("Any", self.loop),
            self.sock,
            MOST,
            lambda kind, number, data: self.came.append((kind, number, data)),
            self.ended.append,
            self.pressed.append,
        )

    def arrive(self, data: bytes) -> None:
        self.far.sendall(data)
        self.loop.turn()

    def drain(self) -> int:
        """How much the link has written."""
        count = 0
        while True:
            try:
                count += len(self.far.recv(1 << 20))
            except BlockingIOError:
                return count

    def close(self) -> None:
        self.sock.close()
        self.far.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def frame(kind: int, number: int, data: bytes = b"") -> bytes:
    return HEAD.pack(len(data), kind, number) + data


FRAMES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.binary(max_size=12)), max_size=6)


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


def test_an_empty_frame_is_taken_at_once(ends: Ends) -> None:
    ends.arrive(frame(4, 1))
    assert ends.came == [(4, 1, b"")]


def test_a_frame_may_be_as_long_as_it_may_be_and_not_longer(ends: Ends) -> None:
    ends.arrive(frame(1, 1, b"x" * MOST))
    assert ends.came == [(1, 1, b"x" * MOST)]
    ends.arrive(frame(1, 2, b"x" * (MOST + 1)))
    assert ends.ended == [f"it sent a frame of {MOST + 1} bytes"]
    assert not ends.link.is_open
    assert (ends.loop.readers, ends.loop.writers) == ({}, {})


def test_it_ends_once_when_the_other_side_lets_go(ends: Ends) -> None:
    ends.far.close()
    ends.loop.turn()
    ends.loop.turn()
    assert ends.ended == ["it closed its channel"]
    ends.link.send(b"x")  # into the void


def test_what_has_arrived_is_taken_before_it_is_closed(ends: Ends) -> None:
    ends.link.pause()
    ends.arrive(1000 * frame(1, 1, b"x" * MOST))
    assert ends.came == []
    ends.link.close()
    assert len(ends.came) == 1000
    assert not ends.link.is_open
    assert ends.sock.fileno() == -1
    assert ends.ended == [], "who closes it knows"


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
    assert ends.far.recv(9) == b"hello"
    assert ends.loop.writers == {}

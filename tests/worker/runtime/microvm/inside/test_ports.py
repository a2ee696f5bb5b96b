"""Ports that are called again when the machine was restored, here with sockets of this machine in their place."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from attacca.guest import channel as wire
from attacca.worker.runtime.microvm.inside import words
from attacca.worker.runtime.microvm.inside.ports import Control, SerialPorts, VsockPorts

Call = Callable[[str], socket.socket]


class Listeners:
    """By their numbers; who calls is taken in turn."""

    def __init__(self) -> None:
        self.calls: dict[int, list[socket.socket]] = {}
        self.ends: list[socket.socket] = []
        self.closed: list[int] = []

    def __repr__(self) -> str:
        return f"<Listeners {len(self.calls)}>"

    def listen(self, number: int) -> "InMemory":
        self.calls[number] = []
        return InMemory(self, number)

    def call(self, name: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.ends += [ours, theirs]
        self.calls[words.PORTS[name]].append(theirs)
        return ours


class InMemory:
    def __init__(self, of: Listeners, number: int) -> None:
        self._of, self._number = of, number

    def accept(self) -> tuple[socket.socket, object]:
        return self._of.calls[self._number].pop(0), None

    def close(self) -> None:
        self._of.closed.append(self._number)


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    made = Listeners()
    yield made
    for one in made.ends:
        one.close()


@pytest.fixture
def ports(listeners: Listeners) -> VsockPorts:
    return VsockPorts(listeners.listen)


@pytest.fixture
def call(listeners: Listeners) -> Call:
    return listeners.call


def frame(kind: int, payload: bytes = b"") -> bytes:
    return wire.HEAD.pack(len(payload), kind, 0) + payload


def test_whoever_calls_is_heard_and_when_that_is_over_whoever_calls_again(ports: VsockPorts, call: Call) -> None:
    first = call(words.CONTROL)
    control = Control(ports)
    assert repr(control).startswith("<Control <Channel ")
    control.write(wire.HALL)
    assert first.recv(100) == frame(wire.HALL)
    first.sendall(frame(wire.ORDER, b"one")[:5])  # and the rest never comes
    first.close()
    second = call(words.CONTROL)
    second.sendall(frame(wire.GO, b"two"))
    reader = control.reader
    assert control.read() == b"two"
    assert control.reader == reader
    control.write(wire.HALL)
    assert second.recv(100) == frame(wire.HALL)
    control.close()


def test_what_is_renewed_keeps_its_number(ports: VsockPorts, call: Call) -> None:
    old, new = call(words.AGENT), None
    opened = ports.open(words.AGENT)
    other = os.dup(opened)
    old.close()
    new = call(words.AGENT)
    ports.renew(words.AGENT, opened, other)
    new.sendall(b"x")
    assert os.read(opened, 9) == b"x"
    assert os.write(other, b"y") == 1
    assert new.recv(9) == b"y"
    os.close(opened)
    os.close(other)


def test_none_can_be_called_once_they_are_closed(ports: VsockPorts, listeners: Listeners) -> None:
    assert repr(ports) == "<VsockPorts 3 listen>"
    ports.close()
    assert repr(ports) == "<VsockPorts 0 listen>"
    assert sorted(listeners.closed) == sorted(words.PORTS.values())


def test_ports_of_a_serial_line_are_the_same_for_ever() -> None:
    ports = SerialPorts()
    ports.renew(words.AGENT, 99)
    ports.close()
    assert repr(ports) == "<SerialPorts>"
    assert not ports.are_called_again

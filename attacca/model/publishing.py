"""Ports of a worker's machine that lead to a container's: the entries of `publish`."""

import re
from typing import Annotated, NamedTuple, Protocol

import msgspec

MOST = 16  # entries of one function
LEAST = 1024  # ports below are the machine's own
SHAPE = "PORT_OF_THE_MACHINE:PORT, such as 5432:5432 or 5353:53/udp"
Publish = Annotated[tuple[str, ...], msgspec.Meta(description=f"{SHAPE}, each")]
_ENTRY = re.compile(r"^([0-9]{1,5}):([0-9]{1,5})(?:/(tcp|udp))?(?!\n)$")


class Published(NamedTuple):
    at: int  # of the machine
    port: int  # of the container
    is_udp: bool = False  # TCP it is otherwise


def parse(entry: str) -> Published:
    """
    Raises:
        ValueError: what is wrong with it.
    """
    found = _ENTRY.match(entry)
    if found is None:
        raise ValueError(f"publish: {entry[:40]!r} is no {SHAPE}")
    one = Published(int(found[1]), int(found[2]), found[3] == "udp")
    if not LEAST <= one.at <= 65_535:
        raise ValueError(f"publish: {one.at} is not a port from {LEAST} to 65535 of the machine")
    if not 1 <= one.port <= 65_535:
        raise ValueError(f"publish: {one.port} is not a port")
    return one


class Publishing(Protocol):
    """A function's settings."""

    @property
    def publish(self) -> tuple[str, ...]: ...
    @property
    def runtime(self) -> str: ...


def expect(asked: Publishing) -> None:
    """
    Raises:
        ValueError: what is wrong with them.
    """
    entries = asked.publish
    if entries and asked.runtime not in ("auto", "container"):
        raise ValueError(f'publish is of containers; leave it out, or runtime = "{asked.runtime}"')
    if len(entries) > MOST:
        raise ValueError(f"publish has {len(entries)} entries, and may have {MOST}")
    ports = [(one.at, one.is_udp) for one in map(parse, entries)]
    for port in ports:
        if ports.count(port) > 1:
            raise ValueError(f"publish: port {port[0]} of the machine is there twice")

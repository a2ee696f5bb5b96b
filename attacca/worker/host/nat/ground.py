"""What ways out take of the kernel: links, rules, and a look into the networks of sandboxes. Blocking, and standard
library only, because a bare interpreter does the same for an ordinary user (`gate`)."""

import contextlib
import os
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol

from attacca.worker.host import netlink, tap
from attacca.worker.host.nat import refusals
from attacca.worker.host.netlink import Netlink
from attacca.worker.host.network import enter, home
from attacca.worker.host.nftables import Nftables

INNER = "eth0"
OUTER_MAC, INNER_MAC = b"\x02\x61\x74\x63\x63\x01", b"\x02\x61\x74\x63\x63\x02"  # on a cable there are no others
GATEWAY = "169.254.1.1"  # nobody's: it only says that everything goes by the cable
NO_IPV6 = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")  # of links that are still to come
QUEUED = 16  # connections that wait for a resolver

Bucket = tuple[int, int, int]  # bytes per second, those that may go at once, and those that may wait


class Works(Protocol):
    """Here, or beyond a gate.

    All of it raises `Refused` where nftables does not do what it is told, and OSError where the kernel does not.
    """

    def tell(self, commands: Sequence[dict[str, Any]]) -> None: ...

    def wire(
        self, link: str, address: str, door: tuple[str, int], namespace: int, *, is_guests: bool
    ) -> tuple[int, list[socket.socket]]:
        """A cable into the network namespace of this descriptor, whose the address is, or its guest's: of a virtual
        machine at the tap within. Its index, and what listens at `door` within: for datagrams, and for connections."""

    def bound(self, index: int, bucket: Bucket, namespace: int) -> None:
        """Both ends of the cable with this index."""

    def listen(self, group: int) -> socket.socket:
        """To what is refused."""

    def take_away(self, links: str) -> None:
        """Cables whose names begin so."""

    def close(self) -> None: ...


class Ground:
    """In the network namespace in which it was made.

    Raises:
        IsolationMissing: nftables is not here.
        OSError: the kernel refuses something.
    """

    def __init__(self) -> None:
        with contextlib.ExitStack() as undo:
            self._home = home()
            undo.callback(os.close, self._home)
            self.nftables = Nftables()
            undo.callback(self.nftables.close)
            self.netlink = Netlink()
            undo.callback(self.netlink.close)
            self._undo = undo.pop_all()

    def __repr__(self) -> str:
        return f"<Ground {self.netlink}, {self.nftables}>"

    def close(self) -> None:
        self._undo.close()

    def tell(self, commands: Sequence[dict[str, Any]]) -> None:
        self.nftables.tell(commands)

    def wire(
        self, link: str, address: str, door: tuple[str, int], namespace: int, *, is_guests: bool
    ) -> tuple[int, list[socket.socket]]:
        with enter(namespace, self._home), contextlib.suppress(FileNotFoundError):  # this kernel has none
            NO_IPV6.write_text("1")
        one, gateway = IPv4Address(address), IPv4Address(GATEWAY)
        self.netlink.ask(netlink.cable(link, INNER, OUTER_MAC, INNER_MAC, namespace))
        index = netlink.index_of(link)
        self.netlink.ask(netlink.route(index, one), netlink.neighbour(index, one, INNER_MAC))
        with enter(namespace, self._home), Netlink() as within:
            inner = netlink.index_of(INNER)
            within.ask(
                netlink.raised(inner),
                *(tap.led_to(one) if is_guests else [netlink.address(inner, one)]),
                netlink.route(inner, None, gateway),
                netlink.neighbour(inner, gateway, OUTER_MAC),
            )
            doors = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
            for one_door in doors:
                one_door.bind(door)
                one_door.settimeout(0)
            doors[1].listen(QUEUED)
        return index, doors

    def bound(self, index: int, bucket: Bucket, namespace: int) -> None:
        self.netlink.ask(netlink.bound(index, *bucket))
        with enter(namespace, self._home), Netlink() as within:  # where the sandbox has no right to change it
            within.ask(netlink.bound(netlink.index_of(INNER), *bucket))

    def listen(self, group: int) -> socket.socket:
        return refusals.listening(group)

    def take_away(self, links: str) -> None:
        for link in netlink.links():
            if link.startswith(links):
                self.netlink.remove(link)

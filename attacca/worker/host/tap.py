"""The card of a virtual machine: a tap in a network namespace that passes its packets on, and is nobody else's.

    guest, its address ── tap0, HERE ── the namespace ── eth0 ── the cable out

Nobody asks for an address there: who is at the other end is written down on both. Standard library only, as guests have
it too.
"""

import fcntl
import os
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path

from attacca.worker.host import netlink
from attacca.worker.host.netlink import Netlink

NAME = "tap0"
HERE = "169.254.1.2"  # of the namespace, to its guest
MAC, GUEST_MAC = b"\x02\x61\x74\x63\x63\x03", b"\x02\x61\x74\x63\x63\x04"  # on a tap there are no others
DEVICE = Path("/dev/net/tun")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
NO_IPV6 = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")  # of links that are still to come
TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, SIOCSIFHWADDR = 0x400454CA, 0x400454CB, 0x400454CC, 0x8924
ANY = IPv4Address("255.255.255.255")  # in the place of one that is not known yet
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, ETHERNET = 0x0002, 0x1000, 0x4000, 1


def make() -> None:
    """In the network namespace that we are in, which it lasts as long as.

    Raises:
        OSError: the kernel makes none.
    """
    if NO_IPV6.exists():
        NO_IPV6.write_text("1")
    descriptor = opened()
    try:
        fcntl.ioctl(descriptor, SIOCSIFHWADDR, struct.pack("16sH6s8x", NAME.encode(), ETHERNET, MAC))
        fcntl.ioctl(descriptor, TUNSETPERSIST, 1)
    finally:
        os.close(descriptor)
    FORWARDING.write_text("1")
    index = netlink.index_of(NAME)
    with Netlink() as kernel:
        kernel.ask(netlink.raised(index), netlink.address(index, IPv4Address(HERE)))


def opened(owner: int | None = None) -> int:
    """A descriptor of the one in the network namespace that we are in, through which frames come and go; from now on
    `owner` may open it too.

    Raises:
        OSError: there is none, or somebody has it open.
    """
    descriptor = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        if owner is not None:
            fcntl.ioctl(descriptor, TUNSETOWNER, owner)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def led_to(one: IPv4Address) -> list[bytes]:
    """What its namespace asks of the kernel, for the guest to have this address."""
    index = netlink.index_of(NAME)
    return [netlink.route(index, one), netlink.neighbour(index, one, GUEST_MAC)]


class GuestCard:
    """Within a guest: the link, as its kernel calls it. What takes its time is done before the guest is saved: who is
    restored from there fills an address in, and sends."""

    def __init__(self, link: str) -> None:
        self._link, self._address = link, ""
        self._index = 0
        self._kernel: Netlink
        self._next: list[bytes] = []  # what is asked for the next address, where that is left out

    def __repr__(self) -> str:
        return f"<GuestCard {self._link} {self._address or 'without an address'}>"

    def become(self, address: str) -> None:
        """From now on it has this address, and no other. What was sent from another is lost.

        Raises:
            OSError: the kernel refuses it.
        """
        if address == self._address:
            return
        if self._address:
            self._kernel.ask_together(socket.inet_aton(address).join(self._next or self._prepared()), 2)
            self._address, self._next = address, []
        else:
            self._begin(IPv4Address(address))
            self._address = address
            self._next = self._prepared()

    def close(self) -> None:
        """In another process; or it becomes nothing any more."""
        if self._address:
            self._kernel.close()

    def _begin(self, one: IPv4Address) -> None:
        index, here = netlink.index_of(self._link), IPv4Address(HERE)
        self._index, self._kernel = index, Netlink()
        self._kernel.ask(
            netlink.raised(index),
            netlink.address(index, one),
            netlink.route(index, here),
            netlink.route(index, None, here),
            netlink.neighbour(index, here, MAC),
        )

    def _prepared(self) -> list[bytes]:
        """In this order its routes stay."""
        gone = netlink.address_gone(self._index, IPv4Address(self._address))
        return netlink.numbered([netlink.address(self._index, ANY), gone]).split(ANY.packed)

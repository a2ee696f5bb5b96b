"""What a function may reach outside: the entries of `allow`."""

import ipaddress
import re
from typing import Literal

import msgspec

MOST = 64  # entries of one function
LONGEST = 300  # characters of one
SHAPE = "HOST:PORT, where HOST is a name, *.NAME, an IPv4 address or a network, and PORT a port or FIRST-LAST"
EXAMPLES = "api.example.com:443, *.example.com:443, 10.0.0.0/8:5432, 192.0.2.7:8000-8010, 192.0.2.1:53/udp"
_ENTRY = re.compile(r"^([A-Za-z0-9.*_/-]+):([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp))?(?!\n)$")
_LABEL = re.compile(r"^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(?!\n)$")
_NUMERIC = re.compile(r"^[0-9./]+(?!\n)$")

Net = ipaddress.IPv4Network
# Whose own they are is decided where the packet is sent: no list opens these.
NEVER = tuple(map(Net, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")))
# Of somebody's own network: reached only where a network within them is allowed.
PRIVATE = tuple(
    map(Net, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15"))
)


class Reach(msgspec.Struct, frozen=True):
    """One entry: ports `first` to `last` of whoever has that name, or an address in that network."""

    name: str  # lower-case; "*." before it stands for one label or more; empty: a network
    network: str
    first: int
    last: int
    protocol: Literal["tcp", "udp"] = "tcp"

    @property
    def is_private(self) -> bool:
        """Does it name a part of a private network?"""
        return bool(self.network) and any(Net(self.network).subnet_of(one) for one in PRIVATE)

    def means(self, name: str) -> bool:
        """`name` is lower-case, without a dot at its end."""
        if self.name.startswith("*."):
            return name.endswith(self.name[1:]) and len(name) >= len(self.name)
        return bool(self.name) and name == self.name


def parse(entry: str) -> Reach:
    """
    Raises:
        ValueError: what is wrong with it.
    """
    shown = entry[:80]
    if "[" in entry or entry.count(":") > 1:
        raise ValueError(f"allow: {shown!r} is IPv6, which sandboxes do not have; write a name or an IPv4 address")
    found = _ENTRY.match(entry) if len(entry) <= LONGEST else None
    if found is None:
        raise ValueError(f"allow: {shown!r} is not {SHAPE}: {EXAMPLES}")
    host, first = found[1].lower(), int(found[2])
    last = int(found[3]) if found[3] else first
    if not 1 <= first <= last <= 65_535:
        raise ValueError(f"allow: the port of {shown!r} is not in 1-65535, or ends before it begins")
    protocol: Literal["tcp", "udp"] = "udp" if found[4] == "udp" else "tcp"
    if _NUMERIC.match(host):
        return Reach("", _network(host, shown), first, last, protocol)
    _expect_name(host, shown)
    return Reach(host, "", first, last, protocol)


def _network(host: str, shown: str) -> str:
    try:
        network = Net(host)
    except ValueError as error:
        raise ValueError(f"allow: {shown!r}: {error}") from None
    if any(network.subnet_of(one) for one in NEVER):
        raise ValueError(f"allow: {shown!r} is of this machine, its link or many at once, which no sandbox reaches")
    return str(network)


def _expect_name(host: str, shown: str) -> None:
    labels = host.removeprefix("*.").split(".")
    if len(host) > 253 or not all(map(_LABEL.match, labels)) or labels[-1].isdigit():
        raise ValueError(f"allow: {shown!r} names no host: {SHAPE}; other letters than a-z as xn--")
    if host.startswith("*.") and len(labels) < 2:
        raise ValueError(f"allow: {shown!r} is everybody below {labels[0]}; name a domain, or leave allow out")


def expect(entries: tuple[str, ...]) -> None:
    """
    Raises:
        ValueError: what is wrong with them.
    """
    if len(entries) > MOST:
        raise ValueError(f"allow has {len(entries)} entries, and may have {MOST}; name networks")
    for entry in entries:
        parse(entry)


def expect_way_out(entries: tuple[str, ...], *, is_nat: bool) -> None:
    """Of a function that says something of its way out.

    Raises:
        ValueError: it has none, or what is wrong with its entries.
    """
    if not is_nat:
        which = "allow" if entries else "bandwidth_mbps"
        raise ValueError(f'{which} is about the way out of a sandbox, and so needs network = "nat"')
    expect(entries)


def why(target: str, *, has_list: bool) -> str:
    """What was refused, ADDRESS:PORT or something else, and why."""
    try:
        address = ipaddress.IPv4Address(re.split("[: ]", target, maxsplit=1)[0])
    except ValueError:
        return "it is not in `allow`"
    if any(address in one for one in NEVER):
        return "no sandbox reaches what is of a machine or its link"
    if any(address in one for one in PRIVATE):
        return "it is private, and so has to be named in `allow` by its address or network"
    return "it is not in `allow`" if has_list else "it is this machine's, or there are too many connections"


def reaches(entries: tuple[str, ...]) -> tuple[Reach, ...]:
    """Of settings, which have been checked."""
    return tuple(parse(entry) for entry in entries)

"""What can be set about the way out of sandboxes, read once and checked whole."""

import ipaddress
from typing import Annotated

import msgspec

BLOCK = 20  # bits of a worker's part of the addresses: 4094 sandboxes


class NatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of functions with `network = "nat"`."""

    addresses: str = "198.18.0.0/15"  # theirs on this machine, seen by nobody outside; each worker takes a /20 of them
    resolvers: tuple[str, ...] = ()  # ADDRESS or ADDRESS:PORT of who resolves names; empty: as /etc/resolv.conf says
    ahead: Annotated[int, msgspec.Meta(ge=0, le=1000)] = (
        2  # networks of containers and of micro-VMs, made ahead of need
    )

    def __post_init__(self) -> None:
        self.blocks()
        for one in self.resolvers:
            resolver(one)

    def blocks(self) -> list[ipaddress.IPv4Network]:
        """
        Raises:
            ValueError: `addresses` is no network that has one.
        """
        try:
            whole = ipaddress.IPv4Network(self.addresses)
        except ValueError as error:
            raise ValueError(f"nat.addresses: {error}") from None
        if not 8 <= whole.prefixlen <= BLOCK:
            raise ValueError(f"nat.addresses is a network from /8 to /{BLOCK}, not {self.addresses}")
        return list(whole.subnets(new_prefix=max(BLOCK, whole.prefixlen)))[:64]


def resolver(text: str) -> tuple[str, int]:
    """Its address and its port.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text.strip("[]"), "", "53")
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"nat.resolvers: {text[:80]!r} is not ADDRESS or ADDRESS:PORT")
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ValueError(f"nat.resolvers: {text[:80]!r} is not ADDRESS or ADDRESS:PORT") from None

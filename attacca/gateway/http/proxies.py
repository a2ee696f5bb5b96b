"""Who a request really comes from: the peer, or, where that is a proxy named in the settings, whom it speaks for.

Proxies append to X-Forwarded-For, so that it is read from its end: as long as what is found there is itself a named
proxy, the next is believed. What a client has written into it stands before that, and is never reached.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Fields = Sequence[tuple[bytes, bytes]]

SCHEMES = ("http", "https")
HOPS_MOST = 32
KEPT = 1024  # peers remembered
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]{1,255})(:[0-9]{1,5})?")


class Origin(NamedTuple):
    client: str
    port: int
    scheme: str
    host: bytes  # empty: as the request has it


class Proxies:
    def __init__(self, named: Sequence[str]) -> None:
        """
        Raises:
            ValueError: one is no address, and no range of them.
        """
        self._networks: list[Network] = [ipaddress.ip_network(one, strict=False) for one in named]
        self._known: dict[str, bool] = {}  # by address of a peer: is it named?

    def __repr__(self) -> str:
        return f"<Proxies {len(self._networks)} named, {len(self._known)} peers known>"

    def origin(self, peer: tuple[str, int] | None, fields: Fields) -> Origin:
        if peer is None:
            return Origin("", 0, "http", b"")
        name, port = peer
        if not self.knows(name):
            return Origin(name, port, "http", b"")
        found: dict[bytes, bytes] = {}
        for field, value in fields:
            if field.startswith(b"x-forwarded-"):
                found[field] = found[field] + b"," + value if field in found else value
        return self._told(name, port, found) if found else Origin(name, port, "http", b"")

    def knows(self, name: str) -> bool:
        """Is the peer with this address named?"""
        is_named = self._known.get(name)
        if is_named is None:
            address = parse(name)
            is_named = address is not None and self._is_named(address)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[name] = is_named
        return is_named

    def _is_named(self, address: Address) -> bool:
        return any(address in one for one in self._networks if one.version == address.version)

    def _told(self, name: str, port: int, found: dict[bytes, bytes]) -> Origin:
        client, hops = name, 0
        for text in reversed(_listed(found.get(b"x-forwarded-for", b""))):
            address = parse(text)
            if address is None or hops == HOPS_MOST:
                break
            client, port, hops = str(address), 0, hops + 1
            if not self._is_named(address):
                break
        scheme = _of_hop(_listed(found.get(b"x-forwarded-proto", b"")), hops).lower()
        host = _of_hop(_listed(found.get(b"x-forwarded-host", b"")), hops).encode("latin-1")
        return Origin(client, port, scheme if scheme in SCHEMES else "http", host if HOST.fullmatch(host) else b"")


def parse(text: str) -> Address | None:
    """An address as proxies write it, with a port or without; an IPv4 address that is mapped into IPv6 is that."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _listed(raw: bytes) -> list[str]:
    return [part.strip() for part in raw.decode("latin-1").split(",") if part.strip()]


def _of_hop(values: list[str], hops: int) -> str:
    """What the outermost proxy that is believed has said: each adds one, or only the outermost does."""
    if not values:
        return ""
    return values[-max(hops, 1)] if len(values) >= max(hops, 1) else values[0]

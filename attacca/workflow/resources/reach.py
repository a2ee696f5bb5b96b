"""Which hosts resources may speak to. They do so from the worker itself, outside of every sandbox: where nothing is
said, its own machine and its link are not for them, and the rest of the network is."""

import ipaddress
from collections.abc import Iterable

import msgspec

from attacca.errors import Forbidden

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(msgspec.Struct, frozen=True):
    """`hosts`: names, addresses or networks that may be reached as well, or `*`; with `is_only` these and no others."""

    hosts: tuple[str, ...] = ()
    is_only: bool = False

    def expect(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Those of a host's addresses that may be spoken to.

        Raises:
            Forbidden: none of them.
        """
        host = host.lower().rstrip(".")
        if "*" in self.hosts or host in self.hosts:
            return list(addresses)
        found = [one for one in addresses if self._is_open(ipaddress.ip_address(one.partition("%")[0]))]
        if not found:
            hint = f"whoever runs the node can allow it: --set 'resources.hosts=[\"{host}\"]'"
            raise Forbidden(f"resources of this node may not speak to {host!r}", hint)
        return found

    def _is_open(self, address: Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if any(address in network for network in map(_network, self.hosts) if network is not None):
            return True
        is_near = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        return not (self.is_only or is_near)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None  # the name of a host


FAR = Reach()

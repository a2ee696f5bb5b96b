"""HAProxy's servers of one backend, kept as the gateways that there are, through its socket.

The backend has slots (`server-template`): a gateway is given one, and takes it down with it when it goes.
"""

import asyncio
import ipaddress
import logging
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

LOG = logging.getLogger("attacca.haproxy")
EVERY_S = 0.5
ANSWER_S = 2.0
MAINTENANCE = 0x01  # of srv_admin_state: by an order of ours (HAProxy's management guide, 9.3)

Address = tuple[str, int]


class Slot(NamedTuple):
    """A server of the backend."""

    name: str
    address: Address
    is_up: bool  # it may be sent to


def slots(state: str) -> list[Slot]:
    """What `show servers state BACKEND` says."""
    lines = [line.split() for line in state.splitlines() if line.strip()]
    head = next((words[1:] for words in lines if words[0] == "#"), [])
    found = []
    for words in lines:
        if not head or words[0] == "#" or len(words) < len(head):
            continue
        row = dict(zip(head, words, strict=False))
        is_up = not int(row["srv_admin_state"]) & MAINTENANCE
        found.append(Slot(row["srv_name"], (row["srv_addr"], int(row["srv_port"])), is_up))
    return found


def orders(backend: str, there: Iterable[Slot], wanted: Iterable[Address]) -> list[str]:
    """What makes of the slots that are there those that are wanted. What is in its place stays there, and goes on.

    Who is new is given nothing before it has been asked whether it is ready: HAProxy would take that for granted.
    """
    missing, free, out = dict.fromkeys(wanted), [], []
    for slot in there:
        name = f"{backend}/{slot.name}"
        if slot.address in missing:
            del missing[slot.address]
            out += [] if slot.is_up else [_begin(name)]
        else:
            free.append(name)
            out += [f"set server {name} state maint"] if slot.is_up else []
    for (host, port), name in zip(missing, free, strict=False):
        out += [f"set server {name} addr {host} port {port}", _begin(name)]
    return out


def _begin(name: str) -> str:
    return f"set server {name} state ready; set server {name} health down"


def addresses(urls: Iterable[str]) -> list[Address]:
    """HAProxy is told no names. Sorted, so that the same gateways are the same whoever joined first."""
    found = []
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        try:
            found.append((str(ipaddress.ip_address(parts.hostname or "")), parts.port or 80))
        except ValueError:
            continue
    return sorted(found)


class Balancer:
    """`gateways`: names and URLs of those that there are now, or None while nobody here knows."""

    def __init__(self, path: Path, backend: str, gateways: Callable[[], Mapping[str, str] | None]) -> None:
        self._path, self._backend, self._gateways = path, backend, gateways
        self.ordered = 0
        self._has_failed = False

    def __repr__(self) -> str:
        return f"<Balancer {self._backend} at {self._path}: {self.ordered} orders>"

    async def keep(self) -> None:
        """Until it is cancelled. A HAProxy that was started anew is told all of it."""
        while True:
            try:
                await self.renew()
                self._has_failed = False
            except (OSError, TimeoutError, ValueError, KeyError) as error:
                if not self._has_failed:
                    LOG.warning("HAProxy at %s does not answer: %s", self._path, error)
                self._has_failed = True
            await asyncio.sleep(EVERY_S)

    async def renew(self) -> None:
        """
        Raises:
            OSError, TimeoutError: it is not there.
            ValueError, KeyError: what it says is not understood.
        """
        gateways = self._gateways()
        if gateways is None:
            return
        there = slots(await self._ask(f"show servers state {self._backend}"))
        for order in orders(self._backend, there, addresses(gateways.values())):
            self.ordered += 1
            said = (await self._ask(order)).strip()
            if said and not said.startswith(("IP changed", "no need", "port changed")):
                LOG.warning("HAProxy on %r: %s", order, said[:200])

    async def _ask(self, order: str) -> str:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(self._path))
            try:
                writer.write(order.encode() + b"\n")
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()

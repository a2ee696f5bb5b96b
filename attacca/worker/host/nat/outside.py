"""The way out of this machine for the sandboxes of one worker. Nothing of it is there before the first wants it."""

import asyncio
import contextlib
import ipaddress
import itertools
import logging
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from attacca.errors import IsolationMissing
from attacca.model.egress import Reach, reaches, why
from attacca.model.function import Settings
from attacca.worker.host import netlink
from attacca.worker.host.nat import claims, names, refusals, rules
from attacca.worker.host.nat.options import NatOptions, resolver
from attacca.worker.host.nat.resolver import HERE, Resolver
from attacca.worker.host.netlink import Netlink
from attacca.worker.host.network import enter, home
from attacca.worker.host.nftables import Nftables, Refused, library

LOG = logging.getLogger("attacca.worker")
INNER = "eth0"
OUTER_MAC, INNER_MAC = b"\x02\x61\x74\x63\x63\x01", b"\x02\x61\x74\x63\x63\x02"  # on a cable there are no others
GATEWAY = ipaddress.IPv4Address("169.254.1.1")  # nobody's: it only says that everything goes by the cable
NO_IPV6 = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")  # of links that are still to come
RESOLV_CONF = Path("/etc/resolv.conf")
BURST_S, BURST_LEAST, QUEUE_S, QUEUE_LEAST = 0.02, 16_384, 0.1, 65_536  # of a cable's bandwidth
TOLD_MOST = 20  # different refusals that a sandbox's log has
T = TypeVar("T")


class Cable:
    """A sandbox's cable. `tell` hears what it was refused, in words for whoever reads its log."""

    def __init__(self, number: int, link: str, address: ipaddress.IPv4Address) -> None:
        self.number, self.link, self.address = number, link, address
        self.index, self.namespace = 0, -1
        self.doors: tuple[socket.socket, ...] = ()  # where its resolver will listen
        self.resolver: Resolver | None = None
        self.chain = ""
        self.allow: tuple[Reach, ...] = ()
        self.tell: Callable[[str], None] = lambda _: None
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<Cable {self.link} {self.address}, {self.chain or 'leads nowhere'}>"

    def let_go(self) -> None:
        """Of the sandbox's network, which would not go as long as it is held."""
        if self.namespace >= 0:
            os.close(self.namespace)
            self.namespace = -1

    def refused(self, target: str) -> None:
        if target in self._told or len(self._told) > TOLD_MOST:
            return
        self._told.add(target)
        if len(self._told) > TOLD_MOST:
            self.tell("more was refused, and is not told\n")
        else:
            self.tell(f"{target} was refused: {why(target, has_list=bool(self.allow))}\n")


class Nat:
    """For all runtimes of a worker: each holds it while it is open. What takes the kernel's time is done in a thread of
    its own."""

    def __init__(self, options: NatOptions) -> None:
        self.options = options
        self._thread: ThreadPoolExecutor | None = None
        self._opening: asyncio.Task[None] | None = None
        self._holders = 0
        self._lines: dict[int, Cable] = {}  # by number
        self._by_index: dict[int, Cable] = {}
        self._lists: dict[str, int] = {}  # by chain: how many cables it holds for
        self._numbers = itertools.count()
        self._servers: list[tuple[str, int]] = []
        self._heard: socket.socket | None = None
        self._claim: claims.Claim | None = None
        self._rules: rules.Rules
        self._nftables: Nftables
        self._netlink: Netlink
        self._home = -1

    def __repr__(self) -> str:
        where = "not open" if self._claim is None else f"block {self._claim.block}"
        return f"<Nat {where}, {len(self._lines)} lines, {len(self._lists)} lists, {self._holders} holders>"

    def hold(self) -> None:
        self._holders += 1

    async def release(self) -> None:
        """The last one takes everything away."""
        self._holders -= 1
        if self._holders > 0 or self._thread is None:
            return
        if self._opening is not None:
            await asyncio.wait([self._opening])
        for line in list(self._lines.values()):
            self.unplug(line)
        if self._heard is not None:
            asyncio.get_running_loop().remove_reader(self._heard)
            self._heard.close()
            self._heard = None
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(thread, self._close)
        await asyncio.to_thread(thread.shutdown)
        self._opening = None

    async def plug(self, namespace: int, settings: Settings, tell: Callable[[str], None]) -> Cable:
        """Lay a cable into the network namespace of this descriptor, which is the caller's, and lead it where the
        settings say.

        Raises:
            IsolationMissing: there is no way out.
            OSError: the kernel refuses something.
        """
        line = await self.wire(namespace)
        try:
            await self.lead(line, settings, tell)
        except BaseException:
            self.unplug(line)
            raise
        return line

    async def wire(self, namespace: int) -> Cable:
        """A cable that leads nowhere yet. Raises as `plug` does."""
        if self._opening is None or (self._opening.done() and self._claim is None):
            self._thread = self._thread or ThreadPoolExecutor(1, "nat")
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.shield(self._opening)
        line = self._next()
        try:
            await self._do(self._wire, line, os.dup(namespace))
        except BaseException:
            self.unplug(line)
            raise
        self._by_index[line.index] = line
        return line

    async def lead(self, line: Cable, settings: Settings, tell: Callable[[str], None]) -> None:
        """From now on these settings hold for it. Raises as `plug` does."""
        line.tell, line.allow = tell, reaches(settings.allow)
        chain = rules.list_of(line.allow) if line.allow else rules.OPEN
        doors, line.doors = line.doors, ()
        line.resolver = Resolver(
            line.allow, self._servers,
            lambda places, found: self._do(self._tell, self._rules.resolved(chain, places, found)),
            lambda name: line.refused(f"the name {name}"),
        )  # fmt: skip
        await line.resolver.open(*doors)
        if line.number not in self._lines:
            line.resolver.close()
            raise OSError("its sandbox is gone")
        line.chain = chain
        self._lists[chain] = count = self._lists.get(chain, 0) + 1
        told = self._rules.listed(line.allow) if line.allow and count == 1 else []
        told += self._rules.led(line.link, chain)
        await self._do(self._lead, line, settings.bandwidth_mbps, told)

    def unplug(self, line: Cable) -> None:
        """It leads nowhere any more; it goes itself with its sandbox's network."""
        if self._lines.pop(line.number, None) is None or self._thread is None:
            return
        self._by_index.pop(line.index, None)
        if line.resolver is not None:
            line.resolver.close()
        told = self._rules.unled(line.link, line.chain) if line.chain else []
        if line.chain:
            self._lists[line.chain] -= 1
            if not self._lists[line.chain]:
                del self._lists[line.chain]
                told += self._rules.unlisted(line.allow) if line.allow else []
        self._thread.submit(self._unplug, line, told)

    async def _do(self, work: Callable[..., T], *given: object) -> T:
        assert self._thread is not None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
        except Refused as error:
            raise OSError(f"nftables: {error}") from None

    def _next(self) -> Cable:
        """
        Raises:
            OSError: all addresses are taken.
        """
        network = self._rules.network
        for _ in range(network.num_addresses - 2):
            number = next(self._numbers) % (network.num_addresses - 2) + 1
            if number not in self._lines:
                line = Cable(number, f"{rules.links_of(self._rules.block)}{number:x}", network[number])
                self._lines[number] = line
                return line
        raise OSError(f"{len(self._lines)} sandboxes have all addresses of {network}")

    # in the thread

    async def _open(self) -> None:
        if (why := lacking()) is not None:
            raise why
        try:
            await self._do(self._begin)
        except OSError as error:
            raise IsolationMissing(f"there is no way out for sandboxes: {error}", "attacca doctor") from None
        assert self._claim is not None
        with contextlib.suppress(OSError):  # then they are counted, and not told
            self._heard = refusals.listening(rules.LOG_GROUP + self._claim.block)
            asyncio.get_running_loop().add_reader(self._heard, self._hear)

    def _hear(self) -> None:
        assert self._heard is not None
        for one in refusals.heard(self._heard):
            if (line := self._by_index.get(one.link)) is not None:
                line.refused(one.target)

    def _begin(self) -> None:
        told = self.options.resolvers or names.of_resolv_conf(RESOLV_CONF.read_text() if RESOLV_CONF.exists() else "")
        self._servers = [found for one in told if (found := resolved_by(one)) is not None]
        with contextlib.ExitStack() as undo:
            self._home = home()
            undo.callback(os.close, self._home)
            self._nftables = Nftables()
            undo.callback(self._nftables.close)
            self._netlink = Netlink()
            undo.callback(self._netlink.close)
            claims.sweep(self._nftables, self._netlink)
            blocks = self.options.blocks()
            claim = claims.first_free(len(blocks))
            undo.callback(claim.close)
            self._rules = rules.Rules(claim.block, blocks[claim.block])
            self._tell(self._rules.begin())
            undo.callback(self._tell, self._rules.ended())
            claims.open_forwarding(self._nftables)
            undo.pop_all()
            self._claim = claim

    def _tell(self, commands: Sequence[rules.Command]) -> None:
        self._nftables.tell(commands)

    def _wire(self, line: Cable, namespace: int) -> None:
        """The descriptor is ours: who has given it may have let go of it by now."""
        line.namespace = namespace
        with enter(namespace, self._home), contextlib.suppress(FileNotFoundError):  # this kernel has none
            NO_IPV6.write_text("1")
        self._netlink.ask(netlink.cable(line.link, INNER, OUTER_MAC, INNER_MAC, namespace))
        line.index = netlink.index_of(line.link)
        self._netlink.ask(
            netlink.route(line.index, line.address), netlink.neighbour(line.index, line.address, INNER_MAC)
        )
        with enter(namespace, self._home), Netlink() as inner:
            index = netlink.index_of(INNER)
            inner.ask(
                netlink.raised(index),
                netlink.address(index, line.address),
                netlink.route(index, None, GATEWAY),
                netlink.neighbour(index, GATEWAY, OUTER_MAC),
            )
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            line.doors = (udp, tcp)
            for door in line.doors:
                door.bind(HERE)
                door.settimeout(0)
            tcp.listen(16)
        self._tell(self._rules.plugged(line.link, line.address))

    def _lead(self, line: Cable, bandwidth_mbps: float | None, told: list[rules.Command]) -> None:
        if bandwidth_mbps is not None:
            self._netlink.ask(netlink.bound(line.index, *bucket(bandwidth_mbps)))
            with enter(line.namespace, self._home), Netlink() as inner:  # where the sandbox has no right to change it
                inner.ask(netlink.bound(netlink.index_of(INNER), *bucket(bandwidth_mbps)))
        self._tell(told)
        line.let_go()

    def _unplug(self, line: Cable, told: list[rules.Command]) -> None:
        line.let_go()
        for door in line.doors:
            door.close()
        for commands in (told, self._rules.unplugged(line.link, line.address)):
            with contextlib.suppress(Refused):  # it was not that far yet
                self._tell(commands)

    def _close(self) -> None:
        if self._claim is None:
            return
        try:
            for line in netlink.links():
                if line.startswith(rules.links_of(self._claim.block)):
                    self._netlink.remove(line)
            self._tell(self._rules.ended())
            claims.close_forwarding(self._nftables)
        except (OSError, Refused) as error:
            LOG.warning("what led out of sandboxes is still there (attacca worker clean): %s", error)
        self._netlink.close()
        self._nftables.close()
        os.close(self._home)
        self._claim.close()
        self._claim = None


def resolved_by(text: str) -> tuple[str, int] | None:
    """None for one that only the machine itself can ask: of its link."""
    try:
        return resolver(text)
    except ValueError:
        return None


def bucket(mbps: float) -> tuple[int, int, int]:
    """Bytes per second, those that may go at once, and those that may wait."""
    rate = max(int(mbps * 125_000), 1)
    return rate, max(int(rate * BURST_S), BURST_LEAST), max(int(rate * QUEUE_S), QUEUE_LEAST)


def lacking() -> IsolationMissing | None:
    """Why a worker of this machine and of this user can give no sandbox a way out."""
    if os.geteuid() != 0:
        return IsolationMissing(
            'network = "nat" needs a server that runs as root: an ordinary user can lay no cable out of a sandbox',
            'run the server as root; or deploy with network = "host" and a token, or "none"',
        )
    try:
        library()
    except IsolationMissing as why:
        return why
    return None

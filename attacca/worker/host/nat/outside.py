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
from attacca.worker.host import tap
from attacca.worker.host.nat import claims, homes, names, refusals, rules
from attacca.worker.host.nat.gate import programs
from attacca.worker.host.nat.gate.gate import Gate, made_realm
from attacca.worker.host.nat.ground import Bucket, Works
from attacca.worker.host.nat.options import NatOptions, resolver
from attacca.worker.host.nat.resolver import HERE, Resolver
from attacca.worker.host.nftables import Refused, library

LOG = logging.getLogger("attacca.worker")
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
        self._works: Works | None = None
        self._rules: rules.Rules
        self._realm = -1
        self._changes: socket.socket | None = None

    def __repr__(self) -> str:
        where = "not open" if self._works is None else f"block {self._rules.block}"
        return f"<Nat {where}, {len(self._lines)} lines, {len(self._lists)} lists, {self._holders} holders>"

    def hold(self) -> None:
        self._holders += 1

    async def realm(self) -> int:
        """A descriptor of the user namespace below which sandboxes are to be born that may have a way out; -1: there is
        none, or it does not matter."""
        if self._realm < 0 and os.geteuid() != 0 and lacking() is None:
            with contextlib.suppress(OSError):  # whoever wants a way out will hear of it
                self._realm = await asyncio.to_thread(made_realm)
        return self._realm

    async def release(self) -> None:
        """The last one takes everything away."""
        self._holders -= 1
        if self._holders > 0:
            return
        if self._realm >= 0:
            os.close(self._realm)
            self._realm = -1
        if self._thread is None:
            return
        if self._opening is not None:
            await asyncio.wait([self._opening])
        for line in list(self._lines.values()):
            self.unplug(line)
        self._deafen()
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

    async def wire(self, namespace: int, *, is_guests: bool = False) -> Cable:
        """A cable that leads nowhere yet: the namespace's, or its guest's. Raises as `plug` does."""
        if self._opening is None or (self._opening.done() and self._works is None):
            self._thread = self._thread or ThreadPoolExecutor(1, "nat")
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.shield(self._opening)
        line = self._next()
        try:
            await self._do(self._wire, line, os.dup(namespace), is_guests)
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
        except ConnectionError:
            self._forget()
            raise OSError("what led out of sandboxes was lost; the next one has another") from None

    def _forget(self) -> None:
        """What is left of a gate that has ended."""
        self._deafen()
        works, self._works = self._works, None
        if works is not None and self._thread is not None:
            self._thread.submit(works.close)

    def _deafen(self) -> None:
        for sock in (self._heard, self._changes):
            if sock is not None:
                asyncio.get_running_loop().remove_reader(sock)
                sock.close()
        self._heard = self._changes = None

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
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # then they are counted, and not told
            self._heard = await self._do(self._open_works().listen, rules.LOG_GROUP + self._rules.block)
            loop.add_reader(self._heard, self._hear)
        if self._changes is not None:
            loop.add_reader(self._changes, self._move)

    def _hear(self) -> None:
        assert self._heard is not None
        for one in refusals.heard(self._heard):
            if (line := self._by_index.get(one.link)) is not None:
                line.refused(one.target)

    def _move(self) -> None:
        """This machine's addresses may be others."""
        assert self._changes is not None
        assert self._thread is not None
        with contextlib.suppress(OSError):  # some were too many; that is a change too
            while self._changes.recv(homes.ROOM):
                pass
        self._thread.submit(self._tell_homes)

    def _begin(self) -> None:
        told = self.options.resolvers or names.of_resolv_conf(RESOLV_CONF.read_text() if RESOLV_CONF.exists() else "")
        self._servers = [found for one in told if (found := resolved_by(one)) is not None]
        blocks = self.options.blocks()
        with contextlib.ExitStack() as undo:
            if os.geteuid() == 0:
                ground = claims.Claimed(len(blocks))
                undo.callback(ground.close)
                self._rules = rules.Rules(ground.block, blocks[ground.block])
                ground.tell(self._rules.begin())
                undo.callback(ground.tell, self._rules.ended())
                claims.open_forwarding(ground.nftables)
                self._works = ground
            else:
                program = programs.found()
                if self._realm < 0 or program is None:
                    raise OSError("no user namespace could be made")
                gate = Gate(self._realm, program)
                undo.callback(gate.close)
                self._changes = homes.changes()
                undo.callback(self._changes.close)
                self._rules = rules.Rules(0, blocks[0])
                gate.tell([*self._rules.begin(), *self._rules.beyond(homes.own())])
                self._works = gate
            undo.pop_all()

    def _open_works(self) -> Works:
        if self._works is None:
            raise OSError("the way out is closed")
        return self._works

    def _tell(self, commands: Sequence[rules.Command]) -> None:
        self._open_works().tell(commands)

    def _tell_homes(self) -> None:
        try:
            self._tell(self._rules.homes(homes.own()))
        except (OSError, Refused) as error:
            LOG.warning("the addresses of this machine are not kept from sandboxes as they are now: %s", error)

    def _wire(self, line: Cable, namespace: int, is_guests: bool) -> None:  # noqa: FBT001 - by way of a thread
        """The descriptor is ours: who has given it may have let go of it by now."""
        line.namespace, door = namespace, (tap.HERE, HERE[1]) if is_guests else HERE
        line.index, doors = self._open_works().wire(line.link, str(line.address), door, namespace, is_guests=is_guests)
        line.doors = tuple(doors)
        self._tell(self._rules.plugged(line.link, line.address))

    def _lead(self, line: Cable, bandwidth_mbps: float | None, told: list[rules.Command]) -> None:
        if bandwidth_mbps is not None:
            self._open_works().bound(line.index, bucket(bandwidth_mbps), line.namespace)
        self._tell(told)
        line.let_go()

    def _unplug(self, line: Cable, told: list[rules.Command]) -> None:
        line.let_go()
        for door in line.doors:
            door.close()
        for commands in (told, self._rules.unplugged(line.link, line.address)):
            with contextlib.suppress(Refused, OSError):  # it was not that far yet, or is closed
                self._tell(commands)

    def _close(self) -> None:
        works, self._works = self._works, None
        if works is None:
            return
        try:
            works.take_away(rules.links_of(self._rules.block))
            works.tell(self._rules.ended())
            works.close()
        except (OSError, Refused) as error:
            LOG.warning("what led out of sandboxes is still there (attacca worker clean): %s", error)


def resolved_by(text: str) -> tuple[str, int] | None:
    """None for one that only the machine itself can ask: of its link."""
    try:
        return resolver(text)
    except ValueError:
        return None


def bucket(mbps: float) -> Bucket:
    rate = max(int(mbps * 125_000), 1)
    return rate, max(int(rate * BURST_S), BURST_LEAST), max(int(rate * QUEUE_S), QUEUE_LEAST)


def lacking() -> IsolationMissing | None:
    """Why a worker of this machine and of this user can give no sandbox a way out."""
    try:
        library()
    except IsolationMissing as why:
        return why
    if os.geteuid() != 0 and programs.found() is None:
        return IsolationMissing(
            f'network = "nat" of a server that does not run as root needs {" or ".join(programs.PROGRAMS)}',
            'apt-get install passt (or slirp4netns), or run as root; or deploy with network = "host" and a token',
        )
    return None

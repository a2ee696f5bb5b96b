"""Machines that a Firecracker runs.

begin ──▶ its process ──▶ its API ──▶ boot or restore ──▶ streams over vsock: `resumed`
save  ──▶ stopped ──▶ both files written ──▶ they are the worker's: `saved`
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from attacca.errors import AttaccaError, StartFailed
from attacca.worker.host import tap
from attacca.worker.host.cgroups import Group
from attacca.worker.host.network import Namespace
from attacca.worker.runtime.microvm.disks import directory
from attacca.worker.runtime.microvm.firecracker import requests
from attacca.worker.runtime.microvm.firecracker.api import FirecrackerApi
from attacca.worker.runtime.microvm.firecracker.room import MachineRoom
from attacca.worker.runtime.microvm.firecracker.vsock import stream
from attacca.worker.runtime.microvm.inside.words import AGENT, CONTROL, OUTPUT, PORTS
from attacca.worker.runtime.microvm.monitor import Left, SavedMachine, Start
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.vm import KILL, Vm
from attacca.worker.runtime.process.lineage import children

SLACK_MB: Final = 64  # of the largest file that it writes, over its machine's memory


class Firecracker:
    """Implements `hypervisor.Hypervisor`; `place` is where files are kept."""

    def __init__(self, options: MicroVmOptions, place: Path) -> None:
        self._options, self._place = options, place

    def __repr__(self) -> str:
        return f"<Firecracker in {self._place}>"

    def key(self) -> str:
        return f"firecracker {requests.MACHINE}"

    def vm(self, name: str, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> Vm:
        vm = Vm(name, loop, printed)
        vm.monitor = FirecrackerMonitor(vm, loop, self._options, self._place)
        return vm


class FirecrackerMonitor:
    def __init__(self, vm: Vm, loop: asyncio.AbstractEventLoop, options: MicroVmOptions, place: Path) -> None:
        self._vm, self._loop, self._options, self._place = vm, loop, options, place
        self._start: Start
        self._room: MachineRoom | None = None
        self._jailer: Path | None = None
        self._api: FirecrackerApi
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<FirecrackerMonitor {self._room}, {len(self._tasks)} orders>"

    async def prepare(self, start: Start) -> None:
        self._start = start
        needs = start.common.needs
        self._jailer = needs.jailer if start.user is not None else None
        # At once: who owns `saved` may let go of it.
        room = self._room = MachineRoom(self._place, start.user, needs.monitor if self._jailer else None)
        room.lead(requests.ROOT, start.common.root)
        for disk in start.disks:
            room.lead(disk.serial, disk.path)
        if start.saved is None:
            room.lead(requests.KERNEL, start.common.kernel)
            room.lead(requests.INITRAMFS, start.common.initramfs)
        else:
            room.lead(requests.MEMORY, start.saved.memory)
            room.lead(requests.STATE, start.saved.state)
        self._api = FirecrackerApi(room.short(requests.SOCKET))

    async def begin(self) -> None:
        room, start = self._room, self._start
        assert room is not None, "it was not prepared"
        program, user, place = start.common.needs.monitor, start.user, str(room.path)
        words = ["--api-sock", requests.SOCKET, "--level", "Error"]
        if self._jailer is None or user is None:
            words = [str(program), *words]
        else:
            words = [*room.jail(self._jailer, program, user, start.size.memory_mb + SLACK_MB), *words]
            user, place = None, "/"  # which its jailer changes
        before: tuple[str, ...] = ()
        if os.geteuid() == 0 and start.user is not None:
            within: int | None = None
            if start.network is not None:
                await asyncio.to_thread(own, start.network, start.user)
                within = room.opened.owned(os.dup(start.network.descriptor))
            before = apart(within, is_jailed=self._jailer is not None)
        with room.opened as opened:
            self._vm.spawn(words, opened.descriptors, user, is_kvm=True, place=place, before=before)
        if self._vm.group is not None:
            await asyncio.to_thread(join, self._vm.group, self._vm.process.pid)
        self._do(self._begun)

    def save(self) -> None:
        self._do(self._saved)

    def stop(self) -> None:
        self._do(self._stopped)

    def go_on(self) -> None:
        self._do(self._gone_on)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._room is not None:
            self._api.close()
            self._room.close()

    def _do(self, order: Callable[[], Awaitable[None]]) -> None:
        """One order is waited for by the next, as the API has one place at a time, and each comes in its turn."""
        task = self._loop.create_task(self._done(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(self, order: Callable[[], Awaitable[None]]) -> None:
        try:
            await order()
        except (AttaccaError, OSError) as error:
            self._vm.fail(error.message if isinstance(error, AttaccaError) else str(error))

    async def _tell(self, request: requests.ApiRequest) -> None:
        await self._api.tell(request, self._options.monitor_timeout_s)

    async def _begun(self) -> None:
        if self._start.saved is None:
            for request in requests.boot(self._start.size):
                await self._tell(request)
            await self._attach(self._options.boot_timeout_s, CONTROL)
        else:
            await self._restored(self._start.saved)
            await self._attach(self._options.monitor_timeout_s, CONTROL, AGENT, OUTPUT)
        self._vm.resumed()

    async def _restored(self, saved: SavedMachine) -> None:
        try:
            await self._tell(requests.restore())
        except (StartFailed, asyncio.CancelledError):
            if self._start.is_base and not self._vm.process.killed_for:
                saved.state.unlink(missing_ok=True)  # the next machine boots anew, which is slow and may do
            raise

    async def _attach(self, timeout_s: float, *names: str) -> None:
        room, streams = self._room, list[socket.socket]()
        assert room is not None, "it was not prepared"
        try:
            for name in names:
                streams.append(await stream(room.short(requests.STREAMS), PORTS[name], timeout_s))
        except BaseException:
            for one in streams:
                one.close()
            raise
        self._vm.attach(*streams)

    async def _stopped(self) -> None:
        await self._tell(requests.stop())

    async def _gone_on(self) -> None:
        await self._tell(requests.go_on())
        self._vm.resumed()

    async def _saved(self) -> None:
        await self._stopped()
        await self._tell(requests.save())
        taking = asyncio.ensure_future(asyncio.to_thread(self._left))
        try:
            left = await asyncio.shield(taking)
        except asyncio.CancelledError:  # nobody wants it any more
            taking.add_done_callback(_drop)
            raise
        self._vm.saved(left)

    def _left(self) -> Left:
        """What it has written is taken out of its directory: nobody else finds the way there. Blocking."""
        room = self._room
        assert room is not None, "it was not prepared"
        place = directory(self._place)
        saved = SavedMachine(place / requests.MEMORY, place / requests.STATE)
        for name, to in ((requests.SAVED_MEMORY, saved.memory), (requests.SAVED_STATE, saved.state)):
            os.rename(room.path / name, to)
            to.chmod(0o444)
            if self._start.user is not None:
                os.chown(to, 0, 0)
        memory, state = open(saved.memory, "rb"), open(saved.state, "rb")  # noqa: SIM115 - `Left` closes them
        return Left(memory, state, saved, (saved.memory, saved.state, place))


def apart(network: int | None, *, is_jailed: bool) -> tuple[str, ...]:
    """What starts a monitor: nobody's shared memory is its, and no network, or that of this descriptor. A jailer
    becomes another user, and so would not hear of our end: it is the second in a namespace of processes whose first
    does."""
    within = () if network is None else ("nsenter", f"--net=/proc/self/fd/{network}", "--")
    words = (*within, "unshare", "--ipc", *(("--net",) if network is None else ()))
    if is_jailed:
        words = (*KILL, "--", *words, "--pid", "--kill-child", "--", "unshare", "--fork")
    return (*words, "--")


def join(group: Group, pid: int) -> None:
    """This process, and all that it has forked: what is forked from now on is born there. Blocking."""
    group.add(pid)
    for child in children(pid):
        join(group, child)


def own(network: Namespace, user: int | None) -> None:
    """Its tap is this user's. Blocking.

    Raises:
        OSError: there is none.
    """
    with network.within():
        os.close(tap.opened(user))


def _drop(taken: asyncio.Future[Left]) -> None:
    if taken.exception() is None:
        taken.result().close()

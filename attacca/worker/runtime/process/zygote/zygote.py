"""The first process of the sandboxes' world: it lives in the hall and forks whatever the worker orders.

It runs no code of a user's, and hears nothing of one: a child learns by its own channel what it is to be. When the
worker goes, its socket closes, the zygote ends, and because it is pid 1 of its namespace everything below it ends too.
"""

import gc
import os
import select
import signal
import socket
import threading
from functools import partial
from time import perf_counter
from typing import NoReturn

from attacca.guest import channel as wire
from attacca.guest import output
from attacca.worker.runtime.process.zygote import child, linux, pages, prepared, rootfs, template
from attacca.worker.runtime.process.zygote.forkserver import ForkServer
from attacca.worker.runtime.process.zygote.homes import HeldHomes
from attacca.worker.runtime.process.zygote.networks import HeldNetworks
from attacca.worker.runtime.process.zygote.spawn_spec import ZygoteSetting


def run(orders: socket.socket, reports: int, setting: ZygoteSetting, go_ahead: int) -> NoReturn:
    """The zygote's life, and that of all its children. `go_ahead` brings our pid outside, once the supervisor has
    mapped our users if it must."""
    outer_pid = int(os.read(go_ahead, 32))
    report = wire.Channel(-1, reports).write
    if setting["isolate"]:
        try:
            _settle(setting)
        except OSError as error:
            report(wire.UNFIT, 0, str(error).encode())
            os._exit(1)
    if select.select([go_ahead], [], [], 0)[0]:  # its end: the supervisor died before we had asked to die with it
        os._exit(1)
    os.close(go_ahead)
    orders, report = _hold_places(orders, reports)
    output.prepare()
    gc.collect()
    pages.fill()
    gc.freeze()
    linux.trim()
    report(wire.HALL, 0, wire.PROCESS.pack(outer_pid))
    isolate = setting["isolate"]
    processes = os.open("/proc", os.O_PATH | os.O_CLOEXEC)
    flags, networks, homes = linux.OWN_ALL if isolate else 0, HeldNetworks(processes), HeldHomes(processes)
    forker = NamespaceForker(flags, networks, homes, has_handlers=setting["furnished"])
    server = ForkServer(orders, report, forker)
    descriptors, began = server.run(), perf_counter()
    if isolate:
        child.become(forker.user, processes)
    live = template.live if len(descriptors) == template.DESCRIPTORS else child.live
    live(descriptors, isolate=isolate, began=began)


def _hold_places(orders: socket.socket, reports: int) -> tuple[socket.socket, wire.Write]:
    """What is ours is out of the way of what children will have, where nothing else can come to lie."""
    ours, told = prepared.out_of_the_way(orders.detach()), prepared.out_of_the_way(reports)
    for _ in range(child.READER, prepared.FIRST_OWN):
        os.open(prepared.NULL, os.O_RDONLY | os.O_CLOEXEC)
    return socket.socket(fileno=ours), wire.Channel(-1, told).write


class NamespaceForker:
    """Every child is born into namespaces of its own, and its user namespace belongs to the user that it is to be.

    With `has_handlers`, modules have said what is to be made anew in a child: numbers would be drawn twice. Without,
    Python's own are left out, which write to a fourth of all that a child writes to: with one thread, what they make
    anew is as new already.
    """

    def __init__(self, flags: int, networks: HeldNetworks, homes: HeldHomes, *, has_handlers: bool) -> None:
        self._flags, self._networks, self._homes = flags, networks, homes
        self._clone = partial(linux.clone, flags) if has_handlers else linux.bare_clone(flags)
        self.user = 0

    def __repr__(self) -> str:
        return f"<NamespaceForker {self._flags:#x}, user {self.user}>"

    def fork(self, user: int, network: int, home: int) -> int:
        self.user = user
        if network:
            self._networks.enter(network)
        self._homes.enter(home)
        pid = -1
        try:
            pid = self._fork(user)
        finally:
            if pid:
                self._homes.hold(home, pid)
        return pid

    def _fork(self, user: int) -> int:
        """Who makes a user namespace may map himself into it, and nobody else; so for a moment we are this user."""
        if user == 0:
            return self._cloned()
        os.setegid(user)
        os.seteuid(user)
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # changing the user takes the child's /proc from us, and ours from it
        pid = -1
        try:
            pid = self._cloned()
        finally:
            if pid:
                os.seteuid(0)
                os.setegid(0)
                _appear()
        return pid

    def _cloned(self) -> int:
        pid = self._clone()
        if pid < 0:
            raise linux.refused("clone")
        return pid

    def enter(self) -> None:
        threading.main_thread()._set_native_id()  # type: ignore[attr-defined]  # else it is its parent's
        self._homes.wait()

    def forget(self, home: int) -> None:
        self._homes.forget(home)

    def idle(self) -> None:
        return None


def _appear() -> None:
    """Changing the user takes /proc/self away from us, and the wish to die with our parent."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


def _settle(setting: ZygoteSetting) -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if setting["privileged"]:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        _appear()
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    else:
        rootfs.map_self(0, setting["outer_id"], setting["outer_group"])
        rootfs.build_hall(setting)

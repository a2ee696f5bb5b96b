"""Starts the zygote through its supervisor, and starts another when it is lost."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from attacca.errors import IsolationMissing
from attacca.guest import channel as wire
from attacca.worker.host.cgroups import Group, Groups
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.quarters import Quarters
from attacca.worker.runtime.process.template import Births
from attacca.worker.runtime.process.untrusted import NONSENSE
from attacca.worker.runtime.process.zygote.spawn_spec import ZygoteSetting

OUTER_ID = 2_000_000_000  # the first of the sandboxes' users when we are root: above every range of systemd's
USERS = 65_536  # as many: the zygote's own, and one for each function
SUPERVISOR = Path(__file__).parent / "zygote" / "supervisor.py"
PACKAGE_ROOT = Path(__file__).parents[4]
PYTHON = os.path.realpath(sys.executable)  # a virtual environment's own would bring its packages
ENVIRONMENT = {  # of the supervisor
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LD_BIND_NOW": "1",  # functions of libraries are looked up before the first fork, and not in each child
}
START_S, END_S, RESTART_S = 20.0, 10.0, 0.2


class ZygoteManager:
    """Holds the zygote's socket, its supervisor and the lifeline that ends both with us.

    `images` is where those lie unpacked, if there are any; `seat` is the group that we live in, if it is to be removed
    after us; `realm` a user namespace of ours, or -1. Not `is_first`: another one's supervisor removes the groups.
    `is_furnished`: it imports what most libraries do, before anybody is forked from it.
    `hear` gets the zygote's frames; `lost` is called with the client of a zygote that died on its own.
    """

    def __init__(
        self,
        store: CodeStore,
        groups: Groups | None,
        spent: Callable[[Group], None],
        hear: Births,
        lost: Callable[[ForkClient], None],
        images: str = "",
        *,
        isolate: bool,
        seat: str = "",
        realm: int = -1,
        is_first: bool = True,
        is_furnished: bool = False,
    ) -> None:
        is_root = os.geteuid() == 0
        self._setting = ZygoteSetting(
            prefix=os.path.realpath(sys.base_prefix),
            code=str(store.code),
            bundles=str(store.bundles),
            images=images,
            isolate=isolate,
            outer_id=OUTER_ID if is_root else os.geteuid(),
            outer_group=OUTER_ID if is_root else os.getegid(),
            users=USERS if is_root else 1,
            privileged=is_root,
            groups=groups.roots() if groups is not None and is_first else [],
            realm=realm,
            seat=seat if is_first else "",
            furnished=is_furnished,
        )
        self.quarters = Quarters(store)
        self._groups, self._spent, self._births, self._on_loss = groups, spent, hear, lost
        self.fork_client: ForkClient | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._first: asyncio.Future[tuple[int, str]] | None = None  # its process, or why there is none
        self._restart: asyncio.Task[None] | None = None
        self._is_closing = False
        self._waiting: list[Callable[[ForkClient], None]] = []
        self.ready = asyncio.Event()

    def __repr__(self) -> str:
        state = "closing" if self._is_closing else "ready" if self.ready.is_set() else "no zygote"
        return f"<ZygoteManager {state}, {len(self._waiting)} waiting>"

    async def open(self) -> None:
        """Start a zygote and wait until it takes orders.

        Raises:
            IsolationMissing: the kernel refused something that it needs.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reports, told = os.pipe2(os.O_CLOEXEC)
        lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
        command = [
            PYTHON,
            "-I",
            "-S",
            "-X",
            "utf8",
            str(SUPERVISOR),
            str(PACKAGE_ROOT),
            str(theirs.fileno()),
            str(told),
            str(lifeline),
        ]
        self._supervisor = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec, once
            command,
            pass_fds=(theirs.fileno(), told, lifeline, *([realm] if (realm := self._setting["realm"]) >= 0 else [])),
            stdin=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,  # Ctrl-C in the terminal is for us; we end the sandboxes in our own order
        )
        theirs.close()
        os.close(told)
        os.close(lifeline)
        ours.send(json.dumps(self._setting).encode())
        self._first = loop.create_future()
        slot = CgroupSlot(self._groups.make if self._groups is not None else None, self._spent, can_crowd=True)
        self.fork_client = ForkClient(loop, ours, reports, -1, slot, self._hear, self._gone)
        try:
            pid, why = await asyncio.wait_for(self._first, START_S)
        except TimeoutError:
            pid, why = 0, f"no answer within {START_S:g} s"
        if not pid:
            raise IsolationMissing(
                f"sandboxes cannot be isolated on this machine: {why}",
                "`attacca doctor` says what is missing; `--isolation none` runs functions without isolation",
            )
        self.fork_client.lineage.settle(pid)
        slot.settle(pid)
        self.ready.set()
        self._serve_waiting()

    def ask(self, work: Callable[[ForkClient], None]) -> None:
        """Call `work` with the zygote's client: now or, when the zygote is lost, as soon as there is another."""
        self._waiting.append(work)
        if self.ready.is_set() or self._is_closing:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            assert self.fork_client is not None
            work(self.fork_client)

    async def close(self) -> None:
        self._is_closing = True
        if self._restart is not None:
            self._restart.cancel()
        self._cut_lifeline()
        await self._supervisor_ends()
        self._serve_waiting()  # who hears that nothing can be made any more

    def _cut_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    async def _supervisor_ends(self) -> None:
        if self.fork_client is not None:
            self.fork_client.close()
        if self._supervisor is not None:
            supervisor, self._supervisor = self._supervisor, None
            try:
                await asyncio.get_running_loop().run_in_executor(None, supervisor.wait, END_S)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()

    def _hear(self, kind: int, number: int, payload: bytes) -> None:
        assert self.fork_client is not None
        try:
            if self._first is None:
                self._births(self.fork_client, kind, number, payload)
            elif kind == wire.HALL:
                self._answer(wire.PROCESS.unpack(payload)[0], "")
            elif kind == wire.UNFIT:
                self._answer(0, payload.decode("utf-8", "replace"))
        except NONSENSE:  # it runs no code of a user's, so something is wrong with it
            self.fork_client.close()
            self._gone("it does not keep to the protocol")

    def _answer(self, pid: int, why: str) -> None:
        if self._first is not None:
            if not self._first.done():
                self._first.set_result((pid, why))
            self._first = None

    def _gone(self, _why: str) -> None:
        if self._first is not None:
            self._answer(0, "the zygote ended before it began")
        elif not self._is_closing and self.fork_client is not None:
            self.ready.clear()
            self._on_loss(self.fork_client)
            self._restart = asyncio.get_running_loop().create_task(self._begin_again())

    async def _begin_again(self) -> None:
        while not self._is_closing:
            await self._supervisor_ends()  # by itself: the lifeline, cut, would tell it to remove our cgroups
            self._cut_lifeline()
            await asyncio.sleep(RESTART_S)
            try:
                await self.open()
            except IsolationMissing:
                continue
            return

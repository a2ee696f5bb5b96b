"""The worker's side of one template: the code of a revision, imported and waiting to be forked."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from attacca.guest import channel as wire
from attacca.guest.link import Room
from attacca.model.function import Revision
from attacca.model.invocation import Making
from attacca.model.messages import Logged
from attacca.worker.core.reports import Sink, TemplateFailed, TemplateReady
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process import untrusted
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.family import Family, Limits
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.lineage import household
from attacca.worker.runtime.process.untrusted import NONSENSE
from attacca.worker.runtime.process.wiring import Plug

END_S = 0.5
HOUSEHOLD = 2  # of a minder: whom it forks the first processes of places from, and the template
Births = Callable[[ForkClient, int, int, bytes], None]  # who says it, and the frame


class TemplateProcess:
    """From the order to its end. `sink` hears of everything but its end, which `ChildProcess` knows.

    `births` gets what it says about the sandboxes forked from it; `gone` is called when it can fork no more.
    """

    def __init__(
        self,
        name: str,
        revision: Revision,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        orders: socket.socket,
        channel: tuple[int, int],
        spent: Callable[[Group], None],
        sink: Sink,
        births: Births,
        gone: Callable[[ForkClient], None],
        room: Room,
        *,
        isolate: bool,
        has_groups: bool,
    ) -> None:
        self.name, self.revision, self._sink, self._births = name, revision, sink, births
        self._limits, self._isolate = limits, isolate
        self.process: ChildProcess
        self.family: Family | None = None
        self.alive = 0  # sandboxes that are forked from it
        self.is_placed = self.is_ready = False
        self.failure: TemplateFailed | None = None
        self.image_ms = 0.0
        self.plug: Plug | None = None
        self.timer: asyncio.TimerHandle | None = None
        slot = CgroupSlot(self._make_group if has_groups else None, spent)
        self._gone, self._loop = gone, loop
        self.fork_client = ForkClient(loop, orders, *channel, slot, self._hear, self._lost, room)

    def __repr__(self) -> str:
        state = "ready" if self.is_ready else "placed" if self.is_placed else "starting"
        return f"<TemplateProcess {self.name} {state}, {self.fork_client}>"

    def describe(self, order: bytes) -> None:
        """Tell the process that the zygote forks what it is to be."""
        self.fork_client.tell(wire.ORDER, order)

    def go(self) -> None:
        """The process that minds it was born; it may have placed the template already."""
        if self.is_placed:
            self._begin()

    def close(self) -> None:
        self.fork_client.close()
        if self.timer is not None:
            self.timer.cancel()

    def fail(self, code: str, message: str) -> None:
        self.failure = TemplateFailed(self.name, code, message)

    def printed(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        self._sink(Logged(self.revision.function, self.revision.id, self.name, "", "stdout", text))

    def prepare(self) -> None:
        """A place for one more sandbox will be wanted."""
        if self._isolate:
            self.fork_client.tell(wire.PREPARE)

    def lives(self, count: int) -> None:
        """How many sandboxes that are forked from it there are has changed by so many."""
        self.alive += count
        if self.family is not None:  # there is room for one more already, until the next group is made
            self.family.alive = self.alive
            if count < 0:
                self.family.bound()

    def _make_group(self) -> Group:
        assert self.family is not None
        return self.family.make()

    def _lost(self, why: str) -> None:
        """Nothing can be forked from it any more. Its end, which has a better reason to tell, may be why."""
        self._loop.call_later(END_S, self.process.kill, why)
        self._gone(self.fork_client)

    def _hear(self, kind: int, number: int, payload: bytes) -> None:
        """Its import, a user's code, can reach the channel and say whatever it likes."""
        try:
            self._understand(kind, number, payload)
        except NONSENSE as error:
            self.process.kill(f"it said what no template of ours says ({type(error).__name__}), and was killed")

    def _understand(self, kind: int, number: int, payload: bytes) -> None:
        match kind:
            case wire.PLACED:
                self._placed()
            case wire.READY:
                self._ready(untrusted.imported(payload))
            case wire.FAILED:
                self._failed(untrusted.not_imported(payload))
            case _:
                self._births(self.fork_client, kind, number, payload)

    def _placed(self) -> None:
        if self.is_placed:
            raise ValueError("placed once more")
        self.is_placed = True
        if self.process.is_born:
            self._begin()

    def _begin(self) -> None:
        """No code of a user's runs before GO, so what /proc shows now is so."""
        pid, minders = self.process.pid, [self.process.pid]
        if self._isolate:
            found = household(self.process.pid)
            if len(found) != HOUSEHOLD:
                self.process.kill("its process is nowhere to be seen")
                return
            minders, pid = [self.process.pid, found[0]], found[1]
        self.fork_client.lineage.settle(pid)
        go = self.fork_client.go if self.plug is None else partial(self.plug, pid, self.fork_client.go)
        if self.process.group is None:
            go()
            return
        self.family = Family(self.process.group, self._limits)
        self.family.alive = self.alive
        divided = self._loop.run_in_executor(None, self.family.divide, pid, minders if self._isolate else [])
        divided.add_done_callback(partial(self._divided, go))

    def _divided(self, go: Callable[[], None], done: "asyncio.Future[None]") -> None:
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            self.process.kill(f"it could be given no group of its own: {error}")
        elif not self.process.is_over:
            go()

    def _failed(self, told: untrusted.NotImported) -> None:
        why, hint = told.message, told.hint
        if told.code == "out_of_memory":
            why, hint = f"importing the code went over its memory of {self.revision.settings.memory_mb} MB", ""
        self.failure = TemplateFailed(self.name, told.code, why, told.traceback, told.logs, hint)

    def _ready(self, told: untrusted.Imported) -> None:
        if self.is_ready or not self.is_placed:
            raise ValueError("ready once more, or too soon")
        report = TemplateReady(
            template=self.name,
            handler=told.handler,
            signature=told.signature,
            event=told.event,
            memory_mb=told.memory_kb // 1024 + 1,
            made=untrusted.parts(told).after(Making(image=self.image_ms)),
            logs=told.logs,
            unfit=told.unfit,
            notes=told.notes,
        )
        if self.timer is not None:
            self.timer.cancel()
        self.is_ready = True
        self.fork_client.slot.settle(self.fork_client.lineage.pid)
        self._sink(report)

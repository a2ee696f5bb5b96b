"""Sandboxes made of processes: a zygote forks them, namespaces and a filter hold them, cgroups limit them."""

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from functools import partial

from attacca.errors import NoCapacity
from attacca.guest import channel as wire
from attacca.kernel.budget import Budget
from attacca.kernel.clock import Clock
from attacca.model.function import Network, Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import SandboxFailed, SandboxGone, Sink, TemplateFailed, TemplateGone
from attacca.worker.host.isolation import no_limits
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.process.cgroup_slot import Entry
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.common import Common
from attacca.worker.runtime.process.deadlines import Deadlines
from attacca.worker.runtime.process.description import Secret, no_secret
from attacca.worker.runtime.process.ends import ends
from attacca.worker.runtime.process.family import Limits
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.image_roots import ImageRoots, Roots
from attacca.worker.runtime.process.leftovers import Leftovers
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.room import Share
from attacca.worker.runtime.process.sandbox import SLACK, SandboxProcess
from attacca.worker.runtime.process.telling import Telling
from attacca.worker.runtime.process.template import TemplateProcess
from attacca.worker.runtime.process.watchdog import look_at
from attacca.worker.runtime.process.wiring import Wiring
from attacca.worker.runtime.process.zygote.minder import SANDBOX_PID
from attacca.worker.runtime.process.zygote_manager import ZygoteManager
from attacca.worker.runtime.process.zygotes import Zygotes

END_S = 10.0  # for the last process to go
FRAMES_MB = 256  # of frames that are not complete, of all sandboxes together; no function may have more than half
SEEK_S, SEEK_TRIES = 0.001, 10  # for a process that was born; a second in all


class ProcessRuntime:
    """Implements `worker.runtime.types.Runtime`. `store` has code and bundles; `memory_mb` is what
    the worker gives out to all sandboxes and templates together; `secret` gives the value of one when it is wanted.
    `common` is what it shares with another one beside it, `nat` the way out and `images` what it shares with others."""

    has_events = True

    def __init__(
        self,
        store: CodeStore,
        options: ProcessOptions,
        clock: Clock,
        memory_mb: int | None = None,
        secret: Secret = no_secret,
        common: Common | None = None,
        nat: Nat | None = None,
        images: Roots | None = None,
    ) -> None:
        self._clock, self._secret = clock, secret
        self.common = common or Common(options, memory_mb, nat)
        self._store, self._options = store, options
        self._isolate = options.isolation != "none"
        self._sandboxes: dict[str, SandboxProcess] = {}
        self._templates: dict[str, TemplateProcess] = {}
        self._processes = self.common.book()
        self._births: dict[int, str] = {}  # numbers of those whose end has not come, and their names
        self._count = itertools.count(1)
        largest = (options.max_response_mb << 20) + SLACK
        self._frames = Budget(max(FRAMES_MB << 20, 4 * largest), max(FRAMES_MB << 19, 2 * largest))
        self._leftovers = Leftovers(self._forkers, keep=self.common.keep_group)
        self._images = ImageRoots(images, clock)
        self._watchdog: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._zygotes: Zygotes
        self._telling: Telling
        self._wiring: Wiring  # of those with a way out

    def __repr__(self) -> str:
        held = f"{len(self._sandboxes)} sandboxes, {len(self._templates)} templates"
        return f"<ProcessRuntime {held}, {len(self._births)} processes>"

    @property
    def limits(self) -> str:
        """What holds a sandbox to its memory, for people."""
        return self.common.groups.version if self.common.groups is not None else "rlimits and a watchdog"

    # the worker's orders

    async def open(self, sink: Sink) -> None:
        self._loop, self._sink = asyncio.get_running_loop(), sink
        self._deadlines = Deadlines(self._loop, self._options, self._templates)
        self._store.open()
        await self._images.open()
        self.common.open()
        self._wiring = Wiring(self.common.nat, sink)
        places = None if self._isolate else (self._store.code, self._store.bundles)
        has_groups = self.common.groups is not None
        self._telling = Telling(self._options, self._secret, self._images, places, has_groups=has_groups)
        if not has_groups:
            if self._options.must_enforce:
                raise no_limits()
            self._watchdog = self._loop.create_task(look_at(self._everyone, self._options))
        realm = await self.common.nat.realm() if self._isolate else -1
        make = partial(
            ZygoteManager, self._store, self.common.groups, self._leftovers.add, self._hear, self._lost,
            self._images.place, isolate=self._isolate, seat=self.common.seat, realm=realm,
        )  # fmt: skip
        self._zygotes = Zygotes(make, self._store)
        try:
            await self._zygotes.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self.common.rise()
        await self._images.close()
        await self._zygotes.close()
        for process in list(self._processes.values()):
            process.kill("its runtime was closed")  # without isolation it may have missed that its parent died
            process.abandon()
        self._idle.clear()
        if self._processes:
            await asyncio.wait_for(self._idle.wait(), END_S)
        await self._wiring.close()
        self._leftovers.close()
        self.common.close()

    async def ready(self) -> None:
        """Wait until there is a zygote, also after one was lost."""
        await self._zygotes.indoors.ready.wait()

    def make_template(self, template: str, revision: Revision) -> None:
        if isinstance(got := ends(), NoCapacity):
            self._loop.call_soon(self._sink, TemplateFailed(template, got.code, got.message, hint=got.hint))
            return
        orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        made = TemplateProcess(
            template, revision, self._limits(revision), self._loop, orders, got.ours, self._leftovers.add, self._sink,
            self._hear, self._lost, Share(self._frames, revision.function), isolate=self._isolate,
            has_groups=self.common.groups is not None,
        )  # fmt: skip
        self._templates[template] = made
        inner = (*got.inner, theirs.detach())
        begin = self._order(made, got.output, inner, lambda why: self._template_ended(made, why))
        self._beget(made, begin)

    def drop_template(self, template: str) -> None:
        if (made := self._templates.get(template)) is not None:
            made.process.kill("it was dropped")

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        if isinstance(got := ends(), NoCapacity):
            self._loop.call_soon(self._sink, SandboxFailed(sandbox, got.code, got.message))
            return
        room = Share(self._frames, revision.function)
        made = SandboxProcess(sandbox, revision, self._options, self._loop, got.ours, self._clock, self._sink, room)
        self._sandboxes[sandbox] = made
        self.common.weight.change(self._limits(revision).weight)
        parent = self._templates.get(template) if template is not None else None
        begin = self._order(made, got.output, got.inner, lambda why: self._sandbox_ended(made, parent, why))
        if template is None:
            self._beget(made, begin)
        elif parent is None:
            begin(None)
        else:
            made.is_forked = True
            parent.lives(1)
            parent.prepare()
            begin(parent.fork_client)

    def kill(self, sandbox: str) -> None:
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.process.kill("it was evicted")

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.run(invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.stop(invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.send_body(invocation, data, last=last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.flow(invocation, paused=paused)

    def leave(self, sandbox: str, invocation: str) -> None:
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.leave(invocation)

    def limit(self, sandbox: str, revision: Revision) -> None:
        """From now on it may have what that revision may.

        Raises:
            OSError: its cgroup is gone.
        """
        if (made := self._sandboxes.get(sandbox)) is not None and made.process.group is not None:
            made.process.group.limit(*self._limits(revision))

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        if (made := self._sandboxes.get(sandbox)) is not None:
            made.tell(word)

    # births

    def _order(
        self, made: SandboxProcess | TemplateProcess, output: int, inner: tuple[int, ...], ended: Callable[[str], None]
    ) -> Callable[[ForkClient | None], None]:
        """Prepare a birth; what is returned begins it, and is told the parent. `inner` are the child's ends."""
        process = made.process = self._processes[made.name] = ChildProcess(self._loop, output, made.printed, ended)
        process.number = next(self._count)
        self._wiring.prepare(made)
        self._births[process.number] = made.name
        user = self.common.users.take(made.revision.function)
        self._deadlines.begin(made)

        def begin(parent: ForkClient | None) -> None:
            process.parent = parent
            if parent is None or not parent.is_open:
                self._refuse(process, inner, "the process that would fork it is gone")
            else:
                parent.slot.next(partial(self._send, made, parent, user, inner))

        return begin

    def _beget(self, made: SandboxProcess | TemplateProcess, begin: Callable[[ForkClient | None], None]) -> None:
        """From a zygote, if it can be told what it is to be."""
        is_outdoors = self._isolate and made.revision.settings.network is Network.HOST
        zygote = self._zygotes.of(made.revision, is_outdoors=is_outdoors, is_template=made.name in self._templates)
        if self._isolate and isinstance(made, SandboxProcess):
            made.process.quarters = zygote.quarters
            made.process.place = zygote.quarters.take(made.revision, made, zygote.fork_client)
        self._telling.tell(made, lambda is_told: zygote.ask(begin) if is_told else begin(None))

    def _send(
        self,
        made: SandboxProcess | TemplateProcess,
        parent: ForkClient,
        user: int,
        descriptors: tuple[int, ...],
        entry: Entry,
    ) -> None:
        process, group = made.process, entry.group
        process.group = group
        if not parent.is_open or (group is None and self.common.groups is not None):
            lacks = "there is no cgroup for it" if parent.is_open else "the process that would fork it is gone"
            self._refuse(process, descriptors, lacks)
            return
        try:
            if group is not None:
                group.limit(*self._limits(made.revision))
            doors = group.doors() if group is not None and entry.by_itself else ()
        except OSError as error:
            parent.slot.made()  # nobody was, but the process has to move on for the next
            self._refuse(process, descriptors, str(error))
        else:
            refused = partial(self._refused, parent, process)
            parent.birth(process.number, user, descriptors, refused, process.place, doors)

    def _refuse(self, process: ChildProcess, descriptors: tuple[int, ...], why: str) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        process.killed_for = f"it could not be started: {why}"
        self._loop.call_soon(process.abandon)

    def _refused(self, parent: ForkClient, process: ChildProcess, why: str) -> None:
        process.killed_for = f"it could not be started: {why}"
        parent.slot.made()
        process.abandon()

    def _limits(self, revision: Revision) -> Limits:
        return Limits(revision.settings.memory_mb, self._options.processes, revision.settings.cpus)

    def _hear(self, parent: ForkClient, kind: int, number: int, payload: bytes) -> None:
        """A frame from the zygote or a template about one of its children; of others' it has nothing to say.

        Raises:
            NONSENSE: what it says cannot be.
        """
        process = self._processes.get(name := self._births.get(number, ""))
        match kind:
            case wire.MADE:
                told = wire.PROCESS.unpack(payload)[0]
                if process is not None and process.parent is parent and not process.is_born:
                    self._born(parent, name, process, told)
            case wire.ENDED:
                status = wire.STATUS.unpack(payload)[0]
                if process is not None and process.parent is parent:
                    process.told(status)
            case wire.REFUSED:
                if process is not None and process.parent is parent and not process.is_born:
                    why = payload[:500].decode("utf-8", "replace")
                    self._refused(parent, process, f"the kernel refused to make it: {why}")
            case _:
                raise ValueError("no frame of theirs")

    def _born(self, parent: ForkClient, name: str, process: ChildProcess, told: int) -> None:
        parent.slot.made()
        innermost = 0 if not self._isolate else 1 if parent in self._zygotes.clients() else SANDBOX_PID
        self._seek(parent, name, process, (told, innermost), 0)

    def _seek(self, parent: ForkClient, name: str, process: ChildProcess, who: tuple[int, int], tries: int) -> None:
        """Find it among its parent's children: the kernel may leave some out while others end."""
        if self._processes.get(name) is not process:
            return
        pid, pidfd = parent.lineage.find(*who, process.group)
        if pidfd >= 0:
            if process.born(pid, pidfd):
                parent.born_at = self._loop.time()
                (self._sandboxes.get(name) or self._templates[name]).go()
        elif tries < SEEK_TRIES:
            self._loop.call_later(SEEK_S * 2**tries, self._seek, parent, name, process, who, tries + 1)
        else:
            process.killed_for = "its process is nowhere to be seen"
            process.abandon()

    def _lost(self, parent: ForkClient) -> None:
        """A process that others are forked from is gone: what it had not yet made will never be."""
        for process in list(self._processes.values()):
            if process.parent is parent:
                process.abandon()

    def _everyone(self) -> list[SandboxProcess | TemplateProcess]:
        return [*self._sandboxes.values(), *self._templates.values()]

    # deaths

    def _was_out_of_memory(self, made: SandboxProcess | TemplateProcess) -> bool:
        """Forget the process, and say whether it went over its memory."""
        process = self._processes.pop(made.name)
        self._wiring.unplug(made.name)
        del self._births[process.number]
        self.common.users.give(made.revision.function)
        if process.quarters is not None:
            process.quarters.leave(process.place, made, is_over=process.pid != 0)
        if process.parent is not None:
            process.parent.lineage.forget(process.pid)
        was_oom = process.is_over_memory
        if process.group is not None:
            was_oom = process.group.has_run_out()
            self._leftovers.add(process.group)
        if not self._processes:
            self._idle.set()
        return was_oom

    def _forkers(self) -> set[int]:
        clients = *self._zygotes.clients(), *(made.fork_client for made in self._templates.values())
        return {one.lineage.pid for one in clients}

    def _sandbox_ended(self, made: SandboxProcess, template: TemplateProcess | None, why: str) -> None:
        made.close()
        del self._sandboxes[made.name]
        self.common.weight.change(-self._limits(made.revision).weight)
        was_oom = self._was_out_of_memory(made)
        if template is not None:
            template.lives(-1)
        memory = f"it went over its memory of {made.revision.settings.memory_mb} MB"
        if made.is_ready:
            code, message = ("out_of_memory", memory) if was_oom else ("sandbox_lost", why)
            self._sink(SandboxGone(made.name, code, message, made.not_begun))
        elif was_oom:
            self._sink(SandboxFailed(made.name, "out_of_memory", memory + " while it started"))
        else:
            parent = made.process.parent
            is_our_fault = not made.process.pid or (parent is not None and not parent.is_open)  # and worth another try
            code = "sandbox_lost" if is_our_fault else "start_failed"
            self._sink(made.failure or SandboxFailed(made.name, code, why))

    def _template_ended(self, made: TemplateProcess, why: str) -> None:
        made.close()
        del self._templates[made.name]
        self._lost(made.fork_client)
        was_oom = self._was_out_of_memory(made)
        if made.is_ready:
            self._sink(TemplateGone(made.name, why))
        elif was_oom:
            memory = f"importing the code went over its memory of {made.revision.settings.memory_mb} MB"
            self._sink(TemplateFailed(made.name, "out_of_memory", memory))
        else:
            self._sink(made.failure or TemplateFailed(made.name, "start_failed", why))

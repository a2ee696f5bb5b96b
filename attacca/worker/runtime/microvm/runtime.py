"""Micro-VMs as a worker's runtime: a template is the memory of a machine that has imported the code, and sandboxes are
restored from it.

    make_template ──▶ a machine that has booted ──▶ import ──▶ memory saved ──▶ TemplateReady
    make_sandbox  ──▶ its memory mapped, copied where it is written to ──▶ told time and seed ──▶ SandboxReady

A sandbox without a template imports by itself, and goes on in the same way. What an agent says to its worker passes
through a port of the machine as through a pipe of a process.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from attacca.errors import AttaccaError, BadFunction
from attacca.guest import channel as wire
from attacca.kernel.budget import Budget
from attacca.kernel.clock import Clock
from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.model.messages import Logged
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxReady,
    Sink,
    TemplateGone,
)
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.microvm import needs
from attacca.worker.runtime.microvm.bases import Bases
from attacca.worker.runtime.microvm.cards import Cards
from attacca.worker.runtime.microvm.firecracker.monitor import Firecracker
from attacca.worker.runtime.microvm.firecracker.room import clean
from attacca.worker.runtime.microvm.housed import Housed, Progress
from attacca.worker.runtime.microvm.hypervisor import Hypervisor
from attacca.worker.runtime.microvm.kept import KeptTemplates
from attacca.worker.runtime.microvm.machines import Machines, grouped
from attacca.worker.runtime.microvm.monitor import Left
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qemu_monitor import Qemu
from attacca.worker.runtime.microvm.resting import Sleeping
from attacca.worker.runtime.microvm.restoring import Restoring
from attacca.worker.runtime.microvm.spares import Spares
from attacca.worker.runtime.microvm.telling import order, words
from attacca.worker.runtime.process import untrusted
from attacca.worker.runtime.process.common import Common
from attacca.worker.runtime.process.description import Secret, no_secret
from attacca.worker.runtime.process.leftovers import Leftovers
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.room import Share
from attacca.worker.runtime.process.sandbox import SLACK, SandboxProcess
from attacca.worker.runtime.process.zygote_manager import OUTER_ID
from attacca.worker.runtime.unforeseen import failure

FRAMES_MB = 256
LAST_WORDS_S = 1.0
END_S = 10.0
KEPT = "kept"  # where templates are, below the place of disks


class MicroVmRuntime:
    """Implements `worker.runtime.types.Runtime`. `shared` are the options that machines have in common with processes,
    `common` what they share with their runtime; `place` is where disks are kept."""

    has_events: ClassVar[bool] = False

    def __init__(
        self,
        store: CodeStore,
        options: MicroVmOptions,
        shared: ProcessOptions,
        place: Path,
        clock: Clock,
        secret: Secret = no_secret,
        common: Common | None = None,
    ) -> None:
        self._options, self._shared, self._clock, self._secret = options, shared, clock, secret
        self.common = common or Common(shared, None)
        self._machines = Machines(store, options, Path(options.place) if options.place else place)
        self._leftovers = Leftovers(lambda: ())
        nobody = OUTER_ID if os.geteuid() == 0 else None
        group = partial(grouped, self.common)
        kind: type[Firecracker | Qemu] = Firecracker if needs.choose(options) == "firecracker" else Qemu
        self._hypervisor: Hypervisor = kind(options, self._machines.place)
        cards, machines = Cards(self.common.nat), self._machines
        self._bases = Bases(self._hypervisor, machines, options, nobody, cards.bare, group, self._leftovers.add)
        self._kept = KeptTemplates(machines.place / KEPT, store.code, shared, options.kept_mb)
        tell = partial(self._log, stream="network")
        self._restoring = Restoring(machines, self._bases, cards, self._kept, group, clock, tell)
        self._cards = cards
        self._spares = Spares(options, self._spare)
        self._housed: dict[str, Housed] = {}  # whose machine is there, or will be
        self._templates: dict[str, Housed] = {}
        self._processes = self.common.book()
        largest = (shared.max_response_mb << 20) + SLACK
        self._frames = Budget(max(FRAMES_MB << 20, 4 * largest), max(FRAMES_MB << 19, 2 * largest))
        self._idle = asyncio.Event()
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<MicroVmRuntime {len(self._housed)} machines, {len(self._templates)} templates, {self._machines}>"

    async def open(self, sink: Sink) -> None:
        """What machines are made from is made when the first is wanted, unless an earlier server had some."""
        self._loop, self._sink = asyncio.get_running_loop(), sink
        await asyncio.to_thread(clean)
        await asyncio.to_thread(self._kept.open)
        await self._machines.open()
        self.common.open()
        self._cards.open()

    async def close(self) -> None:
        for one in list(self._housed.values()):
            one.kill("its runtime was closed")
        for template in list(self._templates):
            self._drop(template)
        await self._bases.close()
        await self._kept.close()
        tasks = [one.task for one in self._housed.values() if one.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._machines.close()
        self._idle.clear()
        if self._housed:
            await asyncio.wait_for(self._idle.wait(), END_S)
        await asyncio.sleep(0)  # the last words of those that had no machine
        self._leftovers.close()
        await self._cards.close()
        self.common.close()

    # the worker's orders

    def make_template(self, template: str, revision: Revision) -> None:
        one = self._make(template, revision)
        one.is_template, one.heard = True, lambda data: self._log(one, data.decode("utf-8", "replace"))
        one.vm.saved = lambda left: self._saved(one, left)
        self._templates[template] = one
        self._begin(one, None)

    def drop_template(self, template: str) -> None:
        if (one := self._templates.get(template)) is not None:
            self._kept.forget(one.kept)
        self._drop(template)

    def _drop(self, template: str) -> None:
        one = self._templates.get(template)
        if one is None or (one.is_doomed and not one.is_ready):
            return
        one.kill("it was dropped")
        self._spares.drop(template)
        if one.is_ready:
            del self._templates[template]
            self._let_go(one)
            self._loop.call_soon(self._sink, TemplateGone(template, "it was dropped"))

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        parent = self._templates.get(template) if template is not None else None
        if template is not None and (parent is None or not parent.is_ready):
            self._loop.call_soon(self._sink, SandboxFailed(sandbox, "sandbox_lost", "its template is gone"))
            return
        spare = None if parent is None else self._spares.take(parent.name)
        one = spare or self._make(sandbox, revision)
        one.is_sandbox = True
        one.vm.when_attached(lambda agent: self._serve(one, sandbox, revision, agent))
        self.common.weight.change(revision.settings.cpus or 1.0)
        if parent is not None:
            one.phase = Progress.SERVING
        self._begin(one, parent) if spare is None else self._adopt(spare, sandbox, revision)
        if parent is not None:
            self._spares.fill(parent)

    def _serve(self, one: Housed, sandbox: str, revision: Revision, agent: socket.socket) -> None:
        one.stop_watching()
        channel = agent.detach()
        channels, room = (channel, os.dup(channel)), Share(self._frames, revision.function)
        process = one.sandbox = SandboxProcess(
            sandbox, revision, self._shared, self._loop, channels, self._clock, self._hear, room
        )
        process.process, one.close_agent, one.heard = one.vm.process, process.close, process.printed

    def _spare(self, name: str, parent: Housed) -> Housed:
        one = self._make(name, parent.revision)
        one.phase = Progress.WAITING
        self._begin(one, parent)
        return one

    def _adopt(self, one: Housed, sandbox: str, revision: Revision) -> None:
        """It was restored ahead, or is about to be, and is this sandbox's machine now."""
        del self._housed[one.name], self._processes[one.name]
        one.vm.name, one.revision, one.ordered_at = sandbox, revision, self._clock.now()
        one.image_ms = one.network_ms = 0.0
        self._housed[sandbox], self._processes[sandbox] = one, one.vm.process
        one.set_timer(self._loop, self._shared.start_timeout_s, "its machine did not answer in time (start_timeout_s)")
        if one.is_restored:
            one.vm.monitor.go_on()

    def kill(self, sandbox: str) -> None:
        if (one := self._housed.get(sandbox)) is not None and not one.is_template:
            one.kill("it was evicted")

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if (one := self._housed.get(sandbox)) is not None and (process := one.sandbox) is not None:
            one.resting.begin(lambda: process.run(invocation))

    def stop(self, sandbox: str, invocation: str) -> None:
        self._do(sandbox, lambda process: process.stop(invocation))

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        self._do(sandbox, lambda process: process.send_body(invocation, data, last=last))

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self._do(sandbox, lambda process: process.flow(invocation, paused=paused))

    def leave(self, sandbox: str, invocation: str) -> None:
        self._do(sandbox, lambda process: process.leave(invocation))

    def _do(self, sandbox: str, order: Callable[[SandboxProcess], None]) -> None:
        if (one := self._housed.get(sandbox)) is not None and (process := one.sandbox) is not None and one.is_ready:
            one.resting.do(lambda: order(process))

    def tell(self, sandbox: str, word: ToSandbox) -> None: ...  # it has no event functions

    # starts

    def _make(self, name: str, revision: Revision) -> Housed:
        vm = self._hypervisor.vm(name, self._loop, lambda data: one.heard(data))  # noqa: PLW0108 - it is made below, and changes
        rest_s, later = self._options.pause_after_s, self._loop.call_later
        resting = Sleeping(rest_s, later, vm.monitor, lambda: self._wake(one, wire.RESUME))
        one = self._housed[name] = Housed(vm, revision, resting, self._clock.now())
        self._processes[name] = vm.process
        vm.resumed = lambda: self._resumed(one)
        vm.hear, vm.over = lambda kind, payload: self._heard(one, kind, payload), lambda why: self._over(one, why)
        return one

    def _begin(self, one: Housed, parent: Housed | None) -> None:
        seconds = self._shared.start_timeout_s + (self._options.boot_timeout_s if parent is None else 0.0)
        one.set_timer(self._loop, seconds, f"its machine did not answer within {seconds:g} s")
        one.task = self._loop.create_task(self._start(one, parent, self.common.users.take(one.revision.function)))

    async def _start(self, one: Housed, parent: Housed | None, user: int) -> None:
        try:
            found = await self._restoring.begin(one, parent, None if os.geteuid() else OUTER_ID + user)
            if found is not None:
                self._there(one, found.left, found.told)
        except Exception as error:  # noqa: BLE001 - logged where it was not foreseen
            why = failure(error, f"no micro-VM was made for {one.revision.id}")
            if isinstance(why, BadFunction):
                one.told = untrusted.NotImported("bad_function", why.message, why.hint, why.message)
            one.kill(f"{why.message} ({why.hint})" if why.hint else why.message)
        finally:
            if not one.vm.process.is_born:
                one.vm.process.abandon()

    def _resumed(self, one: Housed) -> None:
        if one.is_ready:
            one.resting.resumed()
        elif one.phase is Progress.WAITING:
            self._wake(one)
            one.watch(self._loop, lambda: self._stand_still(one))
        elif one.phase is Progress.SERVING:
            self._wake(one, wire.RESUME if one.is_restored else wire.GO)
        elif one.phase is Progress.BEGINNING:
            one.phase = Progress.IMPORTING
            self._describe(one)

    def _stand_still(self, one: Housed) -> None:
        """Its agent says that it is ready, which whoever gets it will read."""
        one.stop_watching()
        one.is_restored = True
        one.cancel_timer()
        one.vm.monitor.stop()

    # what the guest's first process says

    def _heard(self, one: Housed, kind: int, payload: bytes) -> None:
        """
        Raises:
            NONSENSE: it says what it should not, or not now.
        """
        match one.phase, kind:
            case Progress.IMPORTING, wire.READY:
                self._imported(one, untrusted.imported(payload))
            case Progress.SERVING, wire.HALL if one.is_ready:
                one.resting.awake()
            case Progress.SERVING, wire.HALL if one.is_restored and not one.is_awake:
                one.is_awake = True
                if one.held is not None:
                    self._hear(one.held)
            case Progress.IMPORTING, wire.FAILED:
                one.told = untrusted.not_imported(payload)
                one.kill(one.told.message)
            case _:
                raise ValueError("no word of ours, or not now")

    def _describe(self, one: Housed) -> None:
        seconds = self._shared.start_timeout_s
        why = f"importing the code took longer than {seconds:g} s (start_timeout_s of the server)"
        one.set_timer(self._loop, seconds + LAST_WORDS_S, why)
        try:
            wake = words(self._clock, one.address, is_first=True)
            told = order(one.revision, self._shared, self._secret, wake, is_template=one.is_template)
        except AttaccaError as error:
            one.kill(f"{error.message} ({error.hint})")
            return
        one.vm.say(wire.ORDER, told)

    def _imported(self, one: Housed, told: untrusted.Imported) -> None:
        if one.is_template:
            one.phase, one.found = Progress.SAVING, told
            one.vm.monitor.save()
        else:
            if told.logs:
                self._log(one, told.logs)
            self._wake(one)

    def _wake(self, one: Housed, kind: int = wire.GO) -> None:
        """From here on it is one of a kind, or goes on."""
        is_first, one.woken_at = one.phase is Progress.IMPORTING, self._clock.now()
        if one.phase is not Progress.WAITING:
            one.phase = Progress.SERVING
        one.vm.say(kind, json.dumps(words(self._clock, one.address, is_first=is_first)).encode())

    def _saved(self, one: Housed, left: Left) -> None:
        found, one.left = one.found, left
        if not one.is_doomed and one.phase is Progress.SAVING and found is not None:
            self._kept.keep(one.kept, left, found)
            self._there(one, left, found)

    def _there(self, one: Housed, left: Left, found: untrusted.Imported) -> None:
        """A template: what it is restored from."""
        one.left = left
        if one.is_doomed:
            return
        one.is_ready = True
        one.cancel_timer()
        one.vm.process.kill("its memory is saved")
        self._sink(one.template_ready(found, left.size_mb, self._clock.now()))
        self._spares.fill(one)

    def _hear(self, report: Report) -> None:
        """From a sandbox."""
        if isinstance(report, SandboxReady) and (one := self._housed.get(report.sandbox)) is not None:
            if one.is_restored and not one.is_awake:
                one.held = report  # until it knows what time it is
                return
            one.is_ready = True
            one.cancel_timer()
            one.resting.end()
            report = one.sandbox_ready(report, self._clock.now())
        elif isinstance(report, RunEnded) and (one := self._housed.get(report.sandbox)) is not None:
            one.resting.end()
        self._sink(report)

    def _log(self, one: Housed, text: str, stream: str = "stdout") -> None:
        self._sink(Logged(one.revision.function, one.revision.id, one.name, "", stream, text))

    # ends

    def _over(self, one: Housed, why: str) -> None:
        """Its machine is gone, or never was."""
        said = one.vm.said() if one.phase is Progress.BEGINNING and not one.is_doomed else ""
        was_oom = one.vm.was_oom
        one.cancel_timer()
        one.resting.close()
        one.stop_watching()
        one.close_agent()
        one.vm.close()
        one.unplug()
        del self._housed[one.name], self._processes[one.name]
        if one.vm.group is not None:
            was_oom = was_oom or one.vm.group.has_run_out()
            self._leftovers.add(one.vm.group)
        self._spares.forget(one)
        if one.is_from_kept and not (one.is_ready or one.is_doomed):
            self._kept.forget(one.kept)  # the next is made from nothing, which is slow and may do
        if one.is_sandbox:
            self.common.weight.change(-(one.revision.settings.cpus or 1.0))
        if one.phase is Progress.WAITING:
            self._let_go(one)
        elif not (one.is_template and one.is_ready):
            self._ended(one, f"{why}: {said}" if said else why, was_oom=was_oom)
        if not self._housed:
            self._idle.set()

    def _ended(self, one: Housed, why: str, *, was_oom: bool) -> None:
        if one.is_template:
            del self._templates[one.name]
        self._let_go(one)
        self._sink(one.end(why, was_oom=was_oom))

    def _let_go(self, one: Housed) -> None:
        one.let_go()
        self.common.users.give(one.revision.function)

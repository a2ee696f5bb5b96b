"""What a worker knows of one micro-VM that it has ordered: a sandbox's or a template's."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Making
from attacca.worker.core.reports import SandboxFailed, SandboxGone, SandboxReady, TemplateFailed, TemplateReady
from attacca.worker.runtime.microvm.cards import Card
from attacca.worker.runtime.microvm.monitor import Left
from attacca.worker.runtime.microvm.resting import Sleeping
from attacca.worker.runtime.microvm.vm import Vm
from attacca.worker.runtime.process.sandbox import SandboxProcess
from attacca.worker.runtime.process.untrusted import Imported, NotImported, making


class Progress(StrEnum):
    BEGINNING = "beginning"
    IMPORTING = "importing"
    SAVING = "saving"
    WAITING = "waiting"  # restored ahead of need, and nobody's
    SERVING = "serving"  # also what is restored, from its order on


class Housed:
    """A template has no `sandbox`, and, once it is ready, no machine any more: only what that has left."""

    def __init__(self, vm: Vm, revision: Revision, resting: Sleeping, ordered_at: float) -> None:
        self.vm, self.revision, self.resting, self.ordered_at = vm, revision, resting, ordered_at
        self.image_ms = 0.0  # until what it is made from was there
        self.network_ms = 0.0
        self.card: Card | None = None
        self.woken_at = 0.0  # from here on it has only to say that it is ready
        self.sandbox: SandboxProcess | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.kept = ""  # what its template is called on the disk; empty: none is kept there
        self.is_from_kept = False
        self.left: Left | None = None  # of a template: what its machine was when it had imported the code
        self.close_agent: Callable[[], None] = lambda: None
        self.heard: Callable[[bytes], None] = lambda _: None  # told what it prints
        self.told: NotImported | None = None  # why it will not be ready
        self.found: Imported | None = None
        self.phase = Progress.BEGINNING
        self.held: SandboxReady | None = None  # of one that stood still, until it knows what time it is
        self.is_template = self.is_sandbox = self.is_ready = self.is_doomed = self.is_restored = self.is_awake = False
        self._unwatch: Callable[[], object] = lambda: None

    def __repr__(self) -> str:
        kind = "template" if self.is_template else "sandbox"
        return f"<Housed {kind} {self.vm.name} {'ready' if self.is_ready else self.phase}, {self.vm}>"

    @property
    def name(self) -> str:
        return self.vm.name

    @property
    def address(self) -> str:
        """Of its card; empty: it has none."""
        return "" if self.card is None else self.card.address

    def unplug(self) -> None:
        """Its machine is gone."""
        if self.card is not None:
            self.card.close()
            self.card = None

    def watch(self, loop: asyncio.AbstractEventLoop, said: Callable[[], None]) -> None:
        """`said` is called when its agent has said something; nobody reads that yet."""
        agent = self.vm.agent
        assert agent is not None, "it is not there yet"
        loop.add_reader(agent, said)
        self._unwatch = lambda: loop.remove_reader(agent)

    def stop_watching(self) -> None:
        self._unwatch()
        self._unwatch = lambda: None

    def kill(self, why: str) -> None:
        """Whoever is about to start it sees that, and does not."""
        self.is_doomed = True
        self.vm.process.kill(why)

    def set_timer(self, loop: asyncio.AbstractEventLoop, seconds: float, why: str) -> None:
        """After so long it is killed, unless the timer is cancelled or set anew."""
        self.cancel_timer()
        self.timer = loop.call_later(seconds, self._too_late, why)

    def _too_late(self, why: str) -> None:
        self.told = self.told or NotImported("timeout", why)
        self.kill(why)

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def let_go(self) -> None:
        """Of what it would be restored from."""
        if self.left is not None:
            self.left.close()
            self.left = None

    def template_ready(self, found: Imported, size_mb: int, now: float) -> TemplateReady:
        made = making(found, (now - self.ordered_at) * 1e3).knowing(image=self.image_ms, network=self.network_ms)
        return TemplateReady(
            self.name, found.handler, found.signature, size_mb, made, found.event, found.logs, notes=found.notes
        )

    def sandbox_ready(self, told: SandboxReady, now: float) -> SandboxReady:
        """With what its worker knows of how it was made."""
        made = Making((now - self.ordered_at) * 1e3) if self.is_restored else told.made
        made = made.knowing(self.network_ms, self.image_ms, readiness=(now - self.woken_at) * 1e3)
        return msgspec.structs.replace(told, made=made)

    def end(self, why: str, *, was_oom: bool) -> SandboxGone | SandboxFailed | TemplateFailed:
        memory = f"it went over its memory of {self.revision.settings.memory_mb} MB"
        if self.is_ready:
            code, message = ("out_of_memory", memory) if was_oom else ("sandbox_lost", why)
            return SandboxGone(self.name, code, message)
        if was_oom:
            return self.failure("out_of_memory", f"{memory} while it started")
        return self.failure("start_failed", why)

    def failure(self, code: str, why: str) -> SandboxFailed | TemplateFailed:
        """It never was ready."""
        told = self.told
        if self.is_template:
            if told is None:
                return TemplateFailed(self.name, code, why)
            return TemplateFailed(self.name, told.code, told.message, told.traceback, told.logs, told.hint)
        if told is not None:
            return SandboxFailed(self.name, told.code, told.message, told.traceback)
        if self.sandbox is not None and self.sandbox.failure is not None:
            return self.sandbox.failure
        return SandboxFailed(self.name, code, why)

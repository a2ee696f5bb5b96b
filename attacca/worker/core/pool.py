"""Sandboxes and templates within what they share: made, at rest, killed, and who must go when room is short.

A sandbox holds its resources from the order to make it until the report that it is gone: what was merely told to die
may still hold all of them. So what is about to be freed is `leaving`, and whoever needs it waits for the report.
"""

from collections.abc import Callable
from enum import StrEnum

from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.kernel.protocol import heeds
from attacca.model.function import Revision
from attacca.model.invocation import Start
from attacca.model.messages import Resting, Send
from attacca.model.resources import NOTHING, Resources, scarcest, total
from attacca.policy.keepalive.types import Idle, Keepalive, KeepaliveState, begin
from attacca.worker.config import WorkerConfig
from attacca.worker.core.devices import Devices, with_devices, without_devices
from attacca.worker.core.events import Command, DropTemplate, Kill, MakeSandbox, MakeTemplate, TakeBack
from attacca.worker.core.eviction import Plan, plan
from attacca.worker.core.house import House
from attacca.worker.core.phases import Phase, TemplatePhase
from attacca.worker.core.state import Function, Loss, RevisionState, Sandbox, Template
from attacca.worker.core.timers import Key, Timer, Timers

BUFFER: Key = (Timer.BUFFER, "")


class Room(StrEnum):
    FREE = "free"  # take it now
    COMING = "coming"  # enough is leaving
    NONE = "none"


class Pool:
    def __init__(
        self,
        config: WorkerConfig,
        keepalive: Keepalive,
        ids: Ids,
        timers: Timers,
        functions: dict[str, Function],
        chance: Chance | None,
    ) -> None:
        self.capacity = config.resources
        devices = config.accelerators.devices
        self.devices = Devices(devices) if devices else None
        self.buffer_mb = config.memory_buffer_mb
        self._buffer_check_s = config.buffer_check_s
        self._ids = ids
        self._timers = timers
        self.sandboxes: dict[str, Sandbox] = {}
        self.templates: dict[str, Template] = {}
        self.used = NOTHING
        self.leaving = NOTHING  # of what is used: dying sandboxes, dropping templates
        self.news: dict[str, int] | None = None  # how many rest of those of which that has changed; None: nobody asks
        self.house = House(self, timers, functions, chance)
        self.keep_as(begin(keepalive, self.house))
        self._tell_made: Callable[[float, str], None] | None = getattr(self.keepalive, "made", None)

    def __repr__(self) -> str:
        return (
            f"<Pool {self.used.memory_mb} of {self.capacity.memory_mb} MB, {self.leaving.memory_mb} leaving, "
            f"{len(self.sandboxes)} sandboxes, {len(self.templates)} templates>"
        )

    def keep_as(self, keepalive: KeepaliveState) -> None:
        self.keepalive = keepalive
        self._heeds_arrivals, self._heeds_use = heeds(keepalive, "arrived"), heeds(keepalive, "became_busy")

    def arrived(self, now: float, function: str) -> None:
        if self._heeds_arrivals:
            self.keepalive.arrived(now, function)

    # One sandbox's life.

    def make(
        self, now: float, state: RevisionState, why: str, out: list[Command], *, ahead: bool, ordered: str = ""
    ) -> Sandbox:
        """The caller has seen that there is room. `ahead`: of need. `ordered`: by control, under this name."""
        template = state.ready_template
        made = Start.COLD if template is None else Start.TEMPLATE
        if ahead:
            made = Start.PREWARMED
        sandbox = Sandbox(ordered or self._ids.next(), state, made, why, template, now)
        self._reserve(now, sandbox.resources)
        self.sandboxes[sandbox.id] = state.sandboxes[sandbox.id] = sandbox
        state.live += 1
        state.starting += 1
        state.function.total += 1
        is_demanded = not (ahead or ordered)
        if is_demanded:
            state.demanded[sandbox.id] = sandbox
        if template is not None:
            template.children[sandbox.id] = sandbox
            template.used_at = now
        revision = state.revision
        if sandbox.resources.gpu and self.devices is not None:
            revision = with_devices(revision, self.devices.give(sandbox.id, sandbox.resources))
        elif revision.settings.is_either:
            revision = without_devices(revision)
        out.append(MakeSandbox(sandbox.id, revision, None if template is None else template.id, why))
        if self._tell_made is not None and is_demanded:
            self._tell_made(now, state.function.name)
        return sandbox

    def ready(self, now: float, sandbox: Sandbox) -> bool:
        """False: it was killed in that moment."""
        sandbox.ready()
        if sandbox.phase is Phase.DYING:
            return False
        state = sandbox.state
        state.starting -= 1
        state.demanded.pop(sandbox.id, None)
        state.failures = 0
        state.function.statistics.made_s.add(now - sandbox.made_at)
        return True

    def became_idle(self, now: float, sandbox: Sandbox) -> None:
        """Nothing runs in it."""
        state = sandbox.state
        function = state.function
        known, served = function.statistics, sandbox.served
        idle = Idle(
            sandbox.id,
            function.name,
            sandbox.resources,
            now,
            known.invocations,
            known.made_s.ewma,
            known.gap_s.ewma,
            served > 0,
            served,
            function.cached_uses,
            known.exec_s.ewma,
            state.application,
            state.trigger,
        )
        function.idle += 1
        if self.news is not None:
            self.news[function.name] = function.idle
        sandbox.idle = idle
        sandbox.idle_since = now
        sandbox.expiry = expiry = self.keepalive.became_idle(now, idle)
        if expiry is not None:
            self._timers.set(sandbox.timer, expiry.at)
        if self.buffer_mb:
            self._watch_buffer(now)

    def became_busy(self, now: float, sandbox: Sandbox) -> None:
        """It is taken into use."""
        idle = sandbox.idle
        if idle is not None:
            if self._heeds_use:
                self.keepalive.became_busy(now, idle)
            self._stir(sandbox)

    def make_way(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """The function has all the sandboxes it may have, but an idle one of another revision can go for this one."""
        function = state.function
        if state.has_its_most or any(
            sandbox.phase is Phase.DYING for other in function.states for sandbox in other.sandboxes.values()
        ):
            return
        for other in function.states:
            for sandbox in other.free:
                if other is not state and sandbox.idle is not None:
                    self.kill(now, sandbox, Loss(now, "made way", " for another revision"), out)
                    return

    def start_draining(self, sandbox: Sandbox, why: str, out: list[Command]) -> None:
        """It takes nothing new, and is killed when what runs in it has ended."""
        sandbox.start_draining(why)
        if sandbox.ahead:
            out.append(TakeBack(sandbox.id))
        sandbox.state.live -= 1
        if sandbox in sandbox.state.free:
            sandbox.state.free.remove(sandbox)

    def kill(self, now: float, sandbox: Sandbox, loss: Loss, out: list[Command]) -> None:
        before = sandbox.phase
        sandbox.kill()
        self._leave(now, sandbox, before, loss)
        self.leaving += sandbox.resources
        if sandbox.ahead:
            out.append(TakeBack(sandbox.id))
        out.append(Kill(sandbox.id, f"{loss.verb}{loss.why}"))

    def ended(self, now: float, sandbox: Sandbox, loss: Loss, out: list[Command], *, was_ready: bool) -> bool:
        """The runtime says that it is no more. False: it had been told to die."""
        before = sandbox.phase
        if was_ready:
            sandbox.gone()
        else:
            sandbox.failed()
        if before is Phase.DYING:
            self.leaving -= sandbox.resources
        else:
            self._leave(now, sandbox, before, loss)
        state = sandbox.state
        del self.sandboxes[sandbox.id], state.sandboxes[sandbox.id]
        state.function.total -= 1
        self.used -= sandbox.resources
        if self.devices is not None:
            self.devices.take_back(sandbox.id)
        template = sandbox.template
        if template is not None and template.lose(sandbox.id):
            self._drop(template, "retired, and its last sandbox is gone", out)
        return before is not Phase.DYING

    def tell_news(self, worker: str, watchers: list[str], out: list[Command]) -> None:
        """Before what has come of it."""
        news = self.news
        assert news is not None
        out[:0] = [Send(peer, Resting(worker, *one)) for peer in watchers for one in news.items()]
        news.clear()

    def _stir(self, sandbox: Sandbox) -> None:
        sandbox.idle = None
        function = sandbox.state.function
        function.idle -= 1
        if self.news is not None:
            self.news[function.name] = function.idle
        if sandbox.expiry is not None:
            self._timers.clear(sandbox.timer)

    def _leave(self, now: float, sandbox: Sandbox, before: Phase, loss: Loss) -> None:
        """It is out of its revision's count from now on; it may still hold its resources."""
        state = sandbox.state
        state.loss = loss
        state.function.cached_uses -= sandbox.served
        if before is not Phase.DRAINING:
            state.live -= 1
        if before is Phase.STARTING:
            state.starting -= 1
            state.demanded.pop(sandbox.id, None)
        if sandbox in state.free:
            state.free.remove(sandbox)
        if sandbox.idle is not None:
            self.keepalive.evicted(now, sandbox.idle)
            self._stir(sandbox)

    # Templates.

    def make_template(
        self, now: float, revision: Revision, state: RevisionState | None, out: list[Command]
    ) -> Template:
        template = Template(self._ids.next(), revision, state, now)
        self._reserve(now, template.resources)
        self.templates[template.id] = template
        if state is not None:
            state.template = template
        out.append(MakeTemplate(template.id, revision))
        return template

    def template_ready(self, template: Template, memory_mb: int) -> bool:
        """False: it was dropped in that moment."""
        before = template.resources
        template.ready(memory_mb)
        self.used = self.used - before + template.resources
        return template.phase is TemplatePhase.READY

    def retire(self, template: Template, why: str, out: list[Command]) -> None:
        """Nothing new is forked from it; it ends when no sandbox is left that was."""
        state = template.state
        if state is not None and state.template is template:
            state.template = None
            state.no_template_reason = why
        if template.retire():
            self._drop(template, why, out)

    def template_ended(self, template: Template, *, was_ready: bool) -> None:
        before = template.phase
        if was_ready:
            template.gone()
        else:
            template.failed()
        self.used -= template.resources
        if before is TemplatePhase.DROPPING:
            self.leaving -= template.resources
        del self.templates[template.id]

    def _drop(self, template: Template, why: str, out: list[Command]) -> None:
        self.leaving += template.resources
        out.append(DropTemplate(template.id, why))

    # Room.

    def idle(self) -> Resources:
        """Of what is used: sandboxes at rest. Added up when somebody asks, which no invocation does."""
        return total(sandbox.resources for sandbox in self.sandboxes.values() if sandbox.idle is not None)

    def fits(self, asked: Resources) -> bool:
        if asked.gpu and self.devices is not None and not self.devices.place(asked):
            return False
        return (self.used + asked).fits(self.capacity)

    def room(
        self,
        now: float,
        asked: Resources,
        state: RevisionState | None,
        out: list[Command],
        *,
        evict: bool,
        hard: bool = False,
        yields: RevisionState | None = None,
    ) -> Room:
        """Make room, for a sandbox of the revision or for a template: only if that frees enough. `hard`: begin anyway.

        `yields`: gives up its min_sandboxes too, because it is to be replaced by what is made.
        """
        if asked.gpu and self.devices is not None and not self.devices.place(asked):
            return self._room_on_devices(now, asked, state, out, evict=evict)
        wanted = self.used + asked
        if wanted.fits(self.capacity):
            return Room.FREE
        lack = (wanted - self.soon_free()).beyond(self.capacity)
        if lack == NOTHING:
            return Room.COMING
        if not evict:
            return Room.NONE
        chosen = plan(now, lack, state, self.keepalive, self.sandboxes, self.templates, hard=hard, yields=yields)
        is_enough = chosen.lack == NOTHING
        if not is_enough and not (hard and self._could_ever(lack, state, yields)):
            return Room.NONE
        self._carry_out(now, chosen, f" for {scarcest(lack)}", out)
        return Room.COMING if is_enough else Room.NONE

    def _room_on_devices(
        self, now: float, asked: Resources, state: RevisionState | None, out: list[Command], *, evict: bool
    ) -> Room:
        """No device has room for it now. Who has to go from one goes first: memory is looked for when it has gone."""
        assert self.devices is not None
        leaving = [one.id for one in self.sandboxes.values() if one.phase is Phase.DYING]
        chosen = self.devices.victims(asked, leaving, self._spare(now, state) if evict else ())
        if chosen is None:
            return Room.NONE
        self._carry_out(now, Plan([self.sandboxes[name] for name in chosen], [], NOTHING), " for a device", out)
        return Room.COMING

    def _spare(self, now: float, asking: RevisionState | None) -> list[str]:
        """Who may go from a device, in the order in which the policy lets them go."""
        spare: dict[RevisionState, int] = {}
        names = []
        resting = [sandbox.idle for sandbox in self.sandboxes.values() if sandbox.idle is not None]
        for idle in self.keepalive.victims(now, resting) if resting else ():
            state = self.sandboxes[idle.sandbox].state
            left = spare[state] = spare.get(state, state.live - state.least) - 1
            if state is not asking and left >= 0:
                names.append(idle.sandbox)
        return names

    def _could_ever(self, lack: Resources, asking: RevisionState | None, yields: RevisionState | None) -> bool:
        """Would it be enough if all that others run came to rest?"""
        others: dict[RevisionState, int] = {}  # how many sandboxes can be spared
        for sandbox in self.sandboxes.values():
            state = sandbox.state
            if state is not asking and sandbox.phase is not Phase.DYING:
                others.setdefault(state, 0 if state is yields else -state.least)
                others[state] += 1
        return lack.fits(total(state.resources * count for state, count in others.items() if count > 0))

    def soon_free(self) -> Resources:
        """What leaves, with the templates that end when the sandboxes that are dying now are gone."""
        return self.leaving + total(
            template.resources
            for template in self.templates.values()
            if template.phase is TemplatePhase.RETIRED
            and all(child.phase is Phase.DYING for child in template.children.values())
        )

    def restore_buffer(self, now: float, out: list[Command]) -> None:
        lack = (self.used + Resources(self.buffer_mb) - self.soon_free()).beyond(self.capacity)
        if lack != NOTHING:
            chosen = plan(now, lack, None, self.keepalive, self.sandboxes, self.templates)
            self._carry_out(now, chosen, " for the free buffer", out)

    def _carry_out(self, now: float, chosen: Plan, why: str, out: list[Command]) -> None:
        for sandbox in chosen.sandboxes:
            self.kill(now, sandbox, Loss(now, "evicted", why), out)
        for template in chosen.templates:
            self.retire(template, f"template evicted{why}", out)

    def _reserve(self, now: float, asked: Resources) -> None:
        self.used += asked
        assert self.used.fits(self.capacity), "nothing is ever over-committed"
        self._watch_buffer(now)

    def _watch_buffer(self, now: float) -> None:
        wanted_mb = self.used.memory_mb + self.buffer_mb - self.leaving.memory_mb
        if wanted_mb > self.capacity.memory_mb and not self._timers.is_set(BUFFER):
            self._timers.set(BUFFER, now + self._buffer_check_s)

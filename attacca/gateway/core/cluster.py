"""Invocations of functions whose sandboxes control makes: each is held here until a sandbox has a free slot.

    Arrived ──▶ a slot is free ──▶ Dispatch to that sandbox ──Started──▶ as everywhere
       │                               ▲          │
       ▼                               │          ▼
    waiting ──── a slot is freed ──────┘     NotBegun: back to the front of those who wait
                 an endpoint is added

What control publishes is numbered; a gap asks for the whole. Control hears how many run and wait: at once when somebody
has to wait where nobody did, else of all that has changed in DEMAND_S.
"""

from collections.abc import Callable, Iterable
from math import inf

from attacca.errors import Draining, NotFound
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.deadlines import Deadlines
from attacca.gateway.core.events import Arrived, Command, TellControl
from attacca.gateway.core.inflight import NO_TIME, Function, Inflight
from attacca.gateway.core.slots import SandboxHandle, Slots, Slotter, waited
from attacca.gateway.core.workers import WorkerHandle, Workers
from attacca.model.endpoints import (
    AskEndpoints,
    Endpoint,
    Endpoints,
    EndpointsChanged,
    Load,
    Loads,
    NotBegun,
    SlotFree,
    StartsFail,
)
from attacca.model.invocation import Failed, Invocation, Outcome, Timing
from attacca.model.messages import Dispatch, Send

DEMAND_S = 0.05
Event = NotBegun | SlotFree | Endpoints | EndpointsChanged | StartsFail
Place = Callable[[float, Inflight, list[Command]], None]
Close = Callable[[float, Inflight, Outcome, list[Command]], None]
AT_ONCE = "a sandbox had a free slot"
WAITED = "a slot has become free"
MADE = "a sandbox was made"
DRAINING = Failed(Draining.code, "the gateway is shutting down", "send it again a little later, or to another server")


class Cluster:
    def __init__(
        self, inflight: dict[str, Inflight], functions: Functions, deadlines: Deadlines[Inflight], workers: Workers,
        close: Close, place: Place, fresh: Slotter,
    ) -> None:  # fmt: skip
        """`place`: with a worker, which has to see to all else. `fresh`: see `Slots`."""
        self._fresh = fresh
        self._inflight = inflight
        self._functions = functions
        self._deadlines = deadlines
        self._workers = workers
        self._close = close
        self._place = place
        self.nowhere = WorkerHandle("", 0.0)  # has those that wait for a slot
        self.generation: int | None = None  # None: nothing was published yet
        self._has_asked = False
        self.by_function: dict[str, Slots[Inflight]] = {}  # whatever has an endpoint, or is scheduled so
        self.by_sandbox: dict[str, SandboxHandle[Inflight]] = {}
        self.by_worker: dict[str, dict[str, SandboxHandle[Inflight]]] = {}
        self.fixed: set[str] = set()  # sandboxes that are not published, and are there until they are taken back
        self.full: dict[str, SandboxHandle[Inflight]] = {}  # as their workers have said
        self.changed: list[Slots[Inflight]] = []
        self.tell_at = inf  # when control is to hear of them

    def __repr__(self) -> str:
        return (
            f"<Cluster {len(self.by_sandbox)} sandboxes of {len(self.by_function)} functions, "
            f"{self.nowhere.queued} wait for a slot>"
        )

    # Invocations.

    def handle(self, now: float, event: Event, out: list[Command]) -> None:
        match event:
            case NotBegun():
                self._not_begun(now, event, out)
            case SlotFree():
                self._freed(now, event, out)
            case Endpoints() | EndpointsChanged():
                self._publish(now, event, out)
            case StartsFail():
                self._starts_fail(now, event, out)

    def arrive(self, now: float, event: Arrived, function: Function, out: list[Command]) -> None:
        """It is admitted already."""
        key, slots = event.id, function.slots
        assert slots is not None, f"{function!r} has no slots"
        inflight = Inflight(key, function, event.request, event.client, self.nowhere, "", now, event.at)
        inflight.waiting = len(slots.waiting)
        self._inflight[key] = inflight
        function.arrived_count += 1
        function.waiting += 1
        function.statistics.taken += 1
        self._deadlines.add(now, function.clocks.wait, inflight)
        self.nowhere.queued += 1
        if slots.free:
            self._give(now, slots, inflight, out)
        else:
            slots.waiting[inflight] = None
        self._note(now, slots, out)

    def hold(self, now: float, inflight: Inflight, out: list[Command]) -> None:
        """It was sent once, and was not begun or may begin again: it goes before those who came later."""
        slots = inflight.function.slots
        assert slots is not None, f"{inflight!r} needs no slot"
        inflight.holder = self.nowhere
        self.nowhere.queued += 1
        slots.waiting[inflight] = None
        slots.waiting.move_to_end(inflight, last=False)
        self.serve(now, slots, out)
        self._note(now, slots, out)

    def leave(self, now: float, inflight: Inflight, out: list[Command]) -> None:
        """It waits no longer, or its slot is free."""
        function, sandbox = inflight.function, inflight.slot
        slots = function.slots
        if sandbox is None:
            if slots is not None and slots.waiting:
                slots.waiting.pop(inflight, None)
        else:
            inflight.slot = None
            sandbox.taken -= 1
            slots = sandbox.slots
            if slots is not None:
                slots.look(sandbox)
                self.serve(now, slots, out)
        if slots is not None:
            self._note(now, slots, out)

    def distrust(self, inflight: Inflight) -> None:
        """It is given up: its worker rather ends the sandbox than let it have another one. It will say so."""
        if inflight.slot is not None and inflight.slot.slots is not None and inflight.slot.id not in self.fixed:
            self._take_for_full(inflight.slot)

    def _take_for_full(self, sandbox: SandboxHandle[Inflight]) -> None:
        sandbox.is_full = True
        self.full[sandbox.id] = sandbox
        if sandbox.slots is not None:
            sandbox.slots.look(sandbox)

    def lost(self, inflight: Inflight) -> None:
        """Its sandbox has died, as its worker says; control will say so too."""
        sandbox = inflight.slot
        if sandbox is not None and sandbox.slots is not None:
            self.forget(sandbox)

    def serve(self, now: float, slots: Slots[Inflight], out: list[Command]) -> None:
        """Whoever waits gets what is free."""
        if not (slots.waiting and slots.free):
            return
        while slots.waiting and slots.free:
            self._give(now, slots, slots.waiting.popitem(last=False)[0], out)
        self._note(now, slots, out)

    def _give(self, now: float, slots: Slots[Inflight], inflight: Inflight, out: list[Command]) -> None:
        function = inflight.function
        sandbox, why = slots.take()
        handle = sandbox.handle
        assert handle is not None, f"{sandbox!r} was given out"
        self.nowhere.queued -= 1
        handle.queued += 1
        inflight.holder = handle
        inflight.slot = sandbox
        inflight.revision = function.number
        waited_ms = (now - inflight.arrived) * 1e3
        if not waited_ms:
            inflight.place = f"{AT_ONCE}: {why}" if why else AT_ONCE
        elif sandbox.is_new:
            inflight.timing, inflight.place = waited(waited_ms, sandbox.endpoint.timing), MADE
        else:
            inflight.timing, inflight.place = Timing(queued=waited_ms), WAITED
        sandbox.is_new = False
        invocation = Invocation(inflight.key, function.name, function.revision_id, inflight.request)
        out.append(Send(handle.name, Dispatch(invocation, sandbox=sandbox.id)))

    def _not_begun(self, now: float, message: NotBegun, out: list[Command]) -> None:
        """The sandbox is gone, of which control will tell; or others have its slots."""
        sandbox = self.by_sandbox.get(message.sandbox)
        if sandbox is not None:
            if message.is_full:
                self._take_for_full(sandbox)
            else:
                self.forget(sandbox)
        inflight = self._inflight.get(message.id)
        if inflight is None or inflight.slot is None or inflight.start is not None:
            return
        self.leave(now, inflight, out)
        function = inflight.function
        if self._functions.by_name.get(function.name) is not function:
            self._close(now, inflight, _deleted(function), out)
            return
        inflight.holder.queued -= 1
        inflight.attempts += 1
        inflight.timing = NO_TIME
        self.rename(inflight)
        if function.slots is not None:
            self.hold(now, inflight, out)
        else:
            self._place(now, inflight, out)

    def rename(self, inflight: Inflight) -> None:
        """What is said of the attempt before is not meant any more."""
        del self._inflight[inflight.key]
        inflight.key = f"{inflight.id}~{inflight.attempts}"
        self._inflight[inflight.key] = inflight

    # What control publishes.

    def _publish(self, now: float, message: Endpoints | EndpointsChanged, out: list[Command]) -> None:
        known = self.generation
        if isinstance(message, EndpointsChanged):
            if known is not None and message.generation <= known:
                return  # told before
            if known is None or message.generation > known + 1:
                if not self._has_asked:
                    self._has_asked = True
                    out.append(TellControl(AskEndpoints()))
                return
            removed: Iterable[str] = message.removed
            added = message.added
        else:
            added = message.endpoints
            there = {endpoint.sandbox for endpoint in added}
            removed = [one for one in self.by_sandbox if one not in there | self.fixed] if message.is_whole else ()
            self._has_asked = False
            self._tell_all(now, out)
        self.generation = message.generation
        for name in removed:
            if name in self.by_sandbox:
                self.forget(self.by_sandbox[name])
        for endpoint in added:
            if endpoint.sandbox not in self.by_sandbox:
                self.add(now, endpoint, out)

    def _starts_fail(self, now: float, message: StartsFail, out: list[Command]) -> None:
        slots = self.by_function.get(message.function)
        if slots is None or slots.revision != message.revision or slots.sandboxes:
            return
        for inflight in list(slots.waiting):
            self._close(now, inflight, message.error, out)

    def add(self, now: float, endpoint: Endpoint, out: list[Command]) -> None:
        slots = self._slots(endpoint.function)
        sandbox = self.by_sandbox[endpoint.sandbox] = slots.add(endpoint)
        self.by_worker.setdefault(endpoint.worker, {})[endpoint.sandbox] = sandbox
        sandbox.handle = self._reachable(endpoint.worker)
        slots.look(sandbox)
        self.serve(now, slots, out)

    def forget(self, sandbox: SandboxHandle[Inflight]) -> None:
        """It takes nothing new; what it runs goes on."""
        del self.by_sandbox[sandbox.id]
        worker = sandbox.endpoint.worker
        del self.by_worker[worker][sandbox.id]
        if not self.by_worker[worker]:
            del self.by_worker[worker]
        self.full.pop(sandbox.id, None)
        slots = sandbox.slots
        assert slots is not None
        slots.remove(sandbox)
        self._drop_unused(slots)

    def _slots(self, name: str) -> Slots[Inflight]:
        slots = self.by_function.get(name)
        if slots is None:
            slots = self.by_function[name] = Slots(name, self._fresh)
        return slots

    def _drop_unused(self, slots: Slots[Inflight]) -> None:
        function = self._functions.by_name.get(slots.name)
        if not slots.sandboxes and (function is None or function.slots is not slots):
            self.by_function.pop(slots.name, None)

    # Functions.

    def adopt(self, now: float, function: Function, out: list[Command]) -> list[Inflight]:
        """It is new, or has another revision. The answer: those who waited for a slot, and need none any more."""
        if function.is_clustered:
            slots = function.slots = self._slots(function.name)
            if slots.revision != function.revision_id:
                slots.use(function.revision_id)
                self.serve(now, slots, out)
            return []
        old, function.slots = function.slots, None
        if old is None:
            return []
        left = list(old.waiting)
        old.waiting.clear()
        self.nowhere.queued -= len(left)
        self._drop_unused(old)
        return left

    def delete(self, now: float, function: Function, out: list[Command]) -> None:
        """Nobody will make a sandbox for those who wait."""
        slots = function.slots
        if slots is None:
            return
        for inflight in list(slots.waiting):
            self._close(now, inflight, _deleted(function), out)
        slots.use("")
        function.slots = None
        self._drop_unused(slots)

    def drain(self, now: float, out: list[Command]) -> None:
        for slots in list(self.by_function.values()):
            for inflight in list(slots.waiting):
                self._close(now, inflight, DRAINING, out)

    # Workers.

    def _reachable(self, worker: str) -> WorkerHandle | None:
        handle = self._workers.by_name.get(worker)
        return None if handle is None or handle.is_draining else handle

    def look(self, now: float, worker: str, out: list[Command]) -> None:
        """It has joined, is gone, drains, or has been heard of."""
        handle = self._reachable(worker)
        for sandbox in list(self.by_worker.get(worker, {}).values()):
            slots = sandbox.slots
            if slots is None or (sandbox.handle is handle and not sandbox.is_full):
                continue
            sandbox.handle = handle
            sandbox.is_full = False
            self.full.pop(sandbox.id, None)
            slots.look(sandbox)
            self.serve(now, slots, out)

    def heard(self, now: float, worker: str, out: list[Command]) -> None:
        """What it has said of a slot may be lost: those that were full are tried again."""
        sandboxes = self.by_worker.get(worker)
        if sandboxes and (self.full or next(iter(sandboxes.values())).handle is not self._reachable(worker)):
            self.look(now, worker, out)

    def _freed(self, now: float, message: SlotFree, out: list[Command]) -> None:
        sandbox = self.full.pop(message.sandbox, None)
        if sandbox is not None and sandbox.slots is not None:
            sandbox.is_full = False
            sandbox.slots.look(sandbox)
            self.serve(now, sandbox.slots, out)

    # What control is told.

    def _note(self, now: float, slots: Slots[Inflight], out: list[Command]) -> None:
        if slots.waiting and not slots.told:
            slots.told = len(slots.waiting)
            if (load := self._load(now, slots)) is not None:
                out.append(TellControl(Loads((load,))))
        elif not slots.is_changed:
            slots.is_changed = True
            self.changed.append(slots)
            if self.tell_at == inf:
                self.tell_at = now + DEMAND_S
                self._deadlines.alarm.by(self.tell_at)

    def tell(self, now: float, out: list[Command]) -> None:
        """Of all that has changed."""
        loads = []
        for slots in self.changed:
            slots.is_changed = False
            slots.told = len(slots.waiting)
            load = self._load(now, slots)
            if load is not None:
                loads.append(load)
        self.changed.clear()
        self.tell_at = inf
        if loads:
            out.append(TellControl(Loads(tuple(loads))))

    def _tell_all(self, now: float, out: list[Command]) -> None:
        """Who publishes anew may not know what is wanted."""
        for slots in self.by_function.values():
            function = self._functions.by_name.get(slots.name)
            if not slots.is_changed and function is not None and (function.waiting or function.running):
                slots.is_changed = True
                self.changed.append(slots)
        self.tell(now, out)

    def _load(self, now: float, slots: Slots[Inflight]) -> Load | None:
        function = self._functions.by_name.get(slots.name)
        if function is None or function.slots is not slots:
            return None
        first = next(iter(slots.waiting), None)
        return Load(
            slots.name,
            function.waiting + function.running - len(slots.waiting),
            len(slots.waiting),
            0.0 if first is None else now - first.arrived,
            function.arrived_count,
            function.statistics.exec_s,
        )


def _deleted(function: Function) -> Failed:
    return Failed(NotFound.code, f"{function.name!r} was deleted while it waited for a sandbox", "deploy it again")

"""The workers that a gateway sends to: what each was sent and has not ended, what each last said, and who is next."""

from collections.abc import Callable
from math import inf
from typing import Final

from attacca.gateway.core.charted import Charted
from attacca.kernel.timers import Alarm
from attacca.model.machine import Machine, Needs, unable
from attacca.model.messages import Resting
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.policy.balancing.types import Asked, Balancer, Done

ONLY: Final = "the only worker"
DEAF_S = 0.5  # who looks so much later than it wanted to has not listened either
CATCH_UP_S = 1.0


class WorkerHandle:
    """One worker, from its joining until it is dropped. It is a `policy.balancing.types.Worker`."""

    __slots__ = (
        "_ask", "_idle", "capacity", "charted", "cores", "heard_at", "is_draining", "limit", "name", "queued",
        "running", "view", "waiting",
    )  # fmt: skip

    def __init__(self, name: str, now: float, ask: Callable[[], None] | None = None) -> None:
        self._ask = ask  # so that workers say what rests
        self.name = name
        self.queued = 0
        self.running = 0
        self.waiting = 0
        self.limit = 1
        self.cores = 1
        self.capacity = NOTHING
        self.heard_at = now
        self.is_draining = False
        self.view: WorkerView | None = None
        self.charted: float | None = None
        self._idle: dict[str, int] | None = None  # None: as the view says

    def __repr__(self) -> str:
        state = " draining," if self.is_draining else ""
        return f"<WorkerHandle {self.name}:{state} {self.queued} queued, {self.running} running of {self.limit}>"

    def hear(self, now: float, view: WorkerView) -> None:
        self.heard_at = now
        self.waiting = view.queued
        self.limit = max(view.limit, 1)
        self.cores = max(view.cores, 1)
        self.capacity = view.capacity
        self.is_draining = view.draining
        self.view = view
        if view.idle is not None:
            self._idle = dict(view.idle)
        elif view.functions:
            self._idle = None

    @property
    def load(self) -> MachineLoad | None:
        return None if self.view is None else self.view.load

    @property
    def free(self) -> Resources:
        return NOTHING if self.view is None else self.view.capacity.beyond(self.view.used)

    def idle(self, function: str) -> int:
        if self._ask is not None:
            self._ask()
        return self.resting().get(function, 0)

    def resting(self) -> dict[str, int]:
        if self._idle is None:  # counted when it is first asked for: few policies do
            known = () if self.view is None else self.view.functions
            self._idle = {one.function: one.idle for one in known}
        return self._idle


class Workers:
    """`only` is the one to take when there is nothing to choose: the road without a policy."""

    __slots__ = (
        "_alarm", "_balancer", "_tell_eased", "_tell_resting", "all_drain", "by_name", "is_asked", "machines", "only",
        "silent_at", "silent_s", "tell_eased", "tell_ended",
    )  # fmt: skip

    def __init__(self, balancer: Balancer, silent_s: float, alarm: Alarm) -> None:
        self.by_name: dict[str, WorkerHandle] = {}
        self.machines: dict[str, Machine | None] = {}  # of those that were not told to have left
        self.only: WorkerHandle | None = None
        self.all_drain = True  # there is none, or none that would take what is new
        self.silent_s = silent_s
        self.silent_at = inf  # nobody is silent for too long earlier; it may be too early, never too late
        self._alarm = alarm
        self._balancer = balancer
        self.tell_ended: Callable[[float, Done], None] | None = getattr(balancer, "ended", None)
        self._tell_eased: Callable[[str], None] | None = getattr(balancer, "eased", None)
        self.tell_eased: Callable[[str], None] | None = None  # where there is nothing to choose, nobody listens
        self._tell_resting: Callable[[float, str, str, int], None] | None = getattr(balancer, "resting", None)
        self.is_asked = self._tell_resting is not None  # workers are to say what rests

    def __repr__(self) -> str:
        return f"<Workers {len(self.by_name)}, silent at {self.silent_at:g}>"

    def ask(self) -> None:
        self.is_asked = True

    def chart(self, event: Charted) -> None:
        for name, handle in self.by_name.items():
            handle.charted = event.loads.get(name)

    def rests(self, now: float, message: Resting) -> None:
        handle = self.by_name.get(message.worker)
        if handle is not None:
            handle.resting()[message.function] = message.idle
            if self._tell_resting is not None:
                self._tell_resting(now, message.worker, message.function, message.idle)

    def _compare(self, now: float, handle: WorkerHandle, before: dict[str, int]) -> None:
        """What was lost on the way is made good."""
        if self._tell_resting is None:
            return
        after = handle.resting()
        for function in sorted({**before, **after}):
            if before.get(function, 0) != after.get(function, 0):
                self._tell_resting(now, handle.name, function, after.get(function, 0))

    def join(self, now: float, view: WorkerView) -> WorkerHandle:
        assert view.name not in self.by_name, f"worker {view.name} is there already"
        handle = self.by_name[view.name] = WorkerHandle(view.name, now, self.ask)
        handle.hear(now, view)
        self.silent_at = min(self.silent_at, now + self.silent_s)
        self._alarm.by(self.silent_at)
        self.renew()
        self._compare(now, handle, {})
        return handle

    def hear(self, now: float, handle: WorkerHandle, view: WorkerView) -> None:
        was_draining, limit = handle.is_draining, handle.limit
        before = handle.resting() if self._tell_resting is not None else {}
        handle.hear(now, view)
        self._compare(now, handle, before)
        if handle.is_draining is not was_draining:
            self.renew()
        elif handle.limit != limit:
            self.ease(handle)

    def ease(self, handle: WorkerHandle) -> None:
        if self.tell_eased is not None:
            self.tell_eased(handle.name)

    def drop(self, name: str) -> WorkerHandle | None:
        handle = self.by_name.pop(name, None)
        if handle is not None:
            self.renew()
        return handle

    def silent(self, now: float) -> list[WorkerHandle]:
        """Those not heard of for too long, the smaller name first. They are not dropped yet.

        Who looks late was deaf itself: what was said meanwhile may be about to arrive, and has a moment to do so.
        """
        if now - self.silent_at > DEAF_S:
            for handle in self.by_name.values():
                handle.heard_at = max(handle.heard_at, now + CATCH_UP_S - self.silent_s)
        silent, self.silent_at = [], inf
        for handle in self.by_name.values():
            at = handle.heard_at + self.silent_s
            if at <= now:
                silent.append(handle)
            else:
                self.silent_at = min(self.silent_at, at)
        return sorted(silent, key=_name)

    def pick(self, now: float, asked: Asked, needs: Needs) -> tuple[WorkerHandle, str]:
        """There must be one."""
        only = self.only
        if only is not None:
            return only, ONLY
        picked = self._balancer.pick(now, asked)
        handle = self.by_name[picked.worker]
        why = self._unable(handle, needs)
        return self._instead(picked.worker, why, needs) if why else (handle, picked.why)

    def _unable(self, handle: WorkerHandle, needs: Needs) -> str:
        machine = self.machines.get(handle.name)
        if machine is None:
            return ""
        gone = handle.view.devices_gone if needs[2] and handle.view is not None else 0
        return unable(machine, needs, gone)

    def _instead(self, name: str, why: str, needs: Needs) -> tuple[WorkerHandle, str]:
        """Policies know nothing of kinds and networks: of those that can the least loaded has it. Where nobody can, it
        stays with whom the policy took, whose refusal says why."""
        able = [handle for handle in self.by_name.values() if not self._unable(handle, needs)]
        able = [handle for handle in able if not handle.is_draining] or able
        if not able:
            return self.by_name[name], f"nobody can have it: of {name}, {why}"
        return min(able, key=_loaded), f"the least loaded that can have it: of {name}, {why}"

    def renew(self) -> None:
        """Who can be picked has changed. Those that drain get nothing, unless all do: their refusal says why."""
        taking = [handle for handle in self.by_name.values() if not handle.is_draining]
        self.all_drain = not taking
        handles = taking or list(self.by_name.values())
        self.only = handles[0] if len(handles) == 1 else None
        self.tell_eased = self._tell_eased if self.only is None else None
        self._balancer.among(handles)


def _loaded(handle: WorkerHandle) -> tuple[int, str]:
    return handle.queued + handle.running, handle.name


def _name(handle: WorkerHandle) -> str:
    return handle.name

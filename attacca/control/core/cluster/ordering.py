"""Has sandboxes made and stopped: on which worker, on another one beside it when that is slow, elsewhere when it fails.

    start ──▶ STARTING ──SandboxUp──▶ UP ──stop──▶ STOPPING ──SandboxDown──▶ gone
                 │ slow: a twin on another worker       ▲ said again, until its worker answers
                 └──SandboxDown──▶ gone: the caller decides whether to try again

Creations do not wait for one another, and what a sandbox holds is promised from the order until its worker says that it
is gone.
"""

from collections.abc import Mapping
from enum import IntEnum

from attacca.control.core.cluster.creations import Creation, Creations
from attacca.control.core.cluster.hosts import Host
from attacca.control.core.cluster.publisher import Publisher
from attacca.control.core.cluster.scaled import Instance, Life, ScaledFunction
from attacca.control.core.events import Command
from attacca.kernel.timers import Timers
from attacca.model.endpoints import StartSandbox, StopSandbox
from attacca.model.invocation import Timing
from attacca.model.machine import Needs, unable
from attacca.model.messages import Send
from attacca.policy.placement.types import Ask, Near, NoRoom, Placed, Placer

HEDGE_FACTOR = 4.0  # times what its creations take on average
HEDGE_LEAST_S = 0.25
HEDGE_UNKNOWN_S = 5.0
HEDGE_SHARE = 10  # of so many creations that are under way, one may have a twin
LOST_S = 120.0  # after which an order is not believed in any more: longer than any import may take
STOP_AGAIN_S = 30.0


class Timer(IntEnum):
    ASK = 0  # the scaling policy, of a function
    REST = 1  # a function whose sandboxes could not be made
    SLOW = 2  # a sandbox that is not up yet
    STOP = 3  # one that does not end
    SETTLED = 4  # whoever is there has been heard of
    THAW = 5  # from now on sandboxes may be stopped


Key = tuple[Timer, str]


class Ordering:
    def __init__(
        self, placers: Mapping[str, Placer], publisher: Publisher, timers: Timers[Key], creations: Creations
    ) -> None:
        self._placers = placers
        self._publisher = publisher
        self._timers = timers
        self._creations = creations
        self.hosts: dict[str, Host] = {}
        self.instances: dict[str, Instance] = {}
        self.prefix = "c0-"  # no two runs of control give the same name
        self.count = 0  # orders so far
        self.starting = self.twins = 0
        self._fresh: dict[str, None] = {}  # placers that know the hosts as they are
        self._unable: dict[Needs, dict[str, str]] = {}  # hosts that cannot have what needs that, and why

    def __repr__(self) -> str:
        return f"<Ordering {len(self.instances)} sandboxes on {len(self.hosts)} workers, {self.starting} starting>"

    def renew(self) -> None:
        """Workers have joined or left."""
        self._fresh.clear()
        self._unable.clear()

    def unable(self, needs: Needs) -> dict[str, str]:
        found = self._unable.get(needs)
        if found is None:
            whys = {host.name: unable(host.machine, needs) for host in self.hosts.values()}
            found = self._unable[needs] = {name: why for name, why in whys.items() if why}
        return found

    def _placer(self, name: str) -> Placer:
        placer = self._placers[name]
        if name not in self._fresh:
            self._fresh[name] = None
            placer.among(list(self.hosts.values()))
        return placer

    # Making.

    def start(
        self,
        now: float,
        function: ScaledFunction,
        asked_at: float,
        out: list[Command],
        *,
        tried: tuple[str, ...] = (),
        beside: Instance | None = None,
        on: str = "",
    ) -> NoRoom | None:
        """`tried`: not there. `beside`: as its twin. `on`: there, where something idle is to make room."""
        revision = function.revision
        cannot = self.unable(revision.needs)
        if cannot and len(cannot) == len(self.hosts):
            name = min(cannot)
            return NoRoom(f"no worker can have it: of {name}, {cannot[name]}")
        avoid = (*tried, *cannot) if cannot else tried
        ask = Ask(function.name, revision.settings.resources, function.by_worker, function.near, avoid)
        placed = Placed(on, "what is idle there makes room") if on else self._placer(function.placer).place(now, ask)
        if isinstance(placed, NoRoom):
            return placed
        self.count += 1
        name, why = f"{self.prefix}{self.count}", f"{function.why}; {placed.why}"
        instance = Instance(name, self.count, function, placed.worker, now, asked_at, why)
        instance.tried = tried
        if beside is None:
            function.starting[name] = instance
        else:
            beside.twin, instance.twin = instance, beside
            self.twins += 1
        self.starting += 1
        self._keep(instance)
        self._timers.set((Timer.SLOW, name), now + (LOST_S if beside else slow_s(function)))
        out.append(Send(placed.worker, StartSandbox(name, function.name, revision.id, why, not function.waiting)))
        return None

    def slow(self, now: float, instance: Instance, out: list[Command]) -> bool:
        """It takes long. True: so long that it is given up, and the caller is to see to another one."""
        if now >= instance.ordered_at + LOST_S:
            self._failed(now, instance, "timeout")
            self.stop(now, instance, "it was never heard of", out)
            return True
        self._timers.set((Timer.SLOW, instance.id), instance.ordered_at + LOST_S)
        if self.twins * HEDGE_SHARE < max(self.starting, HEDGE_SHARE) and len(self.hosts) > 1:
            avoid = (*instance.tried, instance.worker)
            if self.start(now, instance.function, instance.asked_at, out, tried=avoid, beside=instance) is None:
                self._creations.hedged += 1
        return False

    def adopt(self, now: float, name: str, worker: str, function: ScaledFunction) -> Instance:
        """One that control has ordered in another life."""
        self.count += 1
        instance = Instance(name, self.count, function, worker, now, now, "it was there")
        function.starting[name] = instance
        self.starting += 1
        self._keep(instance)
        self._timers.set((Timer.SLOW, name), now + LOST_S)
        return instance

    def up(self, now: float, instance: Instance, timing: Timing, out: list[Command], *, is_new: bool) -> None:
        """`is_new`: it was ordered in this life, so its phases are known."""
        function, twin = instance.function, instance.twin
        self._left_starting(instance)
        instance.phase = Life.UP
        function.up[instance.id] = instance
        function.near[instance.worker] = Near.TEMPLATE
        self._publisher.add(instance.endpoint(timing))
        if is_new:
            function.took(now - instance.ordered_at)
            self._creations.up += 1
            at_once = None if self._publisher.apart else 0.0  # in one process they hear of it in this step
            self._creations.add(_creation(now, instance, "up", timing, at_once))
        if twin is not None:
            self.stop(now, twin, "another was quicker", out)

    def stop(self, now: float, instance: Instance, why: str, out: list[Command]) -> None:
        """Gateways send nothing more to it, and what runs there ends."""
        if instance.phase is Life.STARTING:
            self._left_starting(instance)
        elif instance.phase is Life.UP:
            del instance.function.up[instance.id]
            self._publisher.remove(instance.id)
        instance.phase = Life.STOPPING
        self.stop_again(now, instance, why, out)

    def stop_again(self, now: float, instance: Instance, why: str, out: list[Command]) -> None:
        self._timers.set((Timer.STOP, instance.id), now + STOP_AGAIN_S)
        out.append(Send(instance.worker, StopSandbox(instance.id, why)))

    def gone(self, now: float, instance: Instance, code: str) -> bool:
        """True: it was being made, and nobody else is in its place."""
        is_missed = instance.phase is Life.STARTING and instance.twin is None
        if instance.phase is Life.STARTING:
            self._failed(now, instance, code)
            self._left_starting(instance)
        elif instance.phase is Life.UP:
            del instance.function.up[instance.id]
            self._publisher.remove(instance.id)
        else:
            self._timers.clear((Timer.STOP, instance.id))
        del self.instances[instance.id]
        instance.function.count(instance.worker, -1)
        self.hosts[instance.worker].remove(instance)
        return is_missed

    def _keep(self, instance: Instance) -> None:
        self.instances[instance.id] = instance
        instance.function.count(instance.worker, 1)
        self.hosts[instance.worker].add(instance)

    def _left_starting(self, instance: Instance) -> None:
        """Its twin, if it has one, is in its place, or it was only the other's."""
        function, twin = instance.function, instance.twin
        self.starting -= 1
        self._timers.clear((Timer.SLOW, instance.id))
        function.starting.pop(instance.id, None)
        if twin is not None:
            self.twins -= 1
            instance.twin = twin.twin = None
            function.starting[twin.id] = twin

    def _failed(self, now: float, instance: Instance, code: str) -> None:
        self._creations.failed += 1
        self._creations.add(_creation(now, instance, code, Timing(), None))


def slow_s(function: ScaledFunction) -> float:
    """After so long another worker is asked too."""
    return max(HEDGE_LEAST_S, HEDGE_FACTOR * function.made_s) if function.made_s else HEDGE_UNKNOWN_S


def _creation(now: float, instance: Instance, outcome: str, timing: Timing, propagation: float | None) -> Creation:
    spent_ms = (now - instance.ordered_at) * 1e3
    on_worker = timing.queued + timing.making.whole
    return Creation(
        at=now,
        function=instance.function.name,
        revision=instance.revision,
        sandbox=instance.id,
        worker=instance.worker,
        outcome=outcome,
        why=instance.why,
        decision=(instance.ordered_at - instance.asked_at) * 1e3,
        order=max(0.0, spent_ms - on_worker),
        room=timing.queued,
        sandbox_ms=timing.sandbox,
        network=timing.network,
        image=timing.image,
        code=timing.code,
        imports=timing.imports,
        readiness=timing.readiness,
        propagation=propagation,
    )

"""Several controls over one store in virtual time, as far as leading goes: the leadership core itself, and planes that
obey the highest term. Calls of the store take a while each way, or get lost; so does what a leader says.

Whoever is stalled, as a process that was stopped, does nothing, and learns of it only when it goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any

from attacca.control.core.events import Tick
from attacca.control.core.leadership import (
    AskLease,
    Command,
    Denied,
    Event,
    GiveBack,
    Granted,
    Lead,
    LeadershipCore,
    LeadershipStage,
    Open,
    Opened,
    OpenFailed,
    StepDown,
    Unanswered,
)
from attacca.kernel.drive import Drive, each, raise_refused
from attacca.kernel.terms import Terms
from attacca.load.workload.scenario import Distribution
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.draws import Duration

SAID_S = 0.5  # how often a leader says that it leads


class SimulatedStore:
    """A lease, and the term of whoever had it last. `ends_at`: of the lease, by the store's own clock."""

    def __init__(self, engine: Engine, seed: int, latency: Distribution) -> None:
        self.holder = ""
        self.fence = self.term = 0
        self.ends_at = 0.0
        self.is_away = False
        self.cut: dict[str, None] = {}  # who does not reach it, by machine
        self.slow_s = 0.0  # more, each way
        self._engine = engine
        self._latency = Duration(latency, seed, "store")
        self._calls = 0

    def __repr__(self) -> str:
        return f"<SimulatedStore fence {self.fence}, term {self.term}, {self._calls} ways{', away' * self.is_away}>"

    def call(self, machine: str, do: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        """`do` happens a little later, if anything does, and `answer` is told of it a little later than that."""
        self._way(machine, lambda: self._back(machine, do(), answer))

    def lease(self, holder: str, lease_s: float) -> int:
        """Its fence; 0: another has it."""
        now = self._engine.now
        if now >= self.ends_at or not self.holder:
            self.holder, self.fence = holder, self.fence + 1
        elif self.holder != holder:
            return 0
        self.ends_at = now + lease_s
        return self.fence

    def begin(self, fence: int) -> int:
        """The next term, for whoever has the lease of that fence; 0: somebody else has it."""
        if not self.is_held(fence):
            return 0
        self.term += 1
        return self.term

    def release(self, fence: int) -> None:
        if self.fence == fence:
            self.holder = ""

    def is_held(self, fence: int) -> bool:
        return self.fence == fence and bool(self.holder) and self._engine.now < self.ends_at

    def _way(self, machine: str, do: Callable[[], None]) -> None:
        self._calls += 1

        def arrive(_: None) -> None:
            if not self.is_away and machine not in self.cut:
                do()

        self._engine.at(self._engine.now + self._latency.at(self._calls) + self.slow_s, arrive)

    def _back(self, machine: str, outcome: Any, answer: Callable[[Any], None]) -> None:
        self._way(machine, lambda: answer(outcome))


class SimulatedPlane:
    """A worker or a gateway, as far as it is led."""

    def __init__(self) -> None:
        self.terms = Terms()
        self.obeyed: list[int] = []  # terms of what came and was obeyed
        self.refused = 0

    def __repr__(self) -> str:
        return f"<SimulatedPlane {len(self.obeyed)} obeyed, {self.refused} refused, {self.terms!r}>"

    def hear(self, now: float, term: int) -> None:
        if self.terms.hear(now, term):
            self.refused += 1
        else:
            self.obeyed.append(term)


class SimulatedReplica:
    """One control. `skew_s`: its clock goes before the engine's by so much."""

    def __init__(
        self, engine: Engine, name: str, store: SimulatedStore, planes: Sequence[SimulatedPlane], lease_s: float,
        ways: Duration, skew_s: float = 0.0, turned: "Callable[[SimulatedReplica], None] | None" = None,
    ) -> None:  # fmt: skip
        """`turned` hears when it begins to lead, and when it gives up."""
        self.name = name
        self._turned = turned
        self.is_up = True
        self.is_stalled = False
        self.is_cut = False  # from the planes
        self.led: list[tuple[float, int]] = []  # when it began to lead, and by which term
        self._engine, self._store, self._planes, self._ways = engine, store, planes, ways
        self._lease_s, self._skew_s = lease_s, skew_s
        self._runs = self._sent = 0
        self._missed: list[Callable[[], None]] = []  # while it was stalled
        self._begin()

    def __repr__(self) -> str:
        state = "down" if not self.is_up else "stalled" if self.is_stalled else "up"
        return f"<SimulatedReplica {self.name}: {state}, run {self._runs}, {self.core!r}>"

    @property
    def leads(self) -> bool:
        """It does, and can do something about it."""
        return self.is_up and not self.is_stalled and self.core.stage is LeadershipStage.LEADING

    def crash(self) -> None:
        self.is_up, self.is_stalled = False, False
        self._missed.clear()
        self._timer.clear()

    def start(self) -> None:
        """Anew, if it is down; with nothing of what it knew."""
        if not self.is_up:
            self.is_up = True
            self._begin()

    def stall(self) -> None:
        self.is_stalled = self.is_up

    def go_on(self) -> None:
        self.is_stalled = False
        missed, self._missed = self._missed, []
        for happen in missed:
            self._happen(self._runs, happen)

    def _begin(self) -> None:
        self._runs += 1
        self.core = LeadershipCore(self._lease_s)
        self._timer = EngineTimer(self._engine)
        self._timer.skew_s = self._skew_s
        self._drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, each(self._perform), lambda: self._engine.now + self._skew_s, self,
            Tick(), raise_refused,
        )  # fmt: skip
        self._drive.feed(Tick())

    # A `kernel.drive.Timer` that does not ring while it is stalled.

    def set(self, at: float, ring: Callable[[], None]) -> None:
        run = self._runs
        self._timer.set(at, lambda: self._happen(run, ring))

    def clear(self) -> None:
        self._timer.clear()

    def _happen(self, run: int, happen: Callable[[], None]) -> None:
        if not self.is_up or run != self._runs:
            return
        if self.is_stalled:
            self._missed.append(happen)
        else:
            happen()

    def _perform(self, command: Command) -> None:
        store, holder = self._store, f"{self.name}/{self._runs}"
        match command:
            case AskLease():
                self._ask(
                    command.id,
                    lambda: store.lease(holder, self._lease_s),
                    lambda fence: Granted(command.id, fence) if fence else Denied(command.id),
                )
            case Open():
                lost = OpenFailed(command.fence, "the lease is lost")
                self._call(
                    lambda: store.begin(command.fence), lambda term: Opened(command.fence, term) if term else lost
                )
            case Lead():
                self.led.append((self._engine.now, command.term))
                self._say((self._runs, command.term))
                self._turn()
            case StepDown():
                self._turn()  # what it says next looks whether it leads
            case GiveBack():
                store.call(self.name, lambda: store.release(command.fence), lambda _: None)

    def _turn(self) -> None:
        if self._turned is not None:
            self._turned(self)

    def _ask(self, id_: int, do: Callable[[], Any], event: Callable[[Any], Event]) -> None:
        """The core passes over whichever of the two answers comes second."""
        run = self._runs
        give_up_at = self._engine.now + self._lease_s / 2
        self._engine.at(
            give_up_at, lambda _: self._happen(run, lambda: self._drive.feed(Unanswered(id_, "it does not answer")))
        )
        self._call(do, event)

    def _call(self, do: Callable[[], Any], event: Callable[[Any], Event]) -> None:
        run = self._runs
        self._store.call(self.name, do, lambda outcome: self._happen(run, lambda: self._drive.feed(event(outcome))))

    def _say(self, said: tuple[int, int]) -> None:
        """To every plane, and again in a while, as long as it leads by this term."""
        run, term = said
        if (
            run != self._runs
            or not self.is_up
            or self.core.stage is not LeadershipStage.LEADING
            or self.core.term != term
        ):
            return
        if not (self.is_stalled or self.is_cut):
            for plane in self._planes:
                self._sent += 1
                at = self._engine.now + self._ways.at(self._sent)
                self._engine.at(at, lambda _, plane=plane: plane.hear(self._engine.now, term))  # type: ignore[misc]
        self._engine.at(self._engine.now + SAID_S, self._say, said)

"""What an oracle has to be told: which invocations each worker will get, and for how long they will run.

One worker gets them all. Of several, who gets what is the balancer's doing, and may depend on how busy each is, hence
on what is kept alive. So the scenario is run once with `lru`, who got what is written down, and the run that counts is
balanced in just this way.
"""

from array import array
from collections.abc import Callable, Sequence

import msgspec

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Scenario
from attacca.load.workload.schedule import Schedule
from attacca.policy.balancing.types import Asked, Balancer, Done, Picked, Worker
from attacca.policy.keepalive.oracle import Course, Foresight
from attacca.policy.keepalive.types import Keepalive

ORACLE = "oracle"
Ended = Callable[[float, Done], None]
Eased = Callable[[str], None]
Resting = Callable[[float, str, str, int], None]
Rehearse = Callable[[Scenario, Balancer], None]  # run it through, balanced like this


class Told(msgspec.Struct, frozen=True):
    keepalives: Sequence[Keepalive]  # by worker
    balancer: Balancer | None = None  # in place of the scenario's


def listening(inner: Balancer) -> tuple[Ended | None, Resting | None, Eased | None]:
    """What it wants to hear of reaches it also through whoever stands before it."""
    return getattr(inner, "ended", None), getattr(inner, "resting", None), getattr(inner, "eased", None)


class Noted:
    """Balances as another does, and writes down what it said of each function's invocations, one by one."""

    def __init__(self, inner: Balancer) -> None:
        self._inner = inner
        self.ended, self.resting, self.eased = listening(inner)
        self.said: dict[str, list[Picked]] = {}

    def __repr__(self) -> str:
        return f"<Noted {sum(map(len, self.said.values()))} picks of {len(self.said)} functions>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._inner.among(workers)

    def pick(self, now: float, asked: Asked) -> Picked:
        picked = self._inner.pick(now, asked)
        self.said.setdefault(asked.function, []).append(picked)
        return picked


class Again:
    """Says what was said. Where that cannot be done, as a fault came in between, another is asked."""

    def __init__(self, said: dict[str, list[Picked]], inner: Balancer) -> None:
        self._said = {function: iter(picked) for function, picked in said.items()}
        self._inner = inner
        self.ended, self.resting, self.eased = listening(inner)
        self._there: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Again for {len(self._said)} functions, {len(self._there)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._inner.among(workers)
        self._there = frozenset(worker.name for worker in workers)

    def pick(self, now: float, asked: Asked) -> Picked:
        picked = next(self._said.get(asked.function, iter(())), None)
        if picked is None or picked.worker not in self._there:
            return self._inner.pick(now, asked)
        return picked


def foresee(
    scenario: Scenario, schedule: Schedule, balancer: Callable[[Scenario], Balancer], rehearse: Rehearse
) -> Told | None:
    """None: its keep-alive policy needs none of it.

    Raises:
        BadConfig: who comes depends on the answers.
    """
    system = scenario.system
    if system.keepalive.policy != ORACLE:
        return None
    if scenario.workload.clients is not None:
        raise BadConfig("keep-alive policy 'oracle' cannot foresee closed-loop clients", "use shapes or a trace")
    if system.workers == 1:
        return Told([Foresight(one) for one in _courses(schedule, {}, 1)])
    noted = Noted(balancer(scenario))
    plain = msgspec.structs.replace(system, keepalive=msgspec.structs.replace(system.keepalive, policy="lru"))
    rehearse(msgspec.structs.replace(scenario, system=plain), noted)
    courses = _courses(schedule, noted.said, system.workers)
    return Told([Foresight(one) for one in courses], Again(noted.said, balancer(scenario)))


def _courses(schedule: Schedule, said: dict[str, list[Picked]], workers: int) -> list[dict[str, Course]]:
    """By worker and function. Who was sent nowhere, as it was refused, is left out."""
    runs = [[(array("d"), array("d")) for _ in range(workers)] for _ in schedule.functions]
    where = [iter(said.get(target.name, ())) for target in schedule.functions]
    for due in schedule:
        place = 0
        if workers > 1:
            picked = next(where[due.function], None)
            if picked is None:
                continue
            place = int(picked.worker.removeprefix("w"))
        starts, lengths = runs[due.function][place]
        starts.append(due.due_s)
        lengths.append(due.duration_ms / 1e3)
    return [
        {
            target.name: Course(zip(*runs[number][place], strict=True), target.plan.concurrency)
            for number, target in enumerate(schedule.functions)
            if runs[number][place][0]
        }
        for place in range(workers)
    ]

"""Workers as plain facts, and a cluster that reserves what was placed."""

from collections.abc import Sequence
from math import inf

import msgspec
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.model.machine import Machine
from attacca.model.resources import NOTHING, Resources
from attacca.policy.placement.types import Ask, Near, Placed, Placement, Placer, begin
from tests.drawing import Every, one, several

UNBOUNDED = Resources(1024, inf, inf, inf)


class Facts(msgspec.Struct):
    name: str
    capacity: Resources = UNBOUNDED
    reserved: Resources = NOTHING
    is_cordoned: bool = False
    machine: Machine = Machine()


FACTS = Every(
    Facts,
    name=["ant", "bee", "cat", "dog", "eel", "fox"],
    capacity=[UNBOUNDED, Resources(256, 2.0, inf, inf), Resources(2048, 4.0, inf, inf)],
    reserved=[NOTHING, Resources(128), Resources(256, 1.0)],
    is_cordoned=[False, False, True],
    machine=[Machine(), Machine(processors=4, cores=2, mhz=2000.0)],
)
FLEETS = st.lists(one(FACTS), max_size=6, unique_by=lambda worker: worker.name)
ASKS = several(
    Every(
        Ask,
        function=["f", "g"],
        resources=[Resources(128), Resources(300), Resources(64, 0.5)],
        sandboxes=[{}, {"ant": 2, "bee": 1}],
        near=[{}, {"bee": Near.CODE, "cat": Near.TEMPLATE, "gone": Near.PEER}],
        avoid=[(), ("ant",)],
    ),
    max_size=12,
)
SMALL = Ask("f", Resources(128))


def made(policy: Placement, workers: Sequence[Facts], seed: int = 1) -> Placer:
    placer = begin(policy, Streams(seed).stream("placement"))
    placer.among(workers)
    return placer


def placed(placer: Placer, workers: Sequence[Facts], asks: Sequence[Ask]) -> list[str]:
    """One after the other; "" where there was no room."""
    by_name = {worker.name: worker for worker in workers}
    names = []
    for number, ask in enumerate(asks):
        answer = placer.place(float(number), ask)
        names.append(answer.worker if isinstance(answer, Placed) else "")
        if isinstance(answer, Placed):
            worker = by_name[answer.worker]
            worker.reserved += ask.resources
    return names


def copies(workers: Sequence[Facts]) -> list[Facts]:
    return [msgspec.structs.replace(worker) for worker in workers]


def could(worker: Facts, ask: Ask) -> bool:
    """Does it have room? Kind by kind."""
    rooms = (
        getattr(worker.reserved, kind) + getattr(ask.resources, kind) <= getattr(worker.capacity, kind)
        for kind in ("memory_mb", "cpus", "gpu", "disk_mb")
    )
    return all(rooms) and not worker.is_cordoned and worker.name not in ask.avoid

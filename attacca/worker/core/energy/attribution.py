"""Whose the energy of a moment is: what computing took goes by processor time, what being on takes by a rule."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class IdleBy(StrEnum):
    """By what the power of a machine that does nothing is shared among its sandboxes."""

    MEMORY = "memory"  # each has the part that it reserves of the worker's memory; nobody has what nobody reserves
    CPU = "cpu"  # by processor time, all of it as long as any sandbox computes
    SANDBOXES = "sandboxes"  # each the same part of all of it
    NOBODY = "nobody"


class Present(NamedTuple):
    """A sandbox in this moment. `cpu_s`: of processors, that it has had in it; `memory_share`: of all there is."""

    cpu_s: float
    memory_share: float


class Moment(NamedTuple):
    """Between two looks. `busy_s`: of all processors together, whoever had them."""

    seconds: float
    joules: float
    busy_s: float


class Part(NamedTuple):
    """Of one sandbox, in joules. `error_j`: how far off `computing_j` may be."""

    computing_j: float
    idle_j: float
    error_j: float


class Divided(NamedTuple):
    """All of a moment's joules: `of` sandboxes, what else computed, and what nobody was reckoned for."""

    of: dict[str, Part]
    other_j: float
    idle_j: float
    per_cpu_s: float  # joules of a second of one processor, above those of being on; 0: nothing computed


def divide(
    moment: Moment, present: Mapping[str, Present], idle_w: float, by: IdleBy, unsure_s: float, spread: float = 0.0
) -> Divided:
    """`unsure_s`: so far off each processor time may be, by the clock's tick and because looks take a while. `spread`:
    how much `per_cpu_s` differs from moment to moment, in joules, as not every second of a processor takes the same.

    The parts come to the whole: joules = computing and idle of all, other and idle. Where sandboxes seem to have had
    more than the whole machine, as the two are not looked at in the same instant, they share all that there is.
    """
    idle_j = min(idle_w * moment.seconds, moment.joules)
    computing_j = moment.joules - idle_j
    had_s = sum(one.cpu_s for one in present.values())
    busy_s = max(moment.busy_s, had_s)
    per_cpu_s = computing_j / busy_s if busy_s > 0 else 0.0
    shares = {}
    for name, one in present.items():
        unsure_j = (per_cpu_s * unsure_s + spread * one.cpu_s) if one.cpu_s > 0 else 0.0
        part = _idle_share(one, by, had_s, len(present))
        shares[name] = Part(one.cpu_s * per_cpu_s, idle_j * part, unsure_j)
    nobodys_j = idle_j - sum(one.idle_j for one in shares.values())
    other_j = computing_j - sum(one.computing_j for one in shares.values())
    return Divided(shares, max(other_j, 0.0), max(nobodys_j, 0.0), per_cpu_s)


def _idle_share(one: Present, by: IdleBy, had_s: float, count: int) -> float:
    match by:
        case IdleBy.MEMORY:
            return min(max(one.memory_share, 0.0), 1.0)
        case IdleBy.CPU:
            return one.cpu_s / had_s if had_s > 0 else 0.0
        case IdleBy.SANDBOXES:
            return 1 / count
        case IdleBy.NOBODY:
            return 0.0

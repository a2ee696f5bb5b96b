"""What gateways remember of the last hour: what ended, how it began, and how long it took, step by step."""

from collections.abc import Iterable, Sequence
from math import log
from operator import attrgetter
from typing import Final

import msgspec

from attacca.model.sandbox import WorkerView

STEP_S: Final = 10.0  # of all functions together
FUNCTION_STEP_S: Final = 60.0
HOUR_S: Final = 3600.0
LEAST_MS: Final = 0.05  # what took less is counted with it
GROWTH: Final = 1.2  # each bucket's upper bound over the one below: what is told is right to a tenth
BUCKETS: Final = 81  # up to 90 s and more
_PER: Final = 1 / log(GROWTH)


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`at`: when it ended, in seconds since 1970. Invocations that ended in it by how they began (`unborn`: in no
    sandbox), and of these those that failed; `waiting` and `running` at its end. `took`: the buckets of durations that
    are not empty, and how many are in each."""

    at: float
    warm: int = 0
    prewarmed: int = 0
    template: int = 0
    cold: int = 0
    unborn: int = 0
    failed: int = 0
    refused: int = 0  # were not admitted, and are not among the others
    waiting: int = 0
    running: int = 0
    took: tuple[tuple[int, int], ...] = ()

    @property
    def ended(self) -> int:
        return self.warm + self.prewarmed + self.template + self.cold + self.unborn


class FunctionNow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A function as a gateway has it: since that began, but for the percentiles, which are of the last hour."""

    function: str
    revision: int
    waiting: int = 0
    running: int = 0
    ended: int = 0
    cold: int = 0  # from nothing, or from a template
    failed: int = 0
    took: tuple[tuple[int, int], ...] = ()


class AskHistory(msgspec.Struct, frozen=True, tag=True):
    """What was the last hour like? `function` empty: all of them together."""

    id: str
    function: str = ""


class HistoryTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskHistory of that id. `functions` and `workers`, as they are now, only where it was of all."""

    id: str
    steps: tuple[Step, ...] = ()
    functions: tuple[FunctionNow, ...] = ()
    workers: tuple[WorkerView, ...] = ()


def bucket(ms: float) -> int:
    return 0 if ms <= LEAST_MS else min(int(log(ms / LEAST_MS) * _PER) + 1, BUCKETS - 1)


def bound_ms(number: int) -> float:
    """The middle of a bucket, as ratios go."""
    return LEAST_MS if number == 0 else float(LEAST_MS * GROWTH ** (number - 0.5))


def together(counts: Iterable[Sequence[tuple[int, int]]]) -> tuple[tuple[int, int], ...]:
    sums: dict[int, int] = {}
    for one in counts:
        for number, count in one:
            sums[number] = sums.get(number, 0) + count
    return tuple(sorted(sums.items()))


def percentile(took: Sequence[tuple[int, int]], share: float) -> float | None:
    """In milliseconds, right to a tenth; None: nothing was measured."""
    total = sum(count for _, count in took)
    so_far = 0
    for number, count in took:
        so_far += count
        if so_far >= share * total:
            return bound_ms(number)
    return None


def merged(told: Iterable[Sequence[Step]], step_s: float) -> list[Step]:
    """Of several gateways, whose clocks and steps do not begin together: by the step in which theirs end. Those of one
    gateway stay apart and in their order, though its last is not over, or its clock was set back."""
    steps: dict[int, Step] = {}
    for steps_of_one in told:
        before = -1
        for one in steps_of_one:
            before = number = max(int(one.at // step_s), before + 1)
            known = steps.get(number)
            steps[number] = one if known is None else _sum(known, one)
    return [steps[number] for number in sorted(steps)]


def _sum(a: Step, b: Step) -> Step:
    return Step(
        at=max(a.at, b.at), warm=a.warm + b.warm, prewarmed=a.prewarmed + b.prewarmed, template=a.template + b.template,
        cold=a.cold + b.cold, unborn=a.unborn + b.unborn, failed=a.failed + b.failed, refused=a.refused + b.refused,
        waiting=a.waiting + b.waiting, running=a.running + b.running, took=together((a.took, b.took)),
    )  # fmt: skip


def summed(told: Iterable[Sequence[FunctionNow]]) -> list[FunctionNow]:
    """Of several gateways, by name."""
    told = list(told)
    if len(told) == 1:
        return sorted(told[0], key=attrgetter("function"))
    known: dict[str, FunctionNow] = {}
    for one in (row for rows in told for row in rows):
        before = known.get(one.function)
        known[one.function] = one if before is None else FunctionNow(
            function=one.function, revision=max(before.revision, one.revision), waiting=before.waiting + one.waiting,
            running=before.running + one.running, ended=before.ended + one.ended, cold=before.cold + one.cold,
            failed=before.failed + one.failed, took=together((before.took, one.took)),
        )  # fmt: skip
    return [known[name] for name in sorted(known)]

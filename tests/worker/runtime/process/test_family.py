"""What a template and all that are forked from it may have together, on paper."""

from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.family import EACH, EACH_MB, OURS, OURS_MB, SPARE, Family, Limits, ours
from tests.worker.runtime.process.paper import Paper

MINDERS = [7, 8]
LIMITS = Limits(128, 64, 0.5)


def test_it_is_divided_and_each_group_has_limits_before_anybody_is_in_it() -> None:
    paper = Paper()
    family = Family(paper.make(), LIMITS)
    family.divide(9, MINDERS)
    family.make()
    family.make()
    together = f"1 resize {SPARE * (128 + EACH_MB) + OURS_MB} {SPARE * (64 + EACH) + OURS} 0.5"
    assert paper.story == [
        together,
        "1 inner minder",
        "1/minder add 7",
        "1/minder add 8",
        "1 divide 128 64 0.5 for [9]",
        together,
        "1 inner 1",
        "1/1 limit 128 64 0.5",
        together,
        "1 inner 2",
        "1/2 limit 128 64 0.5",
    ]


def bound_of(limits: Limits, alive: int) -> tuple[int, int]:
    paper = Paper()
    family = Family(paper.make(), limits)
    family.alive = alive
    family.bound()
    [told] = paper.story
    _, what, memory_mb, processes, cpus = told.split()
    assert (what, float(cpus)) == ("resize", (alive + 1) * limits.weight)
    return int(memory_mb), int(processes)


@given(st.integers(32, 4096), st.integers(1, 512), st.integers(0, 40))
def test_what_they_have_together_is_enough_for_all_and_little_more(memory_mb: int, processes: int, alive: int) -> None:
    limits = Limits(memory_mb, processes, None)
    memory, many = bound_of(limits, alive)
    own = ours(alive)
    for have, each, rest in ((memory, memory_mb, own.memory_mb), (many, processes, own.processes)):
        assert have >= (alive + SPARE) * each + rest, "nobody within their own limit meets the common one"
    more, more_many = bound_of(limits, alive + 1)
    assert (more - memory, more_many - many) == (memory_mb + EACH_MB, processes + EACH), "what one more needs"


def test_it_says_how_it_is() -> None:
    family = Family(Paper().make(), LIMITS)
    family.alive = 3
    assert repr(family) == "<Family of 3 in <Place 1>>"

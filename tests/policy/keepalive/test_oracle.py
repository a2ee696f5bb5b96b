from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.model.resources import Resources
from attacca.policy.keepalive.infinite import Infinite
from attacca.policy.keepalive.oracle import Course, Foresight, Oracle, OracleState
from attacca.policy.keepalive.types import Idle

RUNS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=9).map(sorted)


def idle(sandbox: str, function: str, since: float = 0.0, memory_mb: int = 128) -> Idle:
    return Idle(sandbox, function, Resources(memory_mb), since, uses=1, cold_s=1.0, gap_s=0.0)


def state(**arrivals: list[float]) -> OracleState:
    """Of functions that take no time."""
    return Foresight({name: Course((at, 0.0) for at in times) for name, times in arrivals.items()}).fresh()


def test_who_is_used_again_last_goes_first() -> None:
    told = state(soon=[5.0, 6.0], late=[9.0], never=[1.0])
    resting = [idle("s1", "soon"), idle("s2", "late"), idle("s3", "never")]
    assert [one.function for one in told.victims(2.0, resting)] == ["never", "late", "soon"]
    assert told.became_idle(2.0, resting[0]) is None
    expiry = told.became_idle(2.0, resting[2])
    assert expiry is not None
    assert expiry.at == 2.0


def test_a_second_sandbox_is_needed_again_only_when_two_run_at_once() -> None:
    told = Foresight({"pairs": Course([(3.0, 1.0), (20.0, 1.0), (20.5, 1.0)]), "once": Course([(10.0, 1.0)])}).fresh()
    resting = [idle("old", "pairs", 0.0), idle("new", "pairs", 1.0), idle("other", "once")]
    assert [one.sandbox for one in told.victims(2.0, resting)] == ["old", "other", "new"]


def test_one_that_will_be_back_in_time_is_taken_first() -> None:
    """While one runs until 4, the idle one is not needed at 5."""
    course = Course([(1.0, 3.0), (5.0, 1.0), (30.0, 5.0), (31.0, 5.0)])
    assert course.needed(2.0, 1, 1) == 31.0
    assert course.needed(4.5, 1, 1) == 5.0
    assert course.needed(4.5, 1, 2) == 31.0
    assert course.needed(4.5, 1, 3) == inf


def test_of_those_due_at_one_moment_who_came_already_is_no_longer_to_come() -> None:
    course = Course([(5.0, 0.0), (5.0, 0.0), (9.0, 0.0)])
    assert course.needed(5.0, 0, 1) == 5.0
    assert course.needed(5.0, 1, 1) == 5.0
    assert course.needed(5.0, 2, 1) == 9.0


def test_the_larger_of_two_that_wait_equally_long_goes_first() -> None:
    resting = [idle("s1", "small"), idle("s2", "large", memory_mb=256)]
    assert [one.function for one in state(large=[5.0], small=[5.0]).victims(2.0, resting)] == ["large", "small"]


@given(RUNS, st.integers(-1, 13), st.integers(1, 3), st.integers(1, 3))
def test_a_course_against_a_dumb_twin(runs: list[tuple[int, int]], moment: int, depth: int, concurrency: int) -> None:
    now = moment + 0.5  # between all that happens
    course = Course(((float(at), float(seconds)) for at, seconds in runs), concurrency)

    def sandboxes(at: float) -> int:
        return -(-sum(start <= at < start + seconds for start, seconds in runs) // concurrency)

    wanted = inf
    for place, (start, _) in enumerate(runs):
        running = 1 + sum(before <= start < before + seconds for before, seconds in runs[:place])
        if start > now and -(-running // concurrency) >= sandboxes(now) + depth:
            wanted = start
            break
    assert course.needed(now, 0, depth) == wanted


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), unique=True, max_size=6), st.randoms())
def test_the_order_of_asking_does_not_matter(resting: list[tuple[str, float]], chance: object) -> None:
    told = state(a=[6.0, 8.0], b=[7.0])
    ordered = [idle(f"s{place}", function, since) for place, (function, since) in enumerate(resting)]
    mixed = list(ordered)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert told.victims(5.0, mixed) == told.victims(5.0, ordered)


def test_a_real_worker_cannot_have_one() -> None:
    with pytest.raises(BadConfig, match="future"):
        Oracle().fresh()


def test_infinite_lets_nothing_expire() -> None:
    assert Infinite().fresh().became_idle(0.0, idle("s1", "a")) is None

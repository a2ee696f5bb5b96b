import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.policy.concurrency.aimd import Aimd
from attacca.policy.concurrency.types import Load
from tests.drawing import Every, one

POLICY = Aimd(count=4, max_load=1.0, max_oversubscribe=10)
LOADS = one(
    Every(
        Load,
        running=range(21),
        queued=range(21),
        limit=range(1, 21),
        cores=range(1, 5),
        load_per_core=[0.0, 1.0, 2.0, 3.0],
    )
)


def limits(policy: Aimd, loads: list[float]) -> list[int]:
    limit, seen = policy.first(4), []
    for load in loads:
        limit = policy.adjust(0.0, Load(running=0, queued=0, limit=limit, cores=4, load_per_core=load)).most
        seen.append(limit)
    return seen


def test_it_climbs_by_one_and_falls_by_half_of_the_surplus() -> None:
    assert limits(POLICY, [0.5] * 8) == [5, 6, 7, 8, 9, 10, 10, 10]
    assert limits(POLICY, [1.0] * 5 + [1.1] * 5) == [5, 6, 7, 8, 9, 6, 5, 4, 4, 4]


def test_it_begins_with_the_cores_and_is_asked_at_every_check() -> None:
    assert (Aimd().first(cores=3), Aimd(count=5).first(cores=3), Aimd(check_s=2.0).every_s) == (3, 5, 2.0)
    assert limits(Aimd(), [0.0] * 100)[-1] == 16


@given(LOADS)
@settings(max_examples=2 * settings().max_examples)
def test_it_stays_between_its_bounds_and_says_why(load: Load) -> None:
    answer = POLICY.adjust(0.0, load)
    assert 4 <= answer.most <= 10
    assert answer.why


@given(LOADS, st.integers(0, 3))
def test_more_load_never_means_a_higher_limit(load: Load, more: int) -> None:
    busier = msgspec.structs.replace(load, load_per_core=load.load_per_core + more)
    assert POLICY.adjust(0.0, busier).most <= POLICY.adjust(0.0, load).most


def test_nobody_passes_the_limit() -> None:
    assert not POLICY.can_skip(0.0)

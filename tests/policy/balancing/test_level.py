from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.balancing.level import FEW, Level
from attacca.policy.balancing.types import Asked
from tests.policy.balancing.fleet import FLEETS, Facts


@given(
    FLEETS,
    st.sampled_from([0, FEW]),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["pick", "end", "limit"])), max_size=200),
)
def test_it_finds_whom_looking_at_all_would_find(fleet: list[Facts], few: int, story: list[tuple[int, str]]) -> None:
    balancer = Level(few)
    balancer.among(fleet)
    for number, what in story:
        worker = fleet[number % len(fleet)]
        if what == "pick":
            ranked = sorted((Fraction(one.queued + one.running, one.limit), one.name) for one in fleet)
            picked = balancer.pick(0.0, Asked("f")).worker
            assert picked == ranked[0][1]
            next(one for one in fleet if one.name == picked).queued += 1
            continue
        if what == "limit":
            worker.limit = 1 + (worker.limit + number) % 5
        elif worker.running:
            worker.running -= 1
        elif worker.queued:
            worker.queued -= 1
        balancer.eased(worker.name)


def test_what_says_nothing_any_more_is_left_behind() -> None:
    fleet = [Facts(f"w{number}") for number in range(10)]
    balancer = Level(0)
    balancer.among(fleet)
    for _ in range(1000):
        balancer.eased("w3")
    balancer.eased("nobody")
    assert len(balancer._heap) <= 52
    assert repr(Level()) == "<Level 0 workers, 0 entries>"

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.balancing.least_loaded import LeastLoaded, Level
from attacca.policy.balancing.types import Asked, Picked
from tests.policy.balancing.fleet import FLEETS, Facts, Rigged, made


def test_load_is_a_share_of_the_slots_and_a_tie_goes_to_the_smaller_name() -> None:
    small, large, same = Facts("a", running=1, limit=2), Facts("c", running=2, limit=8), Facts("b", queued=1, limit=4)
    assert made(LeastLoaded(), [small, large, same]).pick(0.0, Asked("f")) == Picked("b", "least loaded")


def test_what_has_changed_since_is_seen() -> None:
    first, second = Facts("a"), Facts("b")
    balancer = made(LeastLoaded(), [first, second])
    chosen = []
    for _ in range(4):
        chosen.append(balancer.pick(0.0, Asked("f")).worker)
        (first if chosen[-1] == "a" else second).queued += 1
    assert chosen == ["a", "b", "a", "b"]


@given(FLEETS)
def test_nobody_is_less_loaded(fleet: list[Facts]) -> None:
    ranked = sorted((Fraction(worker.queued + worker.running, worker.limit), worker.name) for worker in fleet)
    assert made(LeastLoaded(), fleet).pick(0.0, Asked("f")).worker == ranked[0][1]


@given(FLEETS, st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["pick", "end", "limit"])), max_size=200))
def test_it_finds_whom_looking_at_all_would_find(fleet: list[Facts], story: list[tuple[int, str]]) -> None:
    balancer = LeastLoaded().fresh(Rigged(0.5))
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
    balancer = Level()
    balancer.among(fleet)
    for _ in range(1000):
        balancer.eased("w3")
    balancer.eased("nobody")
    assert len(balancer._heap) <= 52
    assert repr(Level()) == "<Level 0 workers, 0 entries>"

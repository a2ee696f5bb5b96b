from fractions import Fraction

from hypothesis import given

from attacca.policy.balancing.least_loaded import LeastLoaded
from attacca.policy.balancing.types import Asked
from tests.policy.balancing.fleet import FLEETS, Facts, made


def test_load_is_a_share_of_the_slots_and_a_tie_goes_to_the_smaller_name() -> None:
    small, large, same = Facts("a", running=1, limit=2), Facts("c", running=2, limit=8), Facts("b", queued=1, limit=4)
    assert made(LeastLoaded(), [small, large, same]).pick(0.0, Asked("f")) == ("b", "least loaded")


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

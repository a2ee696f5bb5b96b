from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.balancing.ch_bl import ChBl
from attacca.policy.balancing.ring import Ring, place_of
from attacca.policy.balancing.types import Asked
from tests.policy.balancing.fleet import FLEETS, Facts, made

EXCESSES, VNODES = st.sampled_from([0.01, 0.25, 1.0, 10.0]), st.integers(1, 4)


@given(FLEETS, VNODES, st.text("fghij", min_size=1, max_size=3))
def test_the_ring_is_that_of_the_most_obvious_search(fleet: list[Facts], vnodes: int, function: str) -> None:
    ring = Ring(vnodes)
    ring.among(fleet)
    here = place_of(function)
    distance = {
        one.name: min((place_of(f"{one.name}/{number}") - here) % 2**64 for number in range(vnodes)) for one in fleet
    }
    expected = sorted(distance, key=lambda name: distance[name])
    assert [worker.name for worker in ring.after(function)] == expected
    assert ring.home(function).name == expected[0]
    assert repr(ring) == f"<Ring {len(fleet)} workers, {len(fleet) * vnodes} places, 1 functions>"


@given(FLEETS, EXCESSES, st.text("fghij", min_size=1, max_size=3))
def test_the_first_that_is_below_its_bound(fleet: list[Facts], excess: float, function: str) -> None:
    policy = ChBl(excess=excess)
    under_way = 1 + sum(one.queued + one.running for one in fleet)
    cores = sum(one.cores for one in fleet)
    most = {one.name: ceil((1 + excess) * under_way / cores * one.cores) for one in fleet}
    ring = Ring(policy.vnodes)
    ring.among(fleet)
    free = [one.name for one in ring.after(function) if one.queued + one.running < most[one.name]]
    assert made(policy, fleet).pick(0.0, Asked(function)).worker == free[0]


@given(st.integers(1, 8), EXCESSES)
def test_one_function_with_all_the_load_is_spread(count: int, excess: float) -> None:
    """Whoever has come, nobody has more than its share and the excess."""
    fleet = [Facts(f"w{number}", cores=4) for number in range(count)]
    balancer, given_to = made(ChBl(excess=excess), fleet), Counter[str]()
    for come in range(1, 101):
        name = balancer.pick(0.0, Asked("popular")).worker
        given_to[name] += 1
        next(one for one in fleet if one.name == name).running += 1
        assert max(given_to.values()) <= ceil((1 + excess) * come / count)


def test_it_says_how_many_it_passed() -> None:
    fleet = [Facts("a", cores=1), Facts("b", cores=1)]
    balancer = made(ChBl(), fleet)
    first = balancer.pick(0.0, Asked("f"))
    assert first.why == "first on the ring"
    next(one for one in fleet if one.name == first.worker).running = 9
    assert balancer.pick(0.0, Asked("f")).why == "1 before it have their fill"

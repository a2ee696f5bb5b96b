from math import cos, log, pi, sqrt

from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.policy.balancing.ch_rlu import ChRlu, place_of
from attacca.policy.balancing.types import Asked
from tests.drawing import Every, one
from tests.policy.balancing.fleet import CALLS, FLEETS, Facts, Rigged, made, picks

FEW = Every(
    ChRlu,
    popular_share=[0.0, 0.3, 0.5, 1.0],
    bounded_ceil=[0.0, 1.0, 1.5, 3.0],
    chain_length=range(1, 5),
    vnodes=range(1, 4),
    noise=[0.0, 0.1, 2.0],
    refresh_s=[0.0, 0.5, 1.2],
)


class Dumb:
    """The same in the most obvious way: every place of the ring is looked at, every time."""

    def __init__(self, policy: ChRlu, fleet: list[Facts], seed: int) -> None:
        self.policy, self.fleet = policy, {worker.name: worker for worker in fleet}
        self.chance = Streams(seed).stream("balancing")
        self.rates: dict[str, float] = {}
        self.loads: dict[str, float] = {}
        self.popular: list[str] = []
        self.looked_at: float | None = None

    def chain(self, function: str) -> list[str]:
        here = place_of(function)
        distance = {
            name: min((place_of(f"{name}/{vnode}") - here) % 2**64 for vnode in range(self.policy.vnodes))
            for name in self.fleet
        }
        return sorted(self.fleet, key=lambda name: distance[name])[: self.policy.chain_length]

    def pick(self, now: float, function: str, rate: float) -> str:
        self.rates[function] = rate
        if self.looked_at is None or now >= self.looked_at + self.policy.refresh_s:
            self.looked_at = now
            self.loads = {name: (one.queued + one.running) / one.cores for name, one in self.fleet.items()}
            ranked = sorted(
                (name for name in self.rates if self.rates[name]), key=lambda name: (-self.rates[name], name)
            )
            self.popular = ranked[: int(self.policy.popular_share * len(self.rates) + 0.5)]
        chain = self.chain(function)
        if function in self.popular:
            for name in chain:
                one, other = self.chance.random(), self.chance.random()
                noise = self.policy.noise * sqrt(-2 * log(1 - one)) * cos(2 * pi * other)
                noise += rate / self.fleet[name].cores
                if self.loads[name] + noise <= self.policy.bounded_ceil:
                    self.loads[name] += noise
                    return name
        return chain[0]


@given(one(FEW), FLEETS, CALLS, st.integers(0, 3))
def test_it_does_what_its_dumb_twin_does(
    policy: ChRlu, fleet: list[Facts], calls: list[tuple[str, int]], seed: int
) -> None:
    dumb = Dumb(policy, fleet, seed)
    expected = [dumb.pick(at / 2, name, float(rate)) for at, (name, rate) in enumerate(calls)]
    assert picks(made(policy, fleet, seed), calls) == expected


def test_places_are_the_same_in_every_process() -> None:
    assert place_of("worker-1/0") == 3535322074039696780
    calls = [(f"f{number}", 0) for number in range(12)]
    assert "".join(picks(made(ChRlu(), [Facts(name) for name in "abcd"]), calls)) == "aadaaaadabab"


def test_what_was_never_measured_is_not_popular() -> None:
    busy = [Facts(name, running=9) for name in "ab"]
    for rate, why in ((0.0, "first of its chain"), (1.0, "popular: all of its chain are overloaded")):
        assert made(ChRlu(popular_share=1.0), busy).pick(0.0, Asked("f", rate)).why == why


def test_a_popular_one_goes_on_when_its_place_is_loaded() -> None:
    fleet = [Facts("a", cores=1), Facts("b", cores=1)]
    policy = ChRlu(popular_share=1.0, bounded_ceil=1.5, noise=0.0)
    balancer = policy.fresh(Rigged(0.5))
    balancer.among(fleet)
    first, second = (balancer.pick(0.0, Asked("f", 1.0)).worker for _ in range(2))
    assert {first, second} == {"a", "b"}  # a rate of 1 on one core fills 1.0 of 1.5
    full = balancer.pick(0.1, Asked("f", 1.0))
    assert (full.worker, full.why) == (first, "popular: all of its chain are overloaded")
    assert balancer.pick(0.5, Asked("f", 1.0)).worker == first  # the loads are looked at anew: nothing runs


@given(FLEETS, st.sampled_from("fghij"))
def test_only_those_of_a_lost_worker_move(fleet: list[Facts], function: str) -> None:
    before = made(ChRlu(), fleet).pick(0.0, Asked(function)).worker
    for gone in fleet:
        rest = [worker for worker in fleet if worker is not gone]
        if rest and gone.name != before:
            assert made(ChRlu(), rest).pick(0.0, Asked(function)).worker == before

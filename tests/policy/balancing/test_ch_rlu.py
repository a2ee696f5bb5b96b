from collections import Counter
from math import cos, log, pi, sqrt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.policy.balancing.ch_rlu import ChRlu, Favour
from attacca.policy.balancing.ring import place_of
from attacca.policy.balancing.types import Asked, Balancer
from tests.drawing import Every, one
from tests.policy.balancing.fleet import CALLS, FLEETS, Facts, Rigged, made, picks

FEW = Every(
    ChRlu,
    like=["code"],
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
    assert "".join(picks(made(ChRlu(like="code"), [Facts(name) for name in "abcd"]), calls)) == "aadaaaadabab"


def test_what_was_never_measured_is_not_popular() -> None:
    busy = [Facts(name, running=9) for name in "ab"]
    for rate, why in ((0.0, "first of its chain"), (1.0, "popular: all of its chain are overloaded")):
        assert made(ChRlu(like="code", popular_share=1.0), busy).pick(0.0, Asked("f", rate)).why == why


def test_a_popular_one_goes_on_when_its_place_is_loaded() -> None:
    fleet = [Facts("a", cores=1), Facts("b", cores=1)]
    policy = ChRlu(like="code", popular_share=1.0, bounded_ceil=1.5, noise=0.0)
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


# As the paper means it.

PAPER = Every(
    ChRlu, popular_share=[0.0, 0.5, 1.0], bounded_ceil=[0.5, 1.5, 3.0], vnodes=range(1, 4), refresh_s=[0.0, 0.5]
)


@given(one(PAPER), FLEETS, st.sampled_from("fghij"), st.floats(0, 50), st.floats(0, 2))
def test_the_first_whose_load_is_bounded_or_the_least_loaded_of_all(
    policy: ChRlu, fleet: list[Facts], function: str, rate: float, exec_s: float
) -> None:
    policy = msgspec.structs.replace(policy, noise=0.0)
    is_popular = rate > 0 and int(policy.popular_share + 0.5) == 1
    here = place_of(function)
    ring = sorted(
        fleet, key=lambda w: min((place_of(f"{w.name}/{number}") - here) % 2**64 for number in range(policy.vnodes))
    )
    loads = {worker.name: (worker.queued + worker.running) / worker.cores for worker in fleet}
    brings = {worker.name: rate * exec_s / worker.cores if is_popular else 0.0 for worker in fleet}
    free = [w.name for w in ring if loads[w.name] + brings[w.name] <= policy.bounded_ceil]
    expected = free[0] if free else min(sorted(loads), key=lambda name: loads[name])
    assert made(policy, fleet).pick(0.0, Asked(function, rate, exec_s)).worker == expected


def shares(balancer: Balancer, fleet: list[Facts], function: str, rate: float, exec_s: float) -> dict[str, float]:
    """Of 2,000 invocations at an even pace, each of which runs for `exec_s`: how many each worker got."""
    names, given_to, leaving = {one.name: one for one in fleet}, Counter[str](), list[tuple[float, str]]()
    for number in range(2000):
        now = number / rate
        while leaving and leaving[0][0] <= now:
            names[leaving.pop(0)[1]].running -= 1
        name = balancer.pick(now, Asked(function, rate, exec_s)).worker
        given_to[name] += 1
        names[name].running += 1
        leaving.append((now + exec_s, name))
    return {name: count / 2000 for name, count in given_to.items()}


@pytest.mark.long
def test_a_popular_functions_load_spreads_and_the_codes_fault_does_not_let_it() -> None:
    """100 a second for 0.1 s are 10 at once, for 4 workers of 8 cores; rate / cores is 12.5, and above any bound."""
    spread = {}
    for like in ("paper", "code"):
        fleet = [Facts(f"w{number}", cores=8, limit=8) for number in range(4)]
        policy = ChRlu(like=like, popular_share=1.0)
        spread[like] = shares(made(policy, fleet), fleet, "pop", 100.0, 0.1)
    assert list(spread["code"].values()) == [1.0]
    assert len(spread["paper"]) >= 3
    assert max(spread["paper"].values()) <= 0.5


def test_one_that_is_rare_stays_at_its_place() -> None:
    fleet = [Facts(f"w{number}", cores=8, limit=8) for number in range(4)]
    assert list(shares(made(ChRlu(popular_share=0.0), fleet), fleet, "rare", 1.0, 0.1).values()) == [1.0]


def test_who_is_popular_is_told() -> None:
    favour = Favour(ChRlu(popular_share=0.5))
    for at, name in enumerate("abcd"):
        favour.hear(float(at), Asked(name, float(at)))
    assert ("d" in favour, "a" in favour, repr(favour)) == (True, False, "<Favour 2 of 4 functions>")

"""Several controls over a store that is slow, lies down or cannot be reached, with whatever else may happen to them."""

import random

import pytest

from attacca.load.workload.scenario import Distribution
from attacca.sim.engine import Engine
from attacca.sim.platform.draws import Duration
from attacca.sim.platform.replicas import SimulatedPlane, SimulatedReplica, SimulatedStore

LEASE_S = 2.0
TAKEOVER_S = 3.0
LATENCY = Distribution(kind="exponential", mean_ms=3.0)
SLOW = Distribution(kind="exponential", mean_ms=150.0)


class Play:
    def __init__(self, seed: int, replicas: int = 3, planes: int = 2, latency: Distribution = LATENCY) -> None:
        self.engine = Engine()
        self.chance = random.Random(seed)
        self.store = SimulatedStore(self.engine, seed, latency)
        self.planes = [SimulatedPlane() for _ in range(planes)]
        self.replicas = [
            SimulatedReplica(
                self.engine, f"c{number}", self.store, self.planes, LEASE_S, Duration(SLOW, seed, f"ways/{number}"),
                skew_s=self.chance.uniform(-3600, 3600),
            )
            for number in range(replicas)
        ]  # fmt: skip

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + seconds, self.check)

    def check(self) -> None:
        leaders = [one for one in self.replicas if one.leads]
        assert len(leaders) <= 1, leaders
        for one in leaders:
            assert self.store.is_held(one.core.fence), "it leads, and another may have the lease"
            assert one.core.term == self.store.term
        for plane in self.planes:
            assert plane.obeyed == sorted(plane.obeyed)

    @property
    def leader(self) -> SimulatedReplica | None:
        return next((one for one in self.replicas if one.leads), None)

    def strike(self) -> None:
        one = self.chance.choice(self.replicas)
        match self.chance.randrange(8):
            case 0:
                one.crash()
            case 1:
                one.stall()
            case 2:
                self.store.cut[one.name] = None
            case 3:
                self.store.is_away = True
            case 4:
                one.is_cut = True
            case _:
                self.heal()

    def heal(self) -> None:
        self.store.is_away = False
        self.store.cut.clear()
        for one in self.replicas:
            one.is_cut = False
            one.start()
            one.go_on()


@pytest.mark.parametrize("latency", [LATENCY, SLOW], ids=["quick", "slow"])
def test_whatever_happens_one_leads_at_most_and_in_the_end_one_does(latency: Distribution) -> None:
    terms = refused = 0
    for seed in range(150):
        play = Play(seed, latency=latency)
        for _ in range(15):
            play.run(play.chance.uniform(0.0, 3.0))
            play.strike()
        play.heal()
        play.run(10 * LEASE_S)
        if latency is LATENCY:
            assert play.leader is not None, seed
            assert all(plane.terms.highest == play.store.term for plane in play.planes)
        terms += play.store.term
        refused += sum(plane.refused for plane in play.planes)
    assert terms > 300
    assert refused > 0, "somebody was commanded by one that did not lead any more"


def test_another_leads_within_three_seconds_of_the_leaders_death() -> None:
    for seed in range(100):
        play = Play(seed)
        play.run(5.0 + play.chance.random())
        before = play.leader
        assert before is not None
        before.crash()
        died = play.engine.now
        play.run(TAKEOVER_S)
        after = play.leader
        assert after is not None, seed
        assert after.led[-1][0] - died <= TAKEOVER_S


def test_a_leader_that_was_stalled_is_refused_by_those_who_heard_of_the_next() -> None:
    play = Play(1)
    play.run(5.0)
    before = play.leader
    assert before is not None
    before.stall()
    play.run(10.0)
    after = play.leader
    assert after not in (None, before)
    for plane in play.planes:
        plane.hear(play.engine.now, before.led[-1][1])  # it had sent that, and it took its time
        assert plane.refused == 1
    before.go_on()
    play.check()
    assert not before.leads, "it looks at its clock first"


def test_a_store_that_is_away_has_everybody_step_down_and_one_lead_again() -> None:
    play = Play(2)
    play.run(5.0)
    term = play.store.term
    play.store.is_away = True
    play.run(LEASE_S)
    assert play.leader is None
    play.run(60.0)
    play.store.is_away = False
    play.run(TAKEOVER_S)
    assert play.leader is not None
    assert play.store.term == term + 1


def test_they_say_how_they_are() -> None:
    play = Play(3, replicas=1, planes=1)
    play.run(2.0)
    core = "<LeadershipCore leading: term 1, fence 1, 5 asked>"
    assert repr(play.replicas[0]) == f"<SimulatedReplica c0: up, run 1, {core}>"
    assert repr(play.store) == "<SimulatedStore fence 1, term 1, 12 ways>"
    assert repr(play.planes[0]) == "<SimulatedPlane 4 obeyed, 0 refused, <Terms up to 1, silent at inf>>"

from attacca.kernel.clock import ManualClock
from attacca.sim.swarm import Tally, draw, swarm


def test_a_few_seeds_hold() -> None:
    tally = Tally()
    assert list(swarm(range(10, 16), ManualClock(), tally, lambda _: None)) == []
    assert tally.runs == 6
    assert tally.faults > 0


def test_a_seed_draws_one_scenario() -> None:
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)

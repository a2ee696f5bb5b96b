from attacca.kernel.clock import ManualClock
from attacca.sim.swarm import Tally, draw, swarm
from attacca.sim.workflows.drawn import draw as draw_workflows


def test_a_few_seeds_hold() -> None:
    tally = Tally()
    assert list(swarm(range(10, 16), ManualClock(), tally, lambda _: None)) == []
    assert tally.runs == 6
    assert tally.faults > 0


def test_a_seed_draws_one_scenario() -> None:
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_a_few_domains_hold() -> None:
    tally = Tally()
    assert list(swarm(range(3, 6), ManualClock(), tally, lambda _: None, draw_workflows)) == []
    assert tally.runs == 3
    assert tally.faults > 0

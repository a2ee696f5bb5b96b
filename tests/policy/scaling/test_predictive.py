from itertools import pairwise

import pytest

from attacca.policy.scaling.predictive import Planned, Predictive, sandboxes
from attacca.policy.scaling.spread import Spread
from attacca.policy.scaling.types import Demand, Scalers
from tests.policy.scaling.demands import Cluster

EXEC_S = 2.0


def cluster(policy: Predictive, concurrency: int = 1) -> Cluster:
    return Cluster(policy.fresh(policy.shared()), concurrency=concurrency)


def beat(cluster: Cluster, minutes: int, rate: int) -> None:
    """So many arrivals in each of these minutes, one after the other, each of them at work for half a second."""
    for _ in range(minutes * rate):
        cluster.play([(60 / rate - 0.5, 1), (0.5, 0)])


def test_a_minute_of_so_many_arrivals_wants_so_many() -> None:
    demand = Demand(exec_s=EXEC_S)
    assert [sandboxes(arrivals, demand, 1.5) for arrivals in (0.05, 0.1, 1.0, 2.0, 60.0)] == [0, 1, 1, 1, 3]
    assert sandboxes(60.0, Demand(exec_s=EXEC_S, concurrency=3), 1.5) == 1
    assert sandboxes(4.0, Demand(exec_s=300.0), 1.5) == 4  # never more than there are arrivals
    assert sandboxes(4.0, Demand(), 1.5) == 4  # nor fewer, while nobody knows how long they take


def test_until_enough_is_known_it_follows_the_mean() -> None:
    young = cluster(Predictive())
    assert young.play([(0.0, 3)]).ready == 3
    young.play([(120.0, 0)])
    assert young.settle(63.0) == 0
    assert young.again_at == 600.0  # when ten minutes are known


@pytest.mark.long
def test_a_function_that_is_called_by_the_clock_is_up_before_it() -> None:
    """Every fourth minute it is called once. After an hour it is made ahead, and not all the time."""
    often = cluster(Predictive())
    for _ in range(15):
        often.play([(239.5, 1), (0.5, 0)])
    often.answers.clear()
    hits = 0
    for _ in range(8):
        often.until(often.now + 239.4)
        hits += often.ready > 0
        often.play([(0.1, 1), (0.5, 0)])
    assert hits >= 7
    assert sum(wanted == 0 for _, wanted in often.answers) >= 8


@pytest.mark.long
def test_a_steady_load_is_kept_as_planned() -> None:
    steady = cluster(Predictive())
    beat(steady, 30, 12)
    assert steady.ready == 1
    assert steady.ask().why == "as planned"


def test_what_is_not_planned_is_made_one_by_one() -> None:
    burst = cluster(Predictive())
    beat(burst, 12, 2)
    burst.play([(0.0, 9)])
    seen = [burst.ready]
    for _ in range(6):
        burst.until(burst.now + 2.0)
        seen.append(burst.ready)
    assert seen == sorted(seen)
    assert seen[-1] >= 4
    assert max(after - before for before, after in pairwise(seen)) == 1


def test_plans_of_all_functions_are_put_beside_each_other() -> None:
    scalers = Scalers(Predictive(most_per_tick=3))
    assert isinstance(scalers._shared, Spread)
    assert scalers._fresh()._spread is scalers._fresh()._spread  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="must not exceed history_min"):
        Predictive(least_min=20, history_min=10)


def test_it_says_its_state() -> None:
    planned = Planned(Predictive(), Spread(3))
    planned.ask(0.0, Demand(waiting=2))
    planned.ask(130.0, Demand(arrivals=5))
    assert repr(planned) == "<Planned 2 wanted, 2 minutes known, 0 steps planned>"

from collections import Counter

import pytest

from attacca.load.workload.clients import Client
from attacca.load.workload.scenario import Clients, Distribution, FunctionPlan, Shape

PLANS = (
    FunctionPlan(name="often", weight=3.0, duration=Distribution(kind="exponential", mean_ms=5.0)),
    FunctionPlan(name="shaped", shape=Shape()),
    FunctionPlan(name="seldom", weight=1.0),
)
CLIENTS = Clients(count=2, think=Distribution(kind="exponential", mean_ms=100.0))


def turns(number: int, count: int = 10, seed: int = 1) -> list[tuple[float, int, float]]:
    client = Client(number, CLIENTS, PLANS, seed)
    return [(client.think_s(), *client.choose()) for _ in range(count)]


def test_functions_are_chosen_by_weight_and_not_those_with_arrivals_of_their_own() -> None:
    chosen = Counter(place for _, place, _ in turns(0, 4000))
    assert set(chosen) == {0, 2}
    assert chosen[0] / 4000 == pytest.approx(0.75, abs=0.03)


def test_each_client_has_a_will_of_its_own_and_the_same_one_again() -> None:
    assert turns(0) == turns(0) != turns(1)
    assert turns(0) != turns(0, seed=2)


def test_they_think_as_long_as_they_are_told() -> None:
    thoughts = [think_s for think_s, _, _ in turns(1, 4000)]
    assert sum(thoughts) / len(thoughts) == pytest.approx(0.1, rel=0.1)


def test_with_arrivals_everywhere_all_are_chosen_from() -> None:
    client = Client(0, CLIENTS, (PLANS[1],), 1)
    assert client.choose()[0] == 0

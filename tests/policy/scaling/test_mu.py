from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.scaling.mu import Mu
from attacca.policy.scaling.types import Demand


def called(rate: int, **demand: int) -> int:
    """After ten seconds of so many arrivals in each."""
    scaler = Mu(tick_s=0.5).fresh()
    for second in range(11):
        wanted = scaler.ask(float(second), Demand(arrivals=rate * second, exec_s=0.5, **demand)).wanted
    return wanted


@given(rate=st.integers(0, 40), load=st.integers(1, 60), ready=st.integers(0, 20), concurrency=st.integers(1, 3))
def test_it_is_the_formula(rate: int, load: int, ready: int, concurrency: int) -> None:
    served = concurrency / 0.5
    queue = max(0, load - ready * concurrency)
    wanted = ceil(round(rate * 10 / 10 / served, 9)) + ceil(round(queue / (served * (5 - 0.5)), 9))
    bounded = max(1, min(max(wanted, floor(ready / 2)), 1000 * max(1, ready)))
    assert called(rate, waiting=load, ready=ready, concurrency=concurrency) == bounded


def test_none_until_somebody_calls_and_after_a_while_without() -> None:
    scaler = Mu(idle_s=30.0).fresh()
    assert scaler.ask(0.0, Demand()).wanted == 0
    assert scaler.ask(5.0, Demand(waiting=3)).wanted == 3  # nobody knows how long they take
    assert scaler.ask(34.0, Demand(ready=1)).wanted == 1
    assert scaler.ask(37.0, Demand(ready=1)) == (0, "idle for 30 s", 39.0)
    assert repr(scaler) == "<Queueing 0 wanted, <Buckets 10 of 1 s, 0 in them>>"

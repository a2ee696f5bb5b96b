from attacca.policy.scaling.queue_delay import QueueDelay
from attacca.policy.scaling.types import Demand

POLICY = QueueDelay(tick_s=1.0, delay_s=0.5, idle_s=10.0)


def test_one_more_while_the_first_waits_too_long() -> None:
    scaler = POLICY.fresh()
    assert scaler.ask(0.0, Demand(waiting=9)).wanted == 1
    assert scaler.ask(1.0, Demand(running=1, waiting=8, waited_s=0.4, ready=1)).wanted == 1
    assert scaler.ask(2.0, Demand(running=1, waiting=8, waited_s=1.4, ready=1)).wanted == 2
    assert scaler.ask(3.0, Demand(running=1, waiting=8, waited_s=2.4, ready=1, starting=1)).wanted == 3


def test_who_will_fit_into_what_is_starting_calls_for_nothing() -> None:
    scaler = POLICY.fresh()
    demand = Demand(running=2, waiting=4, waited_s=3.0, ready=1, starting=2, concurrency=2)
    assert scaler.ask(0.0, demand) == (3, "nobody waits too long", 1.0)


def test_what_was_not_needed_for_a_while_goes() -> None:
    scaler = POLICY.fresh()
    scaler.ask(0.0, Demand(running=5, ready=6))
    assert scaler.ask(1.0, Demand(running=2, ready=6)) == (5, "at most 5 were needed in 10 s", 2.0)
    assert scaler.ask(9.0, Demand(running=1, ready=5)).wanted == 5
    assert scaler.ask(12.0, Demand(ready=5)).wanted == 1
    assert scaler.ask(30.0, Demand(ready=1)).wanted == 0
    assert repr(scaler) == "<Congestion 0 wanted, <Most of 10 s: 0>>"

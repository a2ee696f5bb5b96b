from typing import Any

import pytest

from attacca.errors import NoCapacity
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.core.retries import Answer, Order, Send
from attacca.model.invocation import Failed, Ok, Request, Start, Timing
from attacca.model.messages import (
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Heartbeat,
    ResponseHead,
    Started,
    Withdraw,
    WorkerJoined,
    WorkerLeft,
)
from tests.gateway.core.test_workers import view
from tests.gateway.play import Waiter, revision


def gate(*workers: str, attempts: int = 3, **settings: Any) -> GatewayCore:
    made = GatewayCore(calls_kept=5, attempts=attempts)
    made.learn(Catalogue(1, (revision("f", **settings),)))
    for name in workers:
        made.joined(0.0, WorkerJoined(view(name)))
    return made


def arrive(gate: GatewayCore, name: str, now: float = 0.0, *, more: bool = False) -> Inflight:
    waiter = Waiter()
    order = gate.arrive(now, now, name, "f", Request(b"body", more=more), waiter)
    assert isinstance(order, Dispatch)
    assert waiter.taken is not None
    assert order.worker == waiter.taken.worker
    return waiter.taken


def start(gate: GatewayCore, key: str, now: float = 0.0) -> Inflight | None:
    return gate.started(now, Started(key, "s1", Start.WARM, "because", Timing()))


def sent(orders: list[Order]) -> list[str]:
    """Who is told what, as text."""
    said = []
    for order in orders:
        if isinstance(order, Answer):
            said.append(f"{order.taken.id} {order.outcome.code}")
        elif isinstance(order.message, Dispatch):
            said.append(f"{order.message.invocation.id} to {order.worker}")
        else:
            said.append(f"end {order.message.id} on {order.worker}")
    return said


def test_the_less_loaded_worker_gets_it_and_counts_follow() -> None:
    g = gate("a", "b")
    taken = [arrive(g, name) for name in "123"]
    assert [one.worker for one in taken] == ["a", "b", "a"]
    a, b = g.workers.by_name["a"], g.workers.by_name["b"]
    start(g, "1")
    assert (a.queued, a.running, b.queued, b.running) == (1, 1, 1, 0)
    g.ended(1.0, Ended("1", Ok()))
    g.give_up(1.0, taken[1], Failed("bad_response", ""))
    g.expire(60.0)
    assert (a.queued, a.running, b.queued, b.running) == (0, 0, 0, 0)


def test_no_worker_no_admission() -> None:
    g = gate()
    error = g.arrive(0.0, 0.0, "1", "f", Request(), Waiter())
    assert isinstance(error, NoCapacity)
    assert (error.status, error.message) == (503, "no worker is there to run it")
    assert isinstance(g.refusal("f"), NoCapacity)
    g.joined(1.0, WorkerJoined(view("a")))
    assert arrive(g, "2").worker == "a"


def test_what_waited_on_a_silent_worker_goes_to_another_and_what_ran_is_over() -> None:
    g = gate("a", "b")
    waits, runs = arrive(g, "waits"), arrive(g, "x")
    g.ended(0.5, Ended("x", Ok()))
    runs = arrive(g, "runs")
    assert (waits.worker, runs.worker) == ("a", "b")
    g.heard(2.0, Heartbeat(view("b")))
    start(g, "runs")
    assert g.silent(2.9) == []
    assert sent(g.silent(3.0)) == ["waits~2 to b"]
    assert sent(g.silent(5.0)) == ["runs sandbox_lost"]
    assert (waits.worker, waits.attempts, waits.key) == ("", 3, "waits~3")


def test_an_idempotent_one_that_ran_is_sent_again_and_the_late_answer_is_ignored() -> None:
    g = gate("a", "b", idempotent=True, timeout_s=5.0, wait_s=4.0)
    taken = arrive(g, "1")
    start(g, "1", 1.0)
    g.heard(2.0, Heartbeat(view("b")))
    (order,) = g.silent(3.0)
    assert isinstance(order, Send)
    assert isinstance(order.message, Dispatch)
    assert (order.worker, order.message.invocation.id, order.message.invocation.request.body) == ("b", "1~2", b"body")
    assert start(g, "1", 3.5) is None
    assert g.ended(3.5, Ended("1", Ok(b"late"))) is None
    assert g.expire(6.0) == []  # the first attempt's timeout_s is over, the wait_s of the second is not
    assert start(g, "1~2", 6.5) is taken
    assert taken.why == "sent again, worker 'a' was not heard of for 3.0 s; because"
    assert g.ended(7.0, Ended("1~2", Ok(b"once"))) is taken
    (call,) = g.calls("f", 9)
    assert (call.id, call.outcome, taken.attempts) == ("1", "ok", 2)


@pytest.mark.parametrize("what", ["plain", "streamed in", "streamed out", "replaced", "deleted"])
def test_what_ran_and_may_not_run_twice_is_over(what: str) -> None:
    g = gate("a", "b", idempotent=what != "plain")
    taken = arrive(g, "1", more=what == "streamed in")
    start(g, "1")
    if what == "streamed out":
        g.head(ResponseHead("1", 200, ()))
    if what == "replaced":
        g.learn(Deployed(2, revision("f", 2, idempotent=True)))
    if what == "deleted":
        g.learn(Deleted(2, "f"))
    (order,) = g.left(1.0, WorkerLeft("a", "crashed"))
    assert isinstance(order, Answer)
    assert (order.taken, order.outcome.code) == (taken, "sandbox_lost")
    assert order.outcome.message == "worker 'a' crashed while it had this invocation"
    assert ("idempotent" in order.outcome.hint) == (what == "plain")


def test_an_answer_that_begins_before_it_was_started_is_none() -> None:
    g = gate("a", "b")
    taken = arrive(g, "1")
    assert g.head(ResponseHead("1", 200, ())) is None
    assert sent(g.left(1.0, WorkerLeft("a"))) == ["1~2 to b"]
    start(g, "1~2")
    assert g.head(ResponseHead("1~2", 200, ())) is taken


def test_what_waits_is_sent_again_with_the_current_revision() -> None:
    g = gate("a", "b")
    taken = arrive(g, "1", more=True)
    g.learn(Deployed(2, revision("f", 2)))
    (order,) = g.left(1.0, WorkerLeft("a"))
    assert isinstance(order, Send)
    assert isinstance(order.message, Dispatch)
    assert (order.message.invocation.revision, taken.revision) == ("f@2", 2)


def test_with_no_worker_left_the_admitted_wait_for_one_within_their_wait_s() -> None:
    g = gate("a", wait_s=10.0)
    taken = [arrive(g, name) for name in ("one", "two", "left")]
    assert g.left(1.0, WorkerLeft("a")) == []
    assert {one.worker for one in taken} == {""}
    assert isinstance(g.arrive(1.0, 1.0, "new", "f", Request(), Waiter()), NoCapacity)
    assert g.leave(taken[2], can_finish=True) is None
    g.give_up(2.0, taken[1], Failed("bad_response", ""))
    assert sent(g.joined(3.0, WorkerJoined(view("b")))) == ["one~2 to b", "left cancelled"]
    assert g.workers.by_name["b"].queued == 1
    assert [end.taken.id for end in g.expire(10.0)] == ["one"]  # since its arrival


def test_time_can_run_out_without_a_worker() -> None:
    g = gate("a", wait_s=10.0)
    arrive(g, "1")
    g.left(1.0, WorkerLeft("a"))
    (end,) = g.expire(10.0)
    assert (end.taken.worker, end.outcome.code) == ("", "timeout")
    assert g.joined(11.0, WorkerJoined(view("b"))) == []


def test_attempts_are_bounded() -> None:
    g = gate("a", "b", "c", attempts=2)
    arrive(g, "1")
    assert sent(g.left(1.0, WorkerLeft("a"))) == ["1~2 to b"]
    (order,) = g.left(2.0, WorkerLeft("b", "crashed"))
    assert isinstance(order, Answer)
    assert order.outcome.message == "worker 'b' crashed, the last of 2 that had this invocation"


def test_a_worker_that_is_back_ends_what_is_no_longer_its() -> None:
    g = gate("a", "b")
    arrive(g, "1")
    g.heard(2.0, Heartbeat(view("b")))
    g.silent(3.0)
    (order,) = g.heard(4.0, Heartbeat(view("a")))
    assert sent([order]) == ["end 1 on a"]
    assert isinstance(order, Send)
    assert isinstance(order.message, Withdraw)
    assert order.message.running, "also if it runs there by now"
    assert g.heard(5.0, Heartbeat(view("a"))) == []
    assert g.ended(5.0, Ended("1", Failed("cancelled", ""))) is None
    assert g.workers.by_name["a"].queued == 0


def test_a_worker_that_was_started_anew_has_nothing_of_the_old_one() -> None:
    g = gate("a")
    taken = arrive(g, "waits")
    arrive(g, "runs")
    start(g, "runs")
    assert sent(g.joined(1.0, WorkerJoined(view("a")))) == ["waits~2 to a", "runs sandbox_lost"]
    g.silent(9.0)
    assert taken.worker == ""
    assert sent(g.joined(9.5, WorkerJoined(view("a")))) == ["waits~3 to a"]
    assert start(g, "waits~3") is taken


def test_who_has_left_is_not_sent_again() -> None:
    g = gate("a", "b")
    taken = arrive(g, "1")
    g.leave(taken, can_finish=True)
    assert sent(g.left(1.0, WorkerLeft("a"))) == ["1 cancelled"]


def test_what_a_draining_worker_refuses_goes_to_another() -> None:
    g = gate("a", "b")
    taken = arrive(g, "1")
    refused = Ended("1", Failed("draining", "the worker is shutting down"))
    order = g.ended(1.0, refused)
    assert isinstance(order, Dispatch)
    assert (order.worker, order.invocation.id) == ("b", "1~2")
    assert arrive(g, "2").worker == "b"  # nothing more for the one that drains
    assert g.ended(1.0, Ended("1~2", refused.outcome)) is taken  # nobody is left
    assert g.workers.by_name["a"].queued == 0


def test_a_lost_sandbox_may_be_made_good_by_another_worker() -> None:
    g = gate("a", "b", idempotent=True)
    arrive(g, "1")
    start(g, "1")
    arrive(g, "2")
    arrive(g, "3")
    g.ended(1.0, Ended("2", Ok()))
    order = g.ended(1.0, Ended("1", Failed("sandbox_lost", "it was killed")))
    assert isinstance(order, Dispatch)
    assert (order.worker, order.invocation.id) == ("b", "1~2")


def test_bodies_are_let_go() -> None:
    g = gate("a")
    taken = arrive(g, "1")
    assert taken.road is not None
    assert (taken.road.invocation.request.body, taken.road.why) == (b"body", "the only worker")
    g.ended(1.0, Ended("1", Ok()))
    assert taken.road.invocation.request.body == b""


def test_what_is_sent_again_tells_who_waits_where_it_went() -> None:
    g = gate("a", "b")
    taken = [arrive(g, name) for name in "123"]
    assert [one.waiting for one in taken] == [0, 0, 1]
    g.left(1.0, WorkerLeft("a"))
    assert [(one.key, one.waiting) for one in taken] == [("1~2", 1), ("2", 0), ("3~2", 2)]

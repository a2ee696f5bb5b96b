from itertools import product
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.errors import AttaccaError, Draining, NotFound, QueueFull
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.model.invocation import Failed, FunctionError, Ok, Request, Start, Timing
from attacca.model.messages import Catalogue, Deleted, Deployed, Dispatch, Ended, ResponseHead, Started
from tests.drawing import several
from tests.gateway.play import Waiter, revision


def gate(**settings_: Any) -> GatewayCore:
    made = GatewayCore(calls_kept=5)
    made.attach("worker")
    made.learn(Catalogue(1, (revision("f", **settings_),)))
    return made


def arrive(
    gate: GatewayCore, now: float, name: str = "1", function: str = "f"
) -> tuple[Dispatch | AttaccaError, Waiter]:
    waiter = Waiter()
    return gate.arrive(now, 1e9 + now, name, function, Request(b"{}"), waiter), waiter


def start(gate: GatewayCore, now: float, name: str = "1", kind: Start = Start.WARM) -> Inflight | None:
    return gate.started(
        now, Started(name, "s1", kind, "because", Timing(queued=2.0, placed=1.0, sandbox=3.0, imports=4.0))
    )


def test_a_quiet_life() -> None:
    g = gate()
    order, waiter = arrive(g, 10.0)
    assert isinstance(order, Dispatch)
    assert (order.invocation.revision, order.invocation.request.body) == ("f@1", b"{}")
    assert waiter.taken is not None
    start(g, 10.5, kind=Start.COLD)
    assert g.ended(12.0, Ended("1", Ok(b"x", status=201), run_ms=7.0)) is waiter.taken
    (call,) = g.calls("f", 10)
    assert (call.status, call.outcome, call.start, call.why) == (201, "ok", "cold", "because")
    assert (call.total_ms, call.at) == (2000.0, 1e9 + 10)
    assert call.timing == Timing(queued=2.0, placed=1.0, sandbox=3.0, code=0.0, imports=4.0, run=7.0)
    assert g.functions.by_name["f"].statistics.init.sum_s == 0.007


def test_who_is_unknown_is_refused() -> None:
    error, waiter = arrive(gate(), 0.0, function="ff")
    assert isinstance(error, NotFound)
    assert waiter.taken is None


def test_a_full_queue_says_when_to_come_back() -> None:
    g = gate(queue=2)
    for name in ("1", "2"):
        arrive(g, 0.0, name)
        start(g, 0.0, name)
    g.ended(8.0, Ended("1", Ok(), run_ms=8000.0))
    arrive(g, 9.0, "3")
    arrive(g, 9.0, "4")
    error, _ = arrive(g, 9.0, "5")
    assert isinstance(error, QueueFull)
    assert error.retry_after_s == 16  # two wait, 8 s each, one sandbox
    assert error.message.startswith("2 invocations of 'f' wait already")
    start(g, 10.0, "3")
    assert isinstance(arrive(g, 10.0, "6")[0], Dispatch)


def test_one_that_waits_is_not_many() -> None:
    g = gate(queue=1)
    for name in ("1", "2"):
        error, _ = arrive(g, 0.0, name)
    assert isinstance(error, QueueFull)
    assert error.message.startswith("1 invocation of 'f' waits already")


def test_a_queue_of_none_still_has_a_hand_over() -> None:
    g = gate(queue=0)
    assert isinstance(arrive(g, 0.0, "1")[0], Dispatch)
    error, _ = arrive(g, 0.0, "2")
    assert isinstance(error, QueueFull)
    assert error.retry_after_s == 1


def test_draining_takes_nothing_new_and_finishes_the_rest() -> None:
    g = gate()
    arrive(g, 0.0)
    g.drain()
    refused, _ = arrive(g, 0.0, "2")
    assert isinstance(refused, Draining)
    assert refused.message == "the server is shutting down"
    assert g.ended(1.0, Ended("1", Ok())) is not None


def test_the_three_clocks() -> None:
    g = gate(wait_s=5.0, first_byte_s=2.0, timeout_s=4.0)
    for name in ("waits", "silent", "slow"):
        arrive(g, 0.0, name)
    start(g, 1.0, "silent")
    start(g, 1.0, "slow")
    g.head(ResponseHead("slow", 200, ()))
    ends = [(at, end) for at in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0) for end in g.expire(at)]
    assert [(at, end.taken.id) for at, end in ends] == [(3.0, "silent"), (5.0, "waits"), (5.0, "slow")]
    for (_, end), clock in zip(ends, ("first_byte_s = 2", "wait_s = 5", "timeout_s = 4"), strict=True):
        assert end.outcome.code == "timeout"
        assert clock in end.outcome.message
        assert clock.split()[0] in end.outcome.hint
        assert end.withdraw.running
    assert g.functions.by_name["f"].statistics.timeouts == {"first_byte_s": 1, "wait_s": 1, "timeout_s": 1}
    assert g.ended(9.0, Ended("slow", Ok())) is None  # the answer was given
    assert g.taken == {}


def test_two_clocks_that_fire_at_once_end_it_once() -> None:
    g = gate(first_byte_s=2.0, timeout_s=2.0)
    arrive(g, 0.0)
    start(g, 1.0)
    (end,) = g.expire(3.0)
    assert "timeout_s = 2" in end.outcome.message


def test_what_is_over_has_no_clock_left() -> None:
    g = gate(first_byte_s=2.0)
    for name in ("waited", "ran"):
        arrive(g, 0.0, name)
    start(g, 0.0, "ran")
    for name in ("waited", "ran"):
        g.ended(1.0, Ended(name, Ok()))
    g.expire(1.0)
    assert g.deadlines.next_at == inf


def test_an_invocation_keeps_the_clocks_it_was_taken_with() -> None:
    g = gate(wait_s=5.0)
    arrive(g, 0.0, "old")
    g.learn(Deployed(2, revision("f", 2, wait_s=1.0)))
    arrive(g, 0.5, "new")
    assert [end.taken.id for end in g.expire(1.5)] == ["new"]
    assert [end.taken.id for end in g.expire(5.0)] == ["old"]


def test_a_client_that_leaves_withdraws_what_waits() -> None:
    g = gate()
    _, waiter = arrive(g, 0.0)
    assert waiter.taken is not None
    withdraw = g.leave(waiter.taken, can_finish=True)
    assert withdraw is not None
    assert not withdraw.running
    assert g.leave(waiter.taken, can_finish=True) is None
    taken = g.ended(1.0, Ended("1", withdraw.outcome))
    assert isinstance(taken, Inflight)
    assert taken.client is None
    assert [(call.outcome, call.status) for call in g.calls(None, 9)] == [("cancelled", 499)]


def test_what_waits_for_a_body_that_cannot_come_is_ended() -> None:
    g = gate()
    _, waiter = arrive(g, 0.0)
    start(g, 0.0)
    assert waiter.taken is not None
    withdraw = g.leave(waiter.taken, can_finish=False)
    assert withdraw is not None
    assert withdraw.running


def test_errors_are_counted_by_code() -> None:
    g = gate()
    for name, outcome in (("1", FunctionError("ValueError", "no")), ("2", Failed("out_of_memory", "too much"))):
        arrive(g, 0.0, name)
        start(g, 0.0, name)
        g.ended(1.0, Ended(name, outcome))
    assert g.functions.by_name["f"].statistics.errors == {"function_error": 1, "out_of_memory": 1}
    assert [call.why for call in g.calls("f", 9)] == ["too much", "ValueError: no"]


LOST = Failed("sandbox_lost", "its process exited with status 3")


def test_an_idempotent_invocation_whose_sandbox_is_lost_is_sent_once_more() -> None:
    g = gate(idempotent=True, timeout_s=5.0, wait_s=9.0)
    first, waiter = arrive(g, 0.0)
    start(g, 1.0)
    assert g.ended(2.0, Ended("1", LOST)) == first
    function = g.functions.by_name["f"]
    assert (function.waiting, function.running) == (1, 0)
    assert g.expire(7.0) == []  # the clock of the first attempt has stopped
    start(g, 8.0, kind=Start.TEMPLATE)
    assert g.ended(9.0, Ended("1", Ok())) is waiter.taken
    (call,) = g.calls("f", 9)
    assert (call.outcome, call.start, call.total_ms) == ("ok", "template", 9000.0)
    assert call.why == "sent again, its process exited with status 3; because"


def test_it_is_sent_again_only_once_and_waits_no_longer_than_others() -> None:
    g = gate(idempotent=True, wait_s=9.0)
    for name in ("twice", "waits"):
        arrive(g, 0.0, name)
        start(g, 1.0, name)
        assert isinstance(g.ended(2.0, Ended(name, LOST)), Dispatch)
    start(g, 3.0, "twice")
    assert isinstance(g.ended(4.0, Ended("twice", LOST)), Inflight)
    (end,) = g.expire(11.0)
    assert (end.taken.id, "wait_s = 9" in end.outcome.message) == ("waits", True)
    assert all(call.why.startswith("sent again, its process") for call in g.calls("f", 9))


def lost_after(what: str) -> Inflight | Dispatch | None:
    g = gate(idempotent=what != "plain")
    waiter = Waiter()
    g.arrive(0.0, 0.0, "1", "f", Request(b"{}", more=what == "streamed in"), waiter)
    if what != "waiting":
        start(g, 0.0)
    taken = waiter.taken
    assert taken is not None
    match what:
        case "streamed out":
            g.head(ResponseHead("1", 200, ()))
        case "client left":
            g.leave(taken, can_finish=True)
        case "draining":
            g.drain()
        case "replaced":
            g.learn(Deployed(2, revision("f", 2, idempotent=True)))
        case "deleted":
            g.learn(Deleted(2, "f"))
        case _:
            pass
    return g.ended(1.0, Ended("1", Failed("out_of_memory", "") if what == "out of memory" else LOST))


@pytest.mark.parametrize(
    "what",
    [
        *("plain", "streamed in", "streamed out", "waiting", "client left", "draining", "replaced", "deleted"),
        "out of memory",
    ],
)
def test_nothing_else_is_sent_again(what: str) -> None:
    assert isinstance(lost_after(what), Inflight)


def test_an_answer_that_cannot_be_sent_is_remembered_as_such() -> None:
    g = gate()
    _, waiter = arrive(g, 0.0)
    start(g, 0.0)
    g.ended(1.0, Ended("1", Ok()))
    assert waiter.taken is not None
    g.amend(waiter.taken, Failed("bad_response", "a header that HTTP does not allow"))
    (call,) = g.calls("f", 9)
    assert (call.status, call.outcome, call.why) == (500, "bad_response", "a header that HTTP does not allow")
    assert g.functions.by_name["f"].statistics.errors == {"bad_response": 1}


def test_only_the_latest_calls_are_kept_the_latest_first() -> None:
    g = gate()
    for number in range(8):
        arrive(g, float(number), str(number))
        g.ended(float(number), Ended(str(number), Ok()))
    assert [call.id for call in g.calls("f", 3)] == ["7", "6", "5"]
    assert [call.id for call in g.calls(None, 99)] == ["7", "6", "5", "4", "3"]
    assert g.calls("g", 9) == []
    assert g.calls("f", 0) == []


def test_a_deleted_function_lets_its_invocations_finish() -> None:
    g = gate()
    arrive(g, 0.0)
    g.learn(Deleted(2, "f"))
    assert g.ended(1.0, Ended("1", Ok())) is not None
    assert g.taken == {}


KINDS = ("arrive", "arrive", "start", "head", "end", "leave", "give_up", "wait", "deploy", "drain")
OPS = several(list(product(KINDS, range(8))), max_size=60)


@settings(max_examples=2 * settings().max_examples)
@given(OPS, st.booleans())
def test_every_arrival_ends_in_exactly_one_answer(ops: list[tuple[str, int]], idempotent: bool) -> None:  # noqa: FBT001
    """Whatever the order of things: one answer each, the queue within its bound, and the counts add up."""
    g = Play(queue=3, wait_s=4.0, timeout_s=5.0, first_byte_s=2.0, idempotent=idempotent)
    for op, number in ops:
        g.do(op, number)
        g.check()
    g.now += 100.0
    g.expire()
    g.check()
    assert g.gate.taken == {}
    assert all(count == 1 for count in g.answers.values())


class Play:
    def __init__(self, **settings_: Any) -> None:
        self.gate = gate(**settings_)
        self.now = 0.0
        self.answers: dict[str, int] = {}
        self.refused = 0
        self.generation = 1
        self.function = self.gate.functions.by_name["f"]

    def do(self, op: str, number: int) -> None:
        names = list(self.answers)
        name = names[-1 - number] if number < len(names) else "nobody"
        taken = self.gate.taken.get(name)
        match op:
            case "arrive":
                self.arrive()
            case "start":
                start(self.gate, self.now, name)
            case "head":
                self.gate.head(ResponseHead(name, 200, ()))
            case "end":
                outcome = (Ok(), FunctionError("E", "m"), Failed("sandbox_lost", "m"))[number % 3]
                ended = self.gate.ended(self.now, Ended(name, outcome, 1.0))
                self.count(ended if isinstance(ended, Inflight) else None)
            case "leave" if taken is not None:
                self.gate.leave(taken, can_finish=number % 2 == 0)
            case "give_up" if taken is not None:
                if self.gate.give_up(self.now, taken, Failed("bad_response", "m")) is not None:
                    self.count(taken)
            case "wait":
                self.now += number / 2
                self.expire()
            case _:
                self.disturb(op, number)

    def disturb(self, op: str, number: int) -> None:
        match op:
            case "deploy":
                self.generation += 1
                like = self.function
                new = revision("f", self.generation, queue=3, wait_s=4.0 + number, idempotent=like.is_idempotent)
                self.gate.learn(Deployed(self.generation, new))
            case "drain" if number == 7:
                self.gate.drain()

    def arrive(self) -> None:
        name = f"{len(self.answers)}"
        order, _ = arrive(self.gate, self.now, name)
        if isinstance(order, Dispatch):
            self.answers[name] = 0
        else:
            self.refused += 1

    def count(self, taken: Inflight | None) -> None:
        if taken is not None:
            self.answers[taken.id] += 1

    def expire(self) -> None:
        for end in self.gate.expire(self.now):
            self.count(end.taken)

    def check(self) -> None:
        statistics, open_ = self.function.statistics, list(self.gate.taken.values())
        again = sum(bool(taken.lost) for taken in open_)
        assert self.function.waiting == sum(taken.start is None for taken in open_) <= 3 + again
        assert self.function.running == sum(taken.start is not None for taken in open_)
        assert statistics.taken == len(self.answers) == sum(statistics.ended.values()) + len(open_)
        assert statistics.refused == self.refused
        assert statistics.duration.count == sum(statistics.ended.values())
        assert max(self.answers.values(), default=0) <= 1
        assert len(self.function.recent) <= 5

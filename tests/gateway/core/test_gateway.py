from math import inf
from typing import Any

from attacca.errors import Draining, NotFound, QueueFull
from attacca.gateway.core.events import (
    Answer,
    BodyCame,
    ClientFell,
    ClientPaused,
    Drain,
    Pass,
    Refused,
)
from attacca.model.function import Signature
from attacca.model.invocation import Failed, FunctionError, Ok, Start, Timing
from attacca.model.messages import Body, Deleted, Deployed, Flow, ResponseBody, Send, Withdraw
from tests.cases import each
from tests.gateway.play import revision
from tests.gateway.stage import Stage, dispatched, told


def stage(**settings_: Any) -> Stage:
    return Stage(revision("f", **settings_))


def test_a_quiet_life() -> None:
    g = stage()
    waiter = g.invoke(10.0)
    order = dispatched(g.said[-1])
    assert (order.invocation.revision, order.invocation.request.body) == ("f@1", b"{}")
    assert repr(waiter.taken) == "<Inflight 1 of f: waiting on worker>"
    assert g.start(10.5, kind=Start.COLD) == []
    assert repr(waiter.taken) == "<Inflight 1 of f: running on worker>"
    assert g.end(12.0, Ok(b"x", status=201), run_ms=7.0) == [Answer(g.answered[0], Ok(b"x", status=201))]
    assert g.answered == [waiter.taken]
    assert repr(waiter.taken) == "<Inflight 1 of f: done on worker>"
    (call,) = g.core.functions.calls("f", 10)
    assert (call.status, call.outcome, call.start, call.why) == (201, "ok", "cold", "because")
    assert (call.total_ms, call.at) == (2000.0, 1e9 + 10)
    assert call.timing == Timing(queued=2.0, placed=1.0, sandbox=3.0, code=0.0, imports=4.0, run=7.0)
    assert g.core.functions.by_name["f"].statistics.init.sum_s == 0.007


def test_who_is_unknown_is_refused() -> None:
    g = stage()
    assert g.invoke(0.0, function="ff").taken is None
    assert isinstance(g.refusal, NotFound)
    assert g.core.functions.unblamed == 1


def test_a_full_queue_says_when_to_come_back() -> None:
    g = stage(queue=2)
    for name in ("1", "2"):
        g.invoke(0.0, name)
        g.start(0.0, name)
    g.end(8.0, Ok(), "1", run_ms=8000.0)
    for name in ("3", "4", "5"):
        g.invoke(9.0, name)
    error = g.refusal
    assert isinstance(error, QueueFull)
    assert error.retry_after_s == 16  # two wait, 8 s each, one sandbox
    assert error.message.startswith("2 invocations of 'f' wait already")
    g.start(10.0, "3")
    g.admit(10.0, "6")


def test_one_that_waits_is_not_many() -> None:
    g = stage(queue=1)
    for name in ("1", "2"):
        g.invoke(0.0, name)
    assert g.refusal.message.startswith("1 invocation of 'f' waits already")


def test_a_queue_of_none_still_has_a_hand_over() -> None:
    g = stage(queue=0)
    g.admit(0.0, "1")
    g.invoke(0.0, "2")
    assert isinstance(g.refusal, QueueFull)
    assert g.refusal.retry_after_s == 1


def test_who_only_asks_is_not_counted_and_who_is_refused_elsewhere_is() -> None:
    g = stage(queue=0)
    g.admit(0.0)
    function = g.core.functions.by_name["f"]
    assert isinstance(g.core.refusal("f"), QueueFull)
    assert isinstance(g.core.refusal("g"), NotFound)
    assert (function.statistics.refused, g.core.functions.unblamed) == (0, 0)
    g.tell(0.0, Refused("f", "payload_too_large"))
    g.tell(0.0, Refused("g", "not_found"))
    assert (function.statistics.errors, g.core.functions.unblamed) == ({"payload_too_large": 1}, 1)


def test_draining_takes_nothing_new_and_finishes_the_rest() -> None:
    g = stage()
    assert repr(g.core) == "<GatewayCore open: 0 in flight of 1 functions on 1 workers>"
    assert repr(g.core.joining) == "<Joining 1 workers>"
    g.invoke(0.0)
    g.tell(0.0, Drain())
    assert repr(g.core) == "<GatewayCore draining: 1 in flight of 1 functions on 1 workers>"
    g.invoke(0.0, "2")
    assert isinstance(g.refusal, Draining)
    assert g.refusal.message == "the server is shutting down"
    assert told(g.end(1.0, Ok())) == ["1 ok"]


def test_the_three_clocks() -> None:
    g = stage(wait_s=5.0, first_byte_s=2.0, timeout_s=4.0)
    for name in ("waits", "silent", "slow"):
        g.invoke(0.0, name)
    g.start(1.0, "silent")
    g.start(1.0, "slow")
    assert told(g.head(1.0, "slow")) == ["slow hears ResponseHead"]
    ends = [(at, command) for at in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0) for command in g.tick(at)]
    answers = [(at, end) for at, end in ends if isinstance(end, Answer)]
    assert [(at, end.inflight.id) for at, end in answers] == [(3.0, "silent"), (5.0, "waits"), (5.0, "slow")]
    for (_, end), clock in zip(answers, ("first_byte_s = 2", "wait_s = 5", "timeout_s = 4"), strict=True):
        assert isinstance(end.outcome, Failed)
        assert end.outcome.code == "timeout"
        assert clock in end.outcome.message
        assert clock.split()[0] in end.outcome.hint
    assert told([end for _, end in ends if isinstance(end, Send)]) == [
        f"end {name} on worker" for name in ("silent", "waits", "slow")
    ]
    assert g.core.functions.by_name["f"].statistics.timeouts == {"first_byte_s": 1, "wait_s": 1, "timeout_s": 1}
    assert g.end(9.0, Ok(), "slow") == []  # the answer was given
    assert g.core.inflight == {}


def test_it_wakes_for_the_first_clock() -> None:
    g = stage(wait_s=5.0, timeout_s=60.0)
    assert g.core.alarm.at == inf
    g.invoke(1.0, "1")
    g.invoke(2.0, "2")
    g.start(3.0, "1")
    assert g.core.alarm.at == 6.0, "too early, as the first of them has left, does no harm"
    assert told(g.wait(7.0)) == ["2 timeout", "end 2 on worker"]
    assert g.core.alarm.at == 63.0


def test_two_clocks_that_fire_at_once_end_it_once() -> None:
    g = stage(first_byte_s=2.0, timeout_s=2.0)
    g.invoke(0.0)
    g.start(1.0)
    assert told(g.tick(3.0)) == ["1 timeout", "end 1 on worker"]
    assert "timeout_s = 2" in g.core.functions.calls("f", 1)[0].why


def test_what_is_over_has_no_clock_left() -> None:
    g = stage(first_byte_s=2.0)
    for name in ("waited", "ran"):
        g.invoke(0.0, name)
    g.start(0.0, "ran")
    for name in ("waited", "ran"):
        g.end(1.0, Ok(), name)
    g.tick(g.core.deadlines.next_at)
    assert g.core.deadlines.next_at == inf


def test_an_invocation_keeps_the_clocks_it_was_taken_with() -> None:
    g = stage(wait_s=5.0)
    g.invoke(0.0, "old")
    g.tell(0.0, Deployed(2, revision("f", 2, wait_s=1.0)))
    g.invoke(0.5, "new")
    assert told(g.tick(1.5)) == ["new timeout", "end new on worker"]
    assert told(g.tick(5.0)) == ["old timeout", "end old on worker"]


def test_a_client_that_leaves_withdraws_what_waits() -> None:
    g = stage()
    one = g.admit(0.0)
    (withdraw,) = g.leave(0.0, one)
    assert told([withdraw]) == ["end 1 on worker unless it runs"]
    assert g.leave(0.0, one) == []
    assert isinstance(withdraw, Send)
    assert isinstance(withdraw.message, Withdraw)
    g.end(1.0, withdraw.message.outcome)
    assert [(call.outcome, call.status) for call in g.core.functions.calls(None, 9)] == [("cancelled", 499)]


def test_what_waits_for_a_body_that_cannot_come_is_ended() -> None:
    g = stage()
    one = g.admit(0.0)
    g.start(0.0)
    assert told(g.leave(0.0, one, can_finish=False)) == ["end 1 on worker"]


def test_streams_pass_both_ways_until_it_is_over() -> None:
    g = stage()
    one = g.admit(0.0, more=True)
    assert g.tell(0.0, BodyCame(one, b"x", last=False)) == [Send("worker", Body("1", b"x", last=False))]
    assert told(g.start(0.0)) == ["1 hears Started"]
    assert g.tell(0.0, Flow("1", paused=True)) == [Pass(one, Flow("1", paused=True))]
    assert told(g.head(1.0)) == ["1 hears ResponseHead"]
    assert g.head(1.0) == [], "there is one"
    assert told(g.tell(1.0, ResponseBody("1", b"y"))) == ["1 hears ResponseBody"]
    assert g.tell(1.0, ClientPaused(one, paused=True)) == [Send("worker", Flow("1", paused=True))]
    g.end(2.0, Ok(streamed=True))
    late = (BodyCame(one, b"x", last=True), ClientPaused(one, paused=False), ResponseBody("1", b"y"), ClientFell(one))
    assert [g.tell(2.0, event) for event in late] == [[], [], [], []]
    assert (one.status, one.outcome) == (200, "ok")


def test_only_applications_hear_of_a_client_that_may_have_gone() -> None:
    for signature, heard in ((Signature.ASGI, ["end 1 on worker unless it runs"]), (Signature.EVENT_CONTEXT, [])):
        g = Stage(revision("f", 1, signature))
        one = g.admit(0.0)
        assert g.tell(0.0, ClientFell(one)) == []
        g.start(0.0)
        assert told(g.tell(0.0, ClientFell(one))) == heard
        assert one.client is not None


def test_what_is_given_up_is_over_and_its_worker_is_told() -> None:
    g = stage()
    one = g.admit(0.0)
    g.start(0.0)
    assert told(g.give_up(1.0, one)) == ["1 bad_response", "end 1 on worker"]
    assert g.give_up(1.0, one) == []
    assert g.leave(1.0, one) == []


def test_errors_are_counted_by_code() -> None:
    g = stage()
    for name, outcome in (("1", FunctionError("ValueError", "no")), ("2", Failed("out_of_memory", "too much"))):
        g.invoke(0.0, name)
        g.start(0.0, name)
        g.end(1.0, outcome, name)
    assert g.core.functions.by_name["f"].statistics.errors == {"function_error": 1, "out_of_memory": 1}
    assert [call.why for call in g.core.functions.calls("f", 9)] == ["too much", "ValueError: no"]


LOST = Failed("sandbox_lost", "its process exited with status 3")


def test_an_idempotent_invocation_whose_sandbox_is_lost_is_sent_once_more() -> None:
    g = stage(idempotent=True, timeout_s=5.0, wait_s=9.0)
    one = g.admit(0.0)
    first = g.said[-1]
    g.start(1.0)
    assert g.end(2.0, LOST) == [first], "with its own name: its worker says nothing more of the first attempt"
    function = g.core.functions.by_name["f"]
    assert (function.waiting, function.running) == (1, 0)
    assert g.tick(7.0) == []  # the clock of the first attempt has stopped
    g.start(8.0, kind=Start.TEMPLATE)
    g.end(9.0, Ok())
    assert g.answered == [one]
    (call,) = g.core.functions.calls("f", 9)
    assert (call.outcome, call.start, call.total_ms) == ("ok", "template", 9000.0)
    assert call.why == "sent again, its process exited with status 3; because"


def test_it_is_sent_again_only_once_and_waits_no_longer_than_others() -> None:
    g = stage(idempotent=True, wait_s=9.0)
    for name in ("twice", "waits"):
        g.invoke(0.0, name)
    for name in ("twice", "waits"):
        g.start(1.0, name)
    for name in ("twice", "waits"):
        assert told(g.end(2.0, LOST, name)) == [f"{name} to worker"]
    g.start(3.0, "twice")
    assert told(g.end(4.0, LOST, "twice")) == ["twice sandbox_lost"]
    assert told(g.tick(11.0)) == ["waits timeout", "end waits on worker"]
    assert all(call.why.startswith("sent again, its process") for call in g.core.functions.calls("f", 9))


@each(
    "what",
    [
        *("plain", "streamed in", "streamed out", "waiting", "client left", "draining", "replaced", "deleted"),
        "out of memory",
    ],
)
def test_nothing_else_is_sent_again(what: str) -> None:
    g = stage(idempotent=what != "plain")
    one = g.admit(0.0, more=what == "streamed in")
    if what != "waiting":
        g.start(0.0)
    match what:
        case "streamed out":
            g.head(0.0)
        case "client left":
            g.leave(0.0, one)
        case "draining":
            g.tell(0.0, Drain())
        case "replaced":
            g.tell(0.0, Deployed(2, revision("f", 2, idempotent=True)))
        case "deleted":
            g.tell(0.0, Deleted(2, "f"))
        case _:
            pass
    g.end(1.0, Failed("out_of_memory", "") if what == "out of memory" else LOST)
    assert g.answered == [one]


def test_an_answer_that_cannot_be_sent_is_remembered_as_such() -> None:
    g = stage()
    one = g.admit(0.0)
    g.start(0.0)
    g.end(1.0, Ok())
    assert g.amend(1.0, one, Failed("bad_response", "a header that HTTP does not allow")) == []
    (call,) = g.core.functions.calls("f", 9)
    assert (call.status, call.outcome, call.why) == (500, "bad_response", "a header that HTTP does not allow")
    assert g.core.functions.by_name["f"].statistics.errors == {"bad_response": 1}


def test_only_the_latest_calls_are_kept_the_latest_first() -> None:
    g = stage()
    for number in range(8):
        g.invoke(float(number), str(number))
        g.end(float(number), Ok(), str(number))
    assert [call.id for call in g.core.functions.calls("f", 3)] == ["7", "6", "5"]
    assert [call.id for call in g.core.functions.calls(None, 99)] == ["7", "6", "5", "4", "3"]
    assert g.core.functions.calls("g", 9) == []
    assert g.core.functions.calls("f", 0) == []


def test_a_deleted_function_lets_its_invocations_finish() -> None:
    g = stage()
    g.invoke(0.0)
    g.tell(0.0, Deleted(2, "f"))
    assert told(g.end(1.0, Ok())) == ["1 ok"]
    assert g.core.inflight == {}


def test_control_is_asked_for_what_was_missed() -> None:
    g = stage()
    assert told(g.tell(0.0, Deployed(3, revision("f", 3)))) == ["AskCatalogue"]
    assert g.tell(0.0, Deployed(4, revision("f", 4))) == [], "once"


def test_a_body_that_cannot_be_sent_again_is_let_go() -> None:
    for idempotent, kept in ((False, b""), (True, b"{}")):
        g = stage(idempotent=idempotent)
        one = g.admit(0.0)
        assert one.request.body == b"{}"
        g.start(0.0)
        assert one.request.body == kept
        g.end(1.0, Ok())
        assert one.request.body == b""

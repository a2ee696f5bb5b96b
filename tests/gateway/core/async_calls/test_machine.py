"""The machine of asynchronous calls, from being asked to being over; and a crash between any two of its steps."""

import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import Posted, WallClock
from attacca.model.async_call import Posting
from attacca.model.function import AsyncSettings
from attacca.model.invocation import Failed, Ok, Outcome, Request
from tests.cases import each
from tests.gateway.core.async_calls.stage import AHEAD, BAD, BUSY, GOOD, Stage
from tests.gateway.play import revision


def test_it_is_accepted_when_it_is_written_and_then_made() -> None:
    stage = Stage()
    stage.ask("a")
    assert stage.said == [], "it is not durable yet"
    assert stage.book.records == {}
    stage.go(1)
    assert stage.said == [("accepted", "a"), ("settled", "a")]
    record = stage.book.records["a"]
    assert (record.call.state.value, record.call.attempts, record.outcome, record.request) == ("done", 1, GOOD, None)
    assert record.call.tries[0].id == "a.1"
    assert record.call.expires_at == record.call.ended_at + 86_400
    assert stage.core.books.pending == {}


def test_a_call_to_nobody_is_refused() -> None:
    stage = Stage()
    stage.ask("a", "nobody")
    assert stage.said == [("rejected", "not_found")]


@pytest.mark.long
def test_it_is_tried_again_with_pauses_that_grow() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(retries=3, backoff_s=10.0)))
    stage.behave = lambda _, __: BAD
    stage.ask("a")
    stage.go(1000)
    assert stage.state("a") == "dead"
    call = stage.book.records["a"].call
    assert call.attempts == 4
    assert [one.id for one in call.tries] == ["a.1", "a.2", "a.3", "a.4"]
    assert call.why == "ValueError: bad"
    gaps = [after.at - before.at for before, after in zip(call.tries, call.tries[1:], strict=False)]
    assert all(gap <= most for gap, most in zip(gaps, (10, 20, 40), strict=True)), gaps
    assert stage.book.records["a"].request is not None, "it may be revived"
    assert stage.said == [("accepted", "a"), ("settled", "a")]


@pytest.mark.long
def test_what_does_not_run_is_no_attempt_until_it_is_too_old() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(retries=0, max_age_s=600.0)))
    stage.behave = lambda _, run: BUSY if run < 5 else GOOD
    stage.ask("a")
    stage.go(300)
    assert (stage.state("a"), stage.book.records["a"].call.attempts) == ("done", 1)
    stage.behave = lambda _, __: BUSY
    stage.ask("b")
    stage.go(2000)
    call = stage.book.records["b"].call
    assert (call.state.value, call.attempts, call.why) == ("dead", 0, "too many wait")
    assert call.ended_at - call.at <= 600


@each(
    "outcome, state",
    [
        (Ok(status=404), "done"),
        (Ok(status=503), "dead"),
        (Ok(status=429), "dead"),
        (Failed("timeout", "slow"), "dead"),
        (Failed("bad_response", "odd"), "dead"),
        (Failed("start_failed", "no import"), "dead"),
    ],
)
def test_an_answer_below_500_is_one(outcome: Outcome, state: str) -> None:
    stage = Stage(revision("f", async_=AsyncSettings(retries=0)))
    stage.behave = lambda _, __: outcome
    stage.ask("a")
    stage.go(10)
    assert stage.state("a") == state


@pytest.mark.long
def test_what_is_hopeless_is_not_tried_again() -> None:
    stage = Stage()
    stage.behave = lambda _, __: Failed("response_too_large", "much")
    stage.ask("a")
    stage.go(1000)
    assert (stage.state("a"), stage.runs["a"]) == ("dead", 1)


def test_so_many_run_at_once_and_the_others_wait_their_turn() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(at_once=2)), revision("g"))
    stage.behave = lambda _, __: None
    for name in "abcd":
        stage.ask(name)
    stage.ask("other", "g")
    stage.go(1)
    assert list(stage.running) == ["a", "b", "other"]
    stage.end("b", GOOD)
    stage.go(1)
    assert list(stage.running) == ["a", "other", "c"]


def test_a_full_queue_refuses() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(queue=2)))
    stage.behave = lambda _, __: None
    for name in "abc":
        stage.ask(name)
    stage.go(1)
    assert stage.said[0] == ("rejected", "queue_full")
    assert set(stage.book.records) == {"a", "b"}
    stage.end("a", GOOD)
    stage.go(1)
    stage.ask("c")
    stage.go(1)
    assert "c" in stage.running


def test_bytes_and_calls_are_bounded() -> None:
    stage = Stage()
    stage.core.limits = stage.limits = type(stage.limits)(calls=2, bytes=100)
    stage.behave = lambda _, __: None
    stage.ask("a", request=Request(b"x" * 99))
    stage.ask("b", request=Request(b"xx"))
    stage.ask("c", request=Request(b"x"))
    stage.ask("d", request=Request(b""))
    stage.go(1)
    assert [said for said in stage.said if said[0] == "rejected"] == [("rejected", "queue_full")] * 2


def test_a_journal_that_fails_refuses_and_what_ran_is_written_later() -> None:
    stage = Stage()
    stage.journal_fails = StateUnavailable("the disk is full")
    stage.ask("a")
    stage.go(1)
    assert stage.said == [("rejected", "state_unavailable")]
    stage.journal_fails = None
    stage.behave = lambda _, __: None
    stage.ask("b")
    stage.go(1)
    stage.journal_fails = StateUnavailable("the disk is full")
    stage.end("b", GOOD)
    stage.go(10)
    assert stage.state("b") == "waiting"
    stage.journal_fails = None
    stage.go(10)
    assert stage.state("b") == "done"
    assert stage.runs["b"] == 1


def test_a_call_is_cancelled_wherever_it_is() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(at_once=1)))
    stage.behave = lambda _, __: None
    stage.ask("running")
    stage.ask("ready")
    stage.go(1)
    stage.cancel("running")
    stage.cancel("ready")
    stage.cancel("nobody")
    stage.go(1)
    assert ("cancelled", "running") in stage.said
    assert ("abort", "running") in stage.said
    assert ("cancelled", "ready") in stage.said
    assert ("rejected", "not_found") in stage.said
    assert stage.state("running") == stage.state("ready") == "cancelled"
    stage.cancel("ready")
    stage.go(1)
    assert stage.said[-1] == ("rejected", "conflict")
    assert stage.core.books.pending == {}


def test_one_cancelled_beside_us_is_dropped_when_it_ends() -> None:
    stage = Stage()
    stage.behave = lambda _, __: None
    stage.ask("a")
    stage.go(1)
    other = Stage(book=stage.book, clock=stage.clock)
    other.cancel("a")
    other.turn()
    assert other.said == [("cancelled", "a"), ("settled", "a")]
    stage.end("a", GOOD)
    stage.go(1)
    assert stage.state("a") == "cancelled"
    assert stage.core.books.pending == {}


# Callbacks.


@pytest.mark.long
def test_a_callback_is_posted_until_it_is_taken() -> None:
    stage = Stage()
    stage.post = lambda call, count: Posted(call, "" if count == 3 else "it answered 500")
    stage.ask("a", callback="https://x.example/")
    stage.go(1000)
    assert stage.posts == ["a"] * 3
    assert stage.book.records["a"].call.posting is Posting.DONE
    assert stage.said[-1] == ("settled", "a")


@pytest.mark.parametrize(("is_final", "posts"), [(False, 8), (True, 1)])
def test_a_callback_is_given_up(is_final: bool, posts: int) -> None:  # noqa: FBT001
    stage = Stage()
    stage.post = lambda call, _: Posted(call, "refused", is_final)
    stage.ask("a", callback="https://x.example/")
    stage.go(300)
    call = stage.book.records["a"].call
    assert (len(stage.posts), call.posting, call.why) == (posts, Posting.FAILED, "its callback failed: refused")
    assert stage.core.books.pending == {}


def test_it_says_how_it_stands() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(at_once=2, backoff_s=0.5)))
    stage.behave = lambda _, __: None
    for name in "abc":
        stage.ask(name)
    stage.go(1)
    core = stage.core
    assert repr(core) == "<AsyncCore open: <Books 3 calls of 1 functions, 12 bytes>>"
    assert repr(core.books.lanes["f"]) == "<CallLane 3 calls, 2 running, 1 ready>"
    assert repr(core.books.pending["a"]) == "<Pending a of f: running, begun 1 times>"
    assert repr(core.schedules) == "<Schedules 0, next at inf>"
    assert repr(core._attempts) == "<Attempts of <Books 3 calls of 1 functions, 12 bytes>>"
    assert repr(core._here).startswith("<Surroundings open, the time of day 1")
    stage.feed(WallClock(stage.clock.wall() + 3600))
    assert f"{AHEAD + 3600:.0f}" == f"{core.wall(0.0):.0f}"

from typing import Any

from attacca.errors import NoCapacity
from attacca.gateway.core.events import Answer
from attacca.model.invocation import Failed, Ok
from attacca.model.messages import Deleted, Deployed, Heartbeat, Member, Members, Send, WorkerJoined, WorkerLeft
from tests.cases import each
from tests.gateway.play import revision, view
from tests.gateway.stage import Stage, dispatched, told


def stage(*workers: str, attempts: int = 3, **settings: Any) -> Stage:
    return Stage(revision("f", **settings), workers=workers, silent_s=3.0, attempts=attempts)


def beat(g: Stage, now: float, *names: str) -> list[str]:
    return [text for name in names for text in told(g.tell(now, Heartbeat(view(name))))]


def test_the_less_loaded_worker_gets_it_and_counts_follow() -> None:
    g = stage("a", "b")
    inflight = [g.admit(0.0, name) for name in "123"]
    assert [one.worker for one in inflight] == ["a", "b", "a"]
    a, b = g.core.workers.by_name["a"], g.core.workers.by_name["b"]
    g.start(0.0, "1")
    assert (a.queued, a.running, b.queued, b.running) == (1, 1, 1, 0)
    g.end(1.0, Ok(), "1")
    g.give_up(1.0, inflight[1])
    g.give_up(1.0, inflight[2])
    assert (a.queued, a.running, b.queued, b.running) == (0, 0, 0, 0)


def test_no_worker_no_admission() -> None:
    g = stage()
    g.invoke(0.0)
    error = g.refusal
    assert isinstance(error, NoCapacity)
    assert (error.status, error.message) == (503, "no worker is there to run it")
    g.tell(1.0, WorkerJoined(view("a")))
    assert g.admit(1.0, "2").worker == "a"


def test_what_waited_on_a_silent_worker_goes_to_another_and_what_ran_is_over() -> None:
    g = stage("a", "b")
    waits = g.admit(0.0, "waits")
    g.admit(0.0, "x")
    g.end(0.5, Ok(), "x")
    runs = g.admit(0.5, "runs")
    assert (waits.worker, runs.worker) == ("a", "b")
    beat(g, 2.0, "b")
    g.start(2.0, "runs")
    assert g.core.alarm.at == 3.0
    assert g.tick(2.9) == []
    assert told(g.tick(3.0)) == ["lost a", "waits~2 to b"]
    assert told(g.tick(5.0)) == ["lost b", "runs sandbox_lost"]
    assert (waits.worker, waits.attempts, waits.key) == ("", 3, "waits~3")
    assert repr(g.core.retries) == "<Retries 1 wait for a worker, 2 workers may come back>"


def test_an_idempotent_one_that_ran_is_sent_again_and_the_late_answer_is_ignored() -> None:
    g = stage("a", "b", idempotent=True, timeout_s=5.0, wait_s=4.0)
    one = g.admit(0.0)
    g.start(1.0)
    beat(g, 2.0, "b")
    lost, order = g.tick(3.0)
    assert told([lost, order]) == ["lost a", "1~2 to b"]
    assert dispatched(order).invocation.request.body == b"{}"
    beat(g, 3.0, "b")
    assert g.start(3.5) == g.end(3.5, Ok(b"late")) == []
    assert one.start is None
    beat(g, 5.0, "b")
    assert g.tick(6.0) == []  # the first attempt's timeout_s is over, the wait_s of the second is not
    g.start(6.5, "1~2")
    assert one.why == "sent again, worker 'a' was not heard of for 3.0 s; because"
    g.end(7.0, Ok(b"once"), "1~2")
    (call,) = g.core.functions.calls("f", 9)
    assert (call.id, call.outcome, one.attempts) == ("1", "ok", 2)


@each("what", ["plain", "streamed in", "streamed out", "replaced", "deleted"])
def test_what_ran_and_may_not_run_twice_is_over(what: str) -> None:
    g = stage("a", "b", idempotent=what != "plain")
    one = g.admit(0.0, more=what == "streamed in")
    g.start(0.0)
    if what == "streamed out":
        g.head(0.0)
    if what == "replaced":
        g.tell(0.0, Deployed(2, revision("f", 2, idempotent=True)))
    if what == "deleted":
        g.tell(0.0, Deleted(2, "f"))
    (answer,) = g.tell(1.0, WorkerLeft("a", "crashed"))
    assert isinstance(answer, Answer)
    assert isinstance(answer.outcome, Failed)
    assert (answer.inflight, answer.outcome.code) == (one, "sandbox_lost")
    assert answer.outcome.message == "worker 'a' crashed while it had this invocation"
    assert ("idempotent" in answer.outcome.hint) == (what == "plain")


def test_an_answer_that_begins_before_it_was_started_is_none() -> None:
    g = stage("a", "b")
    g.admit(0.0)
    assert g.head(0.0) == []
    assert told(g.tell(1.0, WorkerLeft("a"))) == ["1~2 to b"]
    g.start(1.0, "1~2")
    assert told(g.head(1.0, "1~2")) == ["1 hears ResponseHead"]


def test_what_waits_is_sent_again_with_the_current_revision() -> None:
    g = stage("a", "b")
    one = g.admit(0.0, more=True)
    g.tell(0.0, Deployed(2, revision("f", 2)))
    (order,) = g.tell(1.0, WorkerLeft("a"))
    assert (dispatched(order).invocation.revision, one.revision) == ("f@2", 2)


def test_with_no_worker_left_the_admitted_wait_for_one_within_their_wait_s() -> None:
    g = stage("a", wait_s=10.0)
    inflight = [g.admit(0.0, name) for name in ("one", "two", "left")]
    assert g.tell(1.0, WorkerLeft("a")) == []
    assert {one.worker for one in inflight} == {""}
    g.invoke(1.0, "new")
    assert isinstance(g.refusal, NoCapacity)
    assert g.leave(1.0, inflight[2]) == []
    assert told(g.give_up(2.0, inflight[1])) == ["two bad_response"]
    assert told(g.tell(3.0, WorkerJoined(view("b")))) == ["one~2 to b", "left cancelled"]
    assert g.core.workers.by_name["b"].queued == 1
    for now in (5.0, 7.0, 9.0):
        beat(g, now, "b")
    assert told(g.tick(10.0)) == ["one timeout", "end one~2 on b"]  # since its arrival


def test_time_can_run_out_without_a_worker() -> None:
    g = stage("a", wait_s=10.0)
    one = g.admit(0.0)
    g.tell(1.0, WorkerLeft("a"))
    assert told(g.tick(10.0)) == ["1 timeout"]
    assert one.worker == ""
    assert g.tell(11.0, WorkerJoined(view("b"))) == []


def test_attempts_are_bounded() -> None:
    g = stage("a", "b", "c", attempts=2)
    g.admit(0.0)
    assert told(g.tell(1.0, WorkerLeft("a"))) == ["1~2 to b"]
    g.tell(2.0, WorkerLeft("b", "crashed"))
    assert g.core.functions.calls("f", 1)[0].why == (
        "sent again, worker 'a' left; worker 'b' crashed, the last of 2 that had this invocation"
    )


def test_a_worker_that_is_back_ends_what_is_no_longer_its() -> None:
    g = stage("a", "b")
    g.admit(0.0)
    beat(g, 2.0, "b")
    g.tick(3.0)
    assert beat(g, 4.0, "a") == ["end 1 on a"], "also if it runs there by now"
    assert beat(g, 5.0, "a") == []
    assert g.end(5.0, Failed("cancelled", "")) == []
    assert g.core.workers.by_name["a"].queued == 0


def test_a_worker_that_was_started_anew_has_nothing_of_the_old_one() -> None:
    g = stage("a")
    waits = g.admit(0.0, "waits")
    g.admit(0.0, "runs")
    g.start(0.0, "runs")
    assert told(g.tell(1.0, WorkerJoined(view("a")))) == ["waits~2 to a", "runs sandbox_lost"]
    g.wait(4.0)
    assert waits.worker == ""
    assert told(g.tell(9.5, WorkerJoined(view("a")))) == ["waits~3 to a"]
    g.start(9.5, "waits~3")
    assert waits.start is not None


def test_who_has_left_is_not_sent_again() -> None:
    g = stage("a", "b")
    g.leave(0.0, g.admit(0.0))
    assert told(g.tell(1.0, WorkerLeft("a"))) == ["1 cancelled"]


DRAINING = Failed("draining", "the worker is shutting down")


def test_what_a_draining_worker_refuses_goes_to_another() -> None:
    g = stage("a", "b")
    one = g.admit(0.0)
    assert told(g.end(1.0, DRAINING)) == ["1~2 to b"]
    assert g.admit(1.0, "2").worker == "b"  # nothing more for the one that drains
    assert told(g.end(1.0, DRAINING, "1~2")) == ["1 draining"]  # nobody is left
    assert one.is_done
    assert g.core.workers.by_name["a"].queued == 0


def test_what_a_worker_does_not_know_yet_or_any_more_is_sent_again_as_it_is_now() -> None:
    g = stage("a")
    one = g.admit(0.0)
    g.tell(0.0, Deployed(2, revision("f", number=2)))
    unknown = Failed("not_found", "this worker knows no revision 'f@1'")
    assert told(g.end(1.0, unknown)) == ["1 to a"]
    assert (one.revision, one.attempts, g.core.workers.by_name["a"].queued) == (2, 2, 1)
    assert told(g.end(1.0, unknown)) == ["1 to a"]
    assert g.end(1.0, unknown) == []
    assert (one.worker, g.core.workers.by_name["a"].queued) == ("", 0)
    assert beat(g, 2.0, "a") == ["1~4 to a"]  # it may have heard of it by now
    assert g.end(2.0, unknown, "1~4") == []
    assert told(g.tell(3.0, Deployed(3, revision("f", number=3)))) == ["1~5 to a"]
    assert (one.revision, one.attempts) == (3, 5)
    g.tell(3.0, Deleted(4, "f"))
    assert told(g.end(3.0, unknown, "1~5")) == ["1 not_found"]


def test_what_nobody_comes_to_know_has_its_wait_s() -> None:
    g = stage("a", wait_s=4.0, attempts=1)
    one = g.admit(0.0)
    assert g.end(0.0, Failed("not_found", "this worker knows no revision 'f@1'")) == []
    beat(g, 2.0, "a")
    assert told(g.tick(4.0)) == ["1 timeout", "end 1~2 on a"]
    assert one.why.startswith("sent again, this worker knows no revision 'f@1'; no sandbox took 'f' within 4 s")


def named(*workers: str) -> Members:
    return Members(tuple(Member(worker, f"h:{worker}") for worker in workers))


def test_while_another_is_about_to_join_what_a_draining_worker_refuses_waits_for_it() -> None:
    g = stage("a", attempts=1)
    g.tell(0.0, named("a", "b"))
    one = g.admit(0.0)
    assert g.end(1.0, DRAINING) == []
    assert one.worker == ""
    assert g.admit(1.0, "2").worker == "a"
    assert g.end(1.0, DRAINING, "2") == []
    assert told(g.tell(1.5, Heartbeat(view("a", draining=True)))) == []  # it has nothing new to say
    assert told(g.tell(2.0, WorkerJoined(view("b")))) == ["1~2 to b", "2~2 to b"]


def test_when_nobody_comes_after_all_the_refusal_of_who_drains_says_why() -> None:
    g = stage("a")
    g.tell(0.0, named("a", "b"))
    g.admit(0.0)
    g.end(1.0, DRAINING)
    g.tell(2.0, named("a"))
    assert told(g.tell(2.5, Heartbeat(view("a", draining=True)))) == ["1~2 to a"]
    assert told(g.end(2.5, DRAINING, "1~2")) == ["1 draining"]


def test_who_drains_no_more_has_what_waited() -> None:
    g = stage("a")
    g.tell(0.0, named("a", "b"))
    g.admit(0.0)
    g.end(1.0, DRAINING)
    assert beat(g, 2.0, "a") == ["1~2 to a"]


def test_where_a_worker_is_about_to_join_what_arrives_waits_for_it() -> None:
    g = stage()
    g.tell(0.0, named("a"))
    one = g.admit(0.0)
    assert (one.worker, one.place) == ("", "it waits for a worker that is about to join")
    gone = g.admit(0.0, "2")
    g.leave(0.5, gone)
    assert told(g.tell(1.0, WorkerJoined(view("a")))) == ["1 to a", "2 cancelled"]
    g.tell(2.0, WorkerLeft("a"))
    g.tell(2.0, named())
    g.invoke(2.0, "3")
    assert isinstance(g.refusal, NoCapacity)


def test_a_worker_that_has_heard_of_no_function_yet_is_passed_over_until_it_is_heard_of_again() -> None:
    """It has nothing to do, and would be chosen each time."""
    g = stage("a", "b")
    g.admit(0.0)
    unknown = Failed("not_found", "this worker knows no revision 'f@1'")
    assert told(g.end(1.0, unknown)) == ["1~2 to b"]
    assert [g.admit(1.0, name).worker for name in ("2", "3")] == ["b", "b"]
    beat(g, 2.0, "a")
    assert g.admit(2.0, "4").worker == "a"


def test_a_lost_sandbox_may_be_made_good_by_another_worker() -> None:
    g = stage("a", "b", idempotent=True)
    g.admit(0.0)
    g.start(0.0)
    g.admit(0.0, "2")
    g.admit(0.0, "3")
    g.end(1.0, Ok(), "2")
    (order,) = g.end(1.0, Failed("sandbox_lost", "it was killed"))
    assert isinstance(order, Send)
    assert told([order]) == ["1~2 to b"]


def test_what_is_sent_again_tells_who_waits_where_it_went() -> None:
    g = stage("a", "b")
    inflight = [g.admit(0.0, name) for name in "123"]
    assert [one.waiting for one in inflight] == [0, 0, 1]
    g.tell(1.0, WorkerLeft("a"))
    assert [(one.key, one.waiting) for one in inflight] == [("1~2", 1), ("2", 0), ("3~2", 2)]
    assert {one.place for one in inflight} == {inflight[1].place, "the only worker"}

"""Invocations that wait at the gateway for a slot of a sandbox that control has had made."""

from attacca.gateway.core.events import ClientLeft, Drain, TellControl
from attacca.model.endpoints import AskEndpoints, Endpoints, EndpointsChanged, Loads, NotBegun, SlotFree, StartsFail
from attacca.model.invocation import Failed, Ok, Timing
from attacca.model.messages import Catalogue, Deleted, Deployed, Heartbeat, WorkerJoined, WorkerLeft
from tests.gateway.core.clustered import clustered, endpoint, stage
from tests.gateway.play import revision, view
from tests.gateway.stage import Stage, dispatched, told

MADE = Timing(sandbox=5.0, imports=20.0)


def loads(g: Stage) -> list[tuple[str, int, int]]:
    messages = [one.message for one in g.said if isinstance(one, TellControl)]
    told_of = [load for message in messages if isinstance(message, Loads) for load in message.of]
    return [(load.function, load.running, load.waiting) for load in told_of]


def where(command: object) -> str:
    return dispatched(command).sandbox


def test_a_free_slot_is_taken_in_the_step_that_promises_it() -> None:
    g = stage(endpoint("c1"))
    one = g.admit(1.0, "1")
    assert where(g.said[0]) == "c1"
    assert repr(one.slot) == "<SandboxHandle c1 on worker: 1 of 1 slots>"
    assert (one.place, one.timing) == ("a sandbox had a free slot", Timing())
    g.admit(1.1, "2")
    assert g.core.inflight["2"].worker == ""
    assert repr(g.core.cluster) == "<Cluster 1 sandboxes of 1 functions, 1 wait for a slot>"
    slots = g.core.functions.by_name["f"].slots
    assert repr(slots) == "<Slots f: 1 taken in 1 sandboxes, 0 with a free one, 1 wait>"


def test_the_slot_of_one_that_ends_goes_to_who_has_waited_longest() -> None:
    g = stage(endpoint("c1"))
    for name in "123":
        g.admit(float(name), name)
    g.start(3.0, "1")
    commands = g.end(4.0, Ok(b""), "1", 5.0)
    assert told(commands) == ["1 ok", "2 to worker"], "who waits for an answer does not wait for who is next"
    assert g.core.inflight["2"].timing == Timing(queued=2000.0)
    assert g.core.inflight["2"].place == "a slot has become free"


def test_what_waits_is_given_the_slot_that_appears_and_is_told_what_it_took_to_make() -> None:
    g = stage()
    one = g.admit(1.0, "1")
    g.tell(1.1, EndpointsChanged(2, (endpoint("c1"),)))
    assert one.place == "a sandbox was made"
    assert round(one.timing.placed, 6) == 75.0
    assert (one.timing.queued, one.timing.sandbox, one.timing.imports) == (0.0, 5.0, 20.0)
    g.start(1.2, "1")
    assert one.timing.sandbox == 5.0, "the worker does not know how long it was held here"


def test_who_came_late_has_waited_for_the_end_of_its_making_only() -> None:
    g = stage()
    one = g.admit(1.0, "1")
    g.tell(1.01, EndpointsChanged(2, (endpoint("c1"),)))
    assert round(one.timing.imports, 6) == 10.0
    assert (one.timing.placed, one.timing.sandbox) == (0.0, 0.0)


def test_a_sandbox_takes_as_many_as_it_has_slots() -> None:
    g = stage(endpoint("c1", slots=2))
    for name in "12":
        g.admit(1.0, name)
        assert where(g.said[-1]) == "c1"
    g.admit(1.0, "3")
    assert g.core.inflight["3"].slot is None


def test_the_latest_to_become_free_is_used_first() -> None:
    g = stage(endpoint("c1"), endpoint("c2"))
    assert g.admit(1.0, "1").slot.id == "c2"  # type: ignore[union-attr]
    assert g.admit(1.0, "2").slot.id == "c1"  # type: ignore[union-attr]
    for name in "12":
        g.start(1.0, name)
        g.end(2.0, Ok(b""), name)
    assert g.admit(3.0, "3").slot.id == "c1"  # type: ignore[union-attr]


def test_control_hears_at_once_that_somebody_waits_and_of_the_rest_a_little_later() -> None:
    g = stage()
    g.admit(1.0, "1")
    assert loads(g) == [("f", 0, 1)]
    g.admit(1.01, "2")
    assert loads(g) == [("f", 0, 1)]
    g.wait(1.2)
    assert loads(g)[1:] == [("f", 0, 2)]
    g.tell(1.3, EndpointsChanged(2, (endpoint("c1", slots=5),)))
    g.wait(2.0)
    assert loads(g)[2:] == [("f", 2, 0)]
    g.said.clear()
    g.wait(8.0)
    assert loads(g) == [], "nothing has changed"


def test_it_says_how_long_the_first_has_waited_and_how_many_have_come() -> None:
    g = stage()
    g.admit(1.0, "1")
    g.admit(1.02, "2")
    g.wait(1.5)
    message = next(one.message for one in reversed(g.said) if isinstance(one, TellControl))
    assert isinstance(message, Loads)
    [load] = message.of
    assert (round(load.waited_s, 6), load.arrivals) == (0.07, 2)


def test_sent_back_it_goes_before_those_who_came_later() -> None:
    g = stage(endpoint("c1"))
    for name in "12":
        g.admit(1.0, name)
    g.tell(1.1, NotBegun("1", "c1"))
    assert g.core.cluster.by_sandbox == {}
    assert [one.id for one in g.core.inflight["2"].function.slots.waiting] == ["1", "2"]  # type: ignore[union-attr]
    assert told(g.tell(1.2, EndpointsChanged(2, (endpoint("c2"),)))) == ["1~2 to worker"]
    g.tell(1.3, EndpointsChanged(3, (), ("c1",)))
    assert list(g.core.cluster.by_sandbox) == ["c2"]


def test_so_often_as_slots_are_lost_to_others_it_is_sent_back_and_is_not_given_up() -> None:
    g = stage(endpoint("c1"))
    one = g.admit(1.0, "1")
    for turn in range(9):
        g.tell(1.1 + turn / 100, NotBegun(one.key, "c1", is_full=True))
        assert one.slot is None
        g.tell(1.105 + turn / 100, SlotFree("c1"))
        assert one.slot is not None
    assert one.key == "1~10"


def test_a_full_one_is_tried_again_when_its_worker_is_heard_of() -> None:
    """What it had said of a free slot may have been lost."""
    g = stage(endpoint("c1"))
    g.admit(1.0, "1")
    g.tell(1.1, NotBegun("1", "c1", is_full=True))
    assert told(g.tell(2.0, Heartbeat(view("worker")))) == ["1~2 to worker"]


def test_what_runs_elsewhere_is_not_disturbed_by_a_late_word() -> None:
    g = stage(endpoint("c1"))
    one = g.admit(1.0, "1")
    g.start(1.1, "1")
    g.tell(1.2, NotBegun("1", "c1"))
    assert one.start is not None
    g.end(1.3, Ok(b""), "1")
    assert g.core.inflight == {}


def test_the_slot_of_one_that_was_given_up_is_not_given_out_before_its_worker_is_heard_of() -> None:
    g = stage(endpoint("c1"), timeout_s=2.0)
    g.admit(1.0, "1")
    g.start(1.0, "1")
    g.admit(1.5, "2")
    assert [one for one in told(g.wait(3.0)) if one != "TellControl"] == ["1 timeout", "end 1 on worker"]
    assert g.core.inflight["2"].slot is None
    g.tell(3.5, Heartbeat(view("worker")))
    assert g.core.inflight["2"].slot is not None


def test_a_sandbox_that_dies_takes_nothing_more() -> None:
    g = stage(endpoint("c1"))
    g.admit(1.0, "1")
    g.start(1.0, "1")
    g.admit(1.0, "2")
    g.end(1.1, Failed("sandbox_lost", "killed"), "1")
    assert g.core.inflight["2"].slot is None
    assert g.core.cluster.by_sandbox == {}


def test_an_idempotent_one_that_was_lost_waits_for_another_slot() -> None:
    g = stage(endpoint("c1"), idempotent=True)
    one = g.admit(1.0, "1")
    g.start(1.0, "1")
    g.end(1.1, Failed("sandbox_lost", "killed"), "1")
    assert (one.key, one.slot, one.losses) == ("1~2", None, 1)
    g.tell(1.2, EndpointsChanged(2, (endpoint("c2"),)))
    g.start(1.3, "1~2")
    g.end(1.4, Ok(b""), "1~2")
    assert one.outcome == "ok"


def test_waiting_has_its_clock_and_its_bound() -> None:
    g = stage(wait_s=5.0, queue=2)
    for name in "12":
        g.admit(1.0, name)
    g.invoke(1.0, "3")
    assert g.refusal.code == "queue_full"
    g.wait(7.0)
    assert [one.outcome for one in g.answered] == ["timeout", "timeout"]
    assert g.core.cluster.nowhere.queued == 0


def test_whose_client_goes_away_waits_no_longer() -> None:
    g = stage()
    one = g.admit(1.0, "1")
    assert told(g.tell(1.1, ClientLeft(one, True))) == ["1 cancelled"]  # noqa: FBT003 - a field
    assert g.core.inflight == {}


def test_a_gap_in_what_is_published_asks_for_the_whole_once() -> None:
    g = stage(endpoint("c1"))
    assert g.tell(1.0, EndpointsChanged(1, (endpoint("old"),))) == []
    assert g.tell(1.0, EndpointsChanged(4, (endpoint("c4"),))) == [TellControl(AskEndpoints())]
    assert g.tell(1.1, EndpointsChanged(5, (endpoint("c5"),))) == []
    g.tell(1.2, Endpoints(5, (endpoint("c4"), endpoint("c5"))))
    assert sorted(g.core.cluster.by_sandbox) == ["c4", "c5"]
    g.tell(1.3, EndpointsChanged(6, (), ("c4",)))
    assert sorted(g.core.cluster.by_sandbox) == ["c5"]


def test_of_a_control_that_has_just_begun_what_is_not_said_is_not_gone() -> None:
    g = stage(endpoint("c1"))
    g.tell(1.0, Endpoints(1 << 32, (endpoint("c2"),), is_whole=False))
    assert sorted(g.core.cluster.by_sandbox) == ["c1", "c2"]
    g.tell(2.0, Endpoints((1 << 32) + 1, (endpoint("c2"),)))
    assert sorted(g.core.cluster.by_sandbox) == ["c2"]


def test_who_publishes_anew_is_told_what_is_wanted() -> None:
    g = stage(endpoint("c1"))
    for name in "12":
        g.admit(1.0, name)
    g.wait(2.0)
    g.said.clear()
    g.tell(2.0, Endpoints(1 << 32, (endpoint("c1"),)))
    assert loads(g) == [("f", 1, 1)]


def test_where_a_worker_is_gone_or_drains_nothing_is_sent() -> None:
    g = stage(endpoint("a1", "a"), endpoint("b1", "b"), workers=("a", "b"))
    g.tell(1.0, Heartbeat(view("b", draining=True)))
    assert g.admit(1.1, "1").worker == "a"
    g.admit(1.2, "2")
    g.tell(1.3, Heartbeat(view("b")))
    assert g.core.inflight["2"].worker == "b"
    commands = g.tell(1.4, WorkerLeft("a", "died"))
    assert [one for one in told(commands) if one != "TellControl"] == []
    assert g.core.inflight["1~2"].slot is None, "it had not begun, and waits"
    g.tell(1.5, WorkerJoined(view("a")))
    assert g.core.inflight["1~2"].worker == "a", "what is published may be used again when it is there"


def test_an_endpoint_may_be_known_before_its_worker_and_before_its_function() -> None:
    g = Stage(workers=("a",), silent_s=9.0)
    g.tell(0.0, Endpoints(1, (endpoint("b1", "b", number=2),)))
    g.tell(0.1, Deployed(2, clustered()))
    g.admit(0.2, "1")
    g.tell(0.3, WorkerJoined(view("b")))
    assert g.core.inflight["1"].slot is None, "it is of another revision"
    g.tell(0.4, Deployed(3, clustered(number=2)))
    assert g.core.inflight["1"].worker == "b"
    assert g.core.inflight["1"].revision == 2


def test_a_function_that_is_deleted_leaves_nobody_waiting() -> None:
    g = stage(endpoint("c1"))
    for name in "12":
        g.admit(1.0, name)
    assert [one for one in told(g.tell(1.1, Deleted(2, "f"))) if one != "TellControl"] == ["2 not_found"]
    g.start(1.2, "1")
    g.end(1.3, Ok(b""), "1")
    g.tell(1.4, EndpointsChanged(2, (), ("c1",)))
    assert repr(g.core.cluster) == "<Cluster 0 sandboxes of 0 functions, 0 wait for a slot>"
    g.tell(1.5, Catalogue(9, ()))


def test_who_waits_goes_to_a_worker_when_workers_schedule_from_now_on() -> None:
    g = stage(endpoint("c1"))
    for name in "12":
        g.admit(1.0, name)
    assert told(g.tell(1.1, Deployed(2, revision("f", 2)))) == ["2 to worker"]
    g.start(1.2, "1")
    g.end(1.3, Ok(b""), "1")
    g.tell(1.4, NotBegun("2", "c1"))
    assert g.core.inflight["2"].slot is None


def test_sent_back_to_a_function_that_workers_schedule_by_now() -> None:
    g = stage(endpoint("c1"))
    g.admit(1.0, "1")
    g.tell(1.1, Deployed(2, revision("f", 2)))
    assert "1~2 to worker" in told(g.tell(1.2, NotBegun("1", "c1")))


def test_who_waits_for_what_cannot_be_made_is_told_why() -> None:
    g = stage()
    g.admit(1.0, "1")
    g.tell(1.1, StartsFail("f", "f@7", Failed("start_failed", "ImportError")))
    assert g.answered == []
    g.tell(1.1, StartsFail("f", "f@1", Failed("start_failed", "ImportError")))
    assert [one.outcome for one in g.answered] == ["start_failed"]
    h = stage(endpoint("c1"))
    for name in "12":
        h.admit(1.0, name)
    h.tell(1.1, StartsFail("f", "f@1", Failed("start_failed", "ImportError")))
    assert h.answered == [], "some are up, and their slots will be free"


def test_shutting_down_it_refuses_those_who_wait_and_lets_finish_what_runs() -> None:
    g = stage(endpoint("c1"))
    for name in "12":
        g.admit(1.0, name)
    g.tell(1.1, Drain())
    assert [one.outcome for one in g.answered] == ["draining"]
    g.start(1.2, "1")
    g.end(1.3, Ok(b""), "1")
    assert g.core.inflight == {}


def test_a_late_word_of_a_full_sandbox_is_believed_although_nobody_waits_for_it() -> None:
    g = stage(endpoint("c1", slots=2), wait_s=1.0)
    g.admit(1.0, "1")
    g.wait(2.5)
    g.tell(2.6, Heartbeat(view("worker")))
    g.tell(2.7, NotBegun("1", "c1", is_full=True))
    assert g.admit(2.8, "2").slot is None

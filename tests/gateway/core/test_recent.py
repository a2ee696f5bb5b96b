"""What a gateway's core has seen can be told, and holds no client and no body."""

from attacca.gateway.core.recent import remembering
from attacca.model.invocation import Failed, Ok
from attacca.model.messages import ResponseBody, WorkerLeft
from attacca.model.story import Recent
from tests.gateway.core.clustered import endpoint
from tests.gateway.core.clustered import stage as clustered_stage
from tests.gateway.play import revision
from tests.gateway.stage import Stage


def stage(workers: tuple[str, ...] = ("a",)) -> tuple[Stage, Recent]:
    found, recent = Stage(revision("f", 1, idempotent=True), workers=workers, silent_s=3.0), Recent()
    found.drive._handle = remembering(found.drive._handle, recent)
    return found, recent


def story(recent: Recent, subject: str) -> list[str]:
    return [f"{moment.what}: {moment.about}" for moment in recent.tell(subject, "gateway", 0.0)]


def test_the_story_of_an_invocation() -> None:
    on, recent = stage()
    on.admit(1.0)
    on.start(2.0)
    on.end(3.0, Ok(b"an answer"))
    assert story(recent, "1") == ["arrived at the gateway: f, a", "ended: ok"], "its worker tells the rest"
    on.admit(4.0, "2")
    on.end(5.0, Failed("no_capacity", "it does not fit"), "2")
    assert story(recent, "2")[-1] == "ended: no_capacity: it does not fit"


def test_what_is_sent_again_says_where() -> None:
    on, recent = stage(("a", "b"))
    inflight = on.admit(1.0)
    on.tell(2.0, WorkerLeft(inflight.worker, "left"))
    assert story(recent, "1") == ["arrived at the gateway: f, a", "sent to a worker: b"]


def test_clients_come_and_go() -> None:
    on, recent = stage()
    first, second, third = (on.admit(1.0, str(number)) for number in range(3))
    on.leave(2.0, first)
    on.give_up(2.0, second)
    on.start(2.0, "2")
    on.end(3.0, Ok(), "2")
    on.amend(3.0, third, Failed("bad_response", "no"))
    given_up = "is to be given up: id 0, running False, outcome cancelled"
    assert story(recent, "0")[1:] == ["ClientLeft: ", given_up]
    assert "GivenUp: bad_response: " in story(recent, "1")
    assert story(recent, "2")[-1] == "Amended: bad_response: no"
    rejected = on.invoke(4.0, "4", "nobody")
    assert rejected.taken is None
    assert story(recent, "4") == ["arrived at the gateway: nobody", "Reject: not_found"]


def test_neither_clients_nor_bodies_are_kept() -> None:
    on, recent = stage()
    on.admit(1.0)
    on.start(1.0)
    on.head(1.0)
    on.tell(1.0, ResponseBody("1", b"a piece"))
    on.end(2.0, Ok(b"an answer"))
    kept = repr(recent.entries)
    assert "Waiter" not in kept
    assert "Inflight" not in kept
    assert "an answer" not in kept
    assert "a piece" not in kept


def test_one_that_waits_for_a_slot_is_remembered_though_nothing_is_ordered() -> None:
    on, recent = clustered_stage(endpoint("c1")), Recent()
    on.drive._handle = remembering(on.drive._handle, recent)
    for name in "123":  # of the second control is told
        on.admit(1.0, name)
    assert story(recent, "3") == ["arrived at the gateway: f"]

"""A domain's portal: what passes, what does not, and who hears that something may be lost."""

from attacca.federation.core.portal import (
    FENCED,
    Across,
    Heard,
    PeerCame,
    PeerLost,
    PortalCore,
    Said,
    WorkerCame,
    WorkerLost,
)
from attacca.model.events import Carried, Done, Event, NodeGone, Passed, Reached, Torn
from attacca.model.federation import FarWorkers
from attacca.model.messages import Send


def carried(source: str, to: str) -> Carried:
    return Carried(source, to, b"p", 1, 1, Passed(1, 1, Event("w.b.1", "w.a.1@w1", b"x")))


def test_what_workers_say_passes_and_whoever_may_have_missed_something_hears_of_it() -> None:
    core = PortalCore(lambda _: False, "p")
    assert core.handle(WorkerCame("w1")) == []
    assert core.handle(Said(carried("w1", "b/w2"))) == [], "who sent it keeps it"
    assert core.handle(PeerCame("b")) == [Across("b", FarWorkers(("w1",), ("w1",), {}, "p"))]
    told = FarWorkers(("w2",), ("w2",), {"w3": 1, "w2": 1}, "q")
    assert core.handle(Heard("b", told)) == [Send("w1", NodeGone("b/w3")), Send("w1", Reached("b/w2"))]
    told = FarWorkers(("w2",), ("w2",), {"w3": 1, "w2": 2}, "q")
    assert core.handle(Heard("b", told)) == [Send("w1", NodeGone("b/w2")), Send("w1", Reached("b/w2"))], "it is back"
    assert core.handle(Said(carried("w1", "b/w2"))) == [Across("b", carried("w1", "w2"))]
    assert core.handle(Heard("b", carried("w2", "w1"))) == [Send("w1", carried("b/w2", "w1"))]
    assert core.handle(Heard("b", Torn("w2", "w1"))) == [Send("w1", Torn("b/w2", "w1"))]
    assert core.handle(Heard("b", carried("w2", "w9"))) == [], "there is no such worker"
    assert core.handle(Heard("c", carried("w2", "w1"))) == [], "it has no link"
    assert core.handle(WorkerCame("w4")) == [
        Across("b", FarWorkers(("w1", "w4"), ("w4",), {}, "p")), Send("w4", Reached("b/w2")),
    ]  # fmt: skip
    assert core.handle(WorkerLost("w1")) == [Across("b", FarWorkers(("w4",), (), {"w1": 1}, "p"))]
    assert core.handle(WorkerLost("w1")) == [], "once"
    assert core.handle(PeerLost("b")) == []
    assert core.handle(PeerCame("b")) == [Across("b", FarWorkers(("w4",), ("w4",), {"w1": 1}, "p"))], "it may not know"
    assert repr(core) == "<PortalCore 1 workers, 1 portals, 0 events refused>"


def test_events_of_an_instance_whose_place_another_has_are_for_nobody() -> None:
    core = PortalCore("w.a.1".__eq__, "p")
    for event in (WorkerCame("w1"), PeerCame("b")):
        core.handle(event)
    (told,) = core.handle(Heard("b", carried("w2", "w1")))
    assert isinstance(told, Send)
    assert isinstance(told.message, Carried)
    assert isinstance(told.message.message, Passed)
    assert told.message.message.message == Event(FENCED, "w.a.1@w1", b"")
    done = Carried("w2", "w1", b"p", 1, 2, Done(1))
    assert core.handle(Heard("b", done)) == [Send("w1", Carried("b/w2", "w1", b"p", 1, 2, Done(1)))]
    assert core.refused == 1

"""An event whose sender and target have both left the domain in which it waits is taken to where its target is."""

from attacca.kernel.rand import Streams
from attacca.model.events import (
    Event,
    Handed,
    HandOver,
    Inherited,
    InstanceDown,
    Instances,
    InstanceView,
    StartInstance,
    Strayed,
)
from attacca.model.federation import Astray, Located, Taken
from attacca.model.invocation import Failed
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.worker.core import view
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Command,
    Erased,
    FarSaid,
    HandedOver,
    NodeJoined,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    Tick,
)
from attacca.workflow.core.keeping import WORKFLOWS
from tests.workflow.core.stage import Stage, function

SPEC = WorkflowSpec(name="chain", components=(function("a", out="b"), function("b")))
TARGET = "w.b.3000000000001"
SENT = Event("w.b.2000000000001", "w.a.2000000000001@n1", b"hi", "", "out", 0.0)  # each of the two was there, then
ASTRAY = Astray("n1-7", SENT)


def domain() -> DomainCore:
    """With one node, and nothing of that workflow."""
    core = DomainCore(Random(), Streams(3).stream("placement"))
    core.handle(0.0, NodeJoined(view.brief(Stage(lambda *_: None).nodes["n1"].core), "n1:1"))
    return core


def of_target() -> DomainCore:
    """The domain to which the target has gone."""
    core = DomainCore(Random(), Streams(3).stream("placement"))
    core.handle(0.0, Restored(((Record("w~b", SPEC, 0.0, 3, ("b",)), 1),), (), Before(term=1, nodes=("n1",))))
    core.handle(0.0, NodeJoined(view.brief(Stage(lambda *_: None).nodes["n1"].core), "n1:1"))
    core.handle(0.0, Instances("n1", (InstanceView(TARGET, "w", "b", is_up=True),)))
    return core


def announced(out: list[Command]) -> list[tuple[object, str]]:
    return [(one.message, one.domain) for one in out if isinstance(one, Announce)]


def test_it_is_told_to_all_until_somebody_has_taken_it_and_its_worker_keeps_it_until_then() -> None:
    here, there = domain(), of_target()
    assert here.handle(1.0, Strayed("n1", SENT, "n1-7")) == [Announce(ASTRAY)]
    assert here.handle(1.1, Strayed("n1", SENT, "n1-7")) == [], "it is said again by who keeps it"
    assert repr(here.strays) == "<Strays 1 kept>"
    assert here.alarm.at == 6.0
    assert here.handle(6.0, Tick()) == [Announce(ASTRAY)], "nobody could be told, or nobody had the place"
    assert there.handle(6.0, FarSaid("x", ASTRAY)) == [Send("n1", HandOver(TARGET, (SENT,), "n1-7", ()))]
    assert there.handle(6.1, FarSaid("x", ASTRAY)) == [], "it is on its way"
    assert announced(there.handle(6.2, Handed("n1", TARGET, "n1-7"))) == [(Taken("n1-7"), "x")]
    assert announced(there.handle(6.3, FarSaid("x", ASTRAY))) == [(Taken("n1-7"), "x")], "it is handed over once"
    assert here.handle(6.4, FarSaid("c", Taken("n1-7"))) == [Send("n1", Inherited("n1-7"))]
    assert here.handle(60.0, Tick()) == []


def test_who_does_not_have_its_targets_place_leaves_it_to_others() -> None:
    assert domain().handle(1.0, FarSaid("x", ASTRAY)) == []


def test_what_nobody_wants_is_forgotten_when_its_workflow_must_be_over() -> None:
    here = domain()
    here.handle(1.0, Strayed("n1", SENT, "n1-7"))
    assert here.handle(602.0, Tick()) == [Send("n1", Inherited("n1-7"))]
    alone = Event("w.b.1", "w.a.1@n1", b"hi", "", "out", 0.0)
    assert here.handle(603.0, Strayed("n1", alone, "n1-8")) == [Send("n1", Inherited("n1-8"))], "of no federation"


def test_nothing_is_let_in_of_a_domain_whose_place_the_sender_has_lost() -> None:
    there = of_target()
    there.handle(1.0, FarSaid("y", Located("w", "a", 3, "w.a.3000000000001", "n5", "up", lost="x")))
    assert announced(there.handle(2.0, FarSaid("x", ASTRAY))) == [(Taken("n1-7"), "x")]


def left_by(there: DomainCore, down: InstanceDown) -> HandedOver:
    """When its target goes on elsewhere."""
    there.handle(7.0, StopAsked("over", "w~b", hands_over=True))
    there.handle(7.1, down)
    for one in there.handle(7.2, Erased(WORKFLOWS + "w~b")):
        if isinstance(one, Reply) and isinstance(one.outcome, HandedOver):
            return one.outcome
    raise AssertionError("it was handed over")


def test_where_its_target_goes_next_it_is_known_that_it_was_taken_already() -> None:
    """Who keeps it has not heard so: a portal was cut off in that moment."""
    down = Failed("cancelled", "it moves")
    for got, backlog in ((True, ()), (False, (SENT,))):  # the target had it; it was gone when it came
        there, after = of_target(), domain()
        there.handle(6.0, FarSaid("x", ASTRAY))
        if got:
            there.handle(6.2, Handed("n1", TARGET, "n1-7"))
        told = InstanceDown("n1", TARGET, down, follows=("n1-7",) if got else ())
        [left] = left_by(there, told).left
        assert (left.backlog, "n1-7" in left.follows) == (backlog, True)
        out = after.handle(8.0, StartAsked("on", SPEC, 0.0, "w~b", 4, (left,), ("b",)))
        out = [one for put in out if isinstance(put, Put) for one in after.handle(8.1, Stored(put.key, 1))]
        [start] = [one.message for one in out if isinstance(one, Send) and isinstance(one.message, StartInstance)]
        assert (start.backlog, "n1-7" in start.follows) == (backlog, True)
        assert after.handle(9.0, FarSaid("x", ASTRAY)) == [Announce(Taken("n1-7"), "x")], "and not handed over"


def test_who_is_told_that_another_has_its_targets_place_leaves_it_to_that_one() -> None:
    there = of_target()
    there.handle(7.0, StopAsked("over", "w~b"))
    assert there.handle(7.1, FarSaid("x", ASTRAY)) == []

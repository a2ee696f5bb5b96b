from attacca.kernel.rand import Streams
from attacca.model.events import Event, HandOver, Inherited, Instances, InstanceView, Patch, Strayed
from attacca.model.federation import Located
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.worker.core import view
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Command,
    NodeJoined,
    PortalOpened,
    Put,
    Record,
    Restored,
    Stored,
    Tick,
)
from tests.workflow.core.stage import Stage, function

SPEC = WorkflowSpec(name="chain", components=(function("a", out="b"), function("b")))


def located(commands: list[Command]) -> list[tuple[str, bool]]:
    """Which instance has the place, and whether events for it are held."""
    told = [one.message for one in commands if isinstance(one, Announce) and isinstance(one.message, Located)]
    return [(one.instance, one.is_held) for one in told]


def test_other_domains_are_told_of_what_runs_still_after_a_restart_and_of_nothing_newer() -> None:
    node = Stage(lambda *_: None).nodes["n1"]
    core = DomainCore(Random(), Streams(3).stream("placement"))
    before = Before(term=1, nodes=("n1",))
    restored = core.handle(0.0, Restored(((Record("w~b", SPEC, 0.0, 2, ("b",)), 1),), (), before))
    assert located(restored) == []
    assert located(core.handle(0.0, PortalOpened("y"))) == []
    core.handle(0.0, NodeJoined(view.brief(node.core), "n1:1"))
    runs = InstanceView("w.b.2000000000001", "w", "b", is_up=True)
    assert located(core.handle(0.0, Instances("n1", (runs,)))) == [("w.b.2000000000001", False)]
    assert located(core.handle(0.1, PortalOpened("z"))) == [("w.b.2000000000001", False)]


def test_who_sends_to_another_share_is_told_where_that_is_when_it_is_known_after_a_restart() -> None:
    """Its own share was known before: what it sent was held without end."""
    stage = Stage(lambda *_: None, nodes=2)
    core = DomainCore(Random(), Streams(3).stream("placement"))
    records = (Record("w", SPEC, 0.0, 2), 1), (Record("w~a", SPEC, 0.0, 2, ("a",)), 1)
    core.handle(0.0, Restored(records, (), Before(term=1, nodes=("n1", "n2"))))
    for name, node in stage.nodes.items():
        core.handle(0.0, NodeJoined(view.brief(node.core), f"{name}:1"))

    def targets(node: str, instance: str) -> list[str]:
        out = core.handle(0.1, Instances(node, (InstanceView(instance, "w", instance[2], is_up=True),)))
        patches = [one.message for one in out if isinstance(one, Send) and isinstance(one.message, Patch)]
        return [target.worker for one in patches if one.id == "w.a.2000000000001" for target in one.routes[0].targets]

    assert targets("n1", "w.a.2000000000001") == [""]
    assert targets("n2", "w.b.2000000000001") == ["n2"]


def test_where_nothing_runs_any_more_they_are_told_when_that_is_known() -> None:
    core = DomainCore(Random(), Streams(3).stream("placement"))
    restored = core.handle(0.0, Restored(((Record("w~b", SPEC, 0.0, 2, ("b",)), 1),), (), Before(term=1)))
    for put in restored:
        if isinstance(put, Put):
            core.handle(0.0, Stored(put.key, 1))
    core.handle(60.0, Tick())
    [(instance, is_held)] = located(core.handle(60.0, PortalOpened("y")))
    assert is_held
    assert instance > "w.b.2000000000001"


def test_what_comes_back_from_another_domain_is_sent_anew_by_who_has_its_senders_place() -> None:
    node = Stage(lambda *_: None).nodes["n1"]
    core = DomainCore(Random(), Streams(3).stream("placement"))
    core.handle(0.0, Restored(((Record("w~a", SPEC, 0.0, 2, ("a",)), 1),), (), Before(term=1, nodes=("n1",))))
    core.handle(0.0, NodeJoined(view.brief(node.core), "n1:1"))
    core.handle(0.0, Instances("n1", (InstanceView("w.a.2000000000002", "w", "a", is_up=True),)))
    sent = Event("w.b.2000000000001", "w.a.2000000000001@n1", b"hi", "", "out", 0.0)
    told = core.handle(1.0, Strayed("n1", sent, "n1-7"))
    assert told == [Send("n1", HandOver("w.a.2000000000002", (), "n1-7", (sent,)))]
    elsewhere = Event("w.b.2000000000001", "w.a.2000000000001@n2", b"hi", "", "out", 0.0)
    assert core.handle(1.0, Strayed("n1", elsewhere, "n1-8")) == [Send("n1", Inherited("n1-8"))], "it was not theirs"

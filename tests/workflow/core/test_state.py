"""What an orchestrator outside is shown, of a domain that is played."""

import msgspec

from attacca.model.events import InstanceView
from attacca.model.sandbox import MachineLoad
from attacca.worker.core import view
from attacca.workflow.core import identities
from attacca.workflow.core.state import Change, DomainState, Known, NodeState, changes, domain_state
from tests.workflow.core.stage import Node, Stage, function

LOAD = MachineLoad(cpu_share=0.5, load_1m=1.25, memory_free_mb=100, disk_free_mb=1000, received_mb_s=0.0, sent_mb_s=0.0)


def idle(node: Node, instance: str, kind: str, data: bytes) -> None:
    return None


def seen(stage: Stage, *views: InstanceView) -> DomainState:
    return domain_state(stage.core, "home", {}, {one.id: one for one in views}, ("redis", "file-log"))


def test_it_says_where_everything_is() -> None:
    stage = Stage(idle, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b", payload="x"), function("b", on="n2"))
    state = seen(stage)
    assert [(node.name, node.memory_mb, node.reserved_mb) for node in state.nodes] == [
        ("n1", 1000, 128),
        ("n2", 1000, 128),
    ]
    assert [one.name for one in state.providers] == ["n1-file-log", "n1-redis", "n2-file-log", "n2-redis"]
    a, b = state.components
    assert (a.name, a.payload, a.outputs, a.memory_mb) == (f"{workflow}.a", "x", {"to": ("b",)}, 128)
    assert [(one.name, one.node, one.is_up) for one in b.instances] == [(f"{workflow}.b.1", "n2", True)]
    assert b.instances[0].id == identities.of_instance(f"{workflow}.b.1")
    told = seen(stage, InstanceView(f"{workflow}.b.1", workflow, "b", is_up=True, waiting=3, handled=2, handled_s=0.5))
    only = told.components[1].instances[0]
    assert (only.handled, only.handled_s, only.waiting) == (2, 0.5, 3)
    assert state.component(a.id) == a == state.component(f"{workflow}.a")
    assert state.component("demo.a") == a
    assert state.component("a") is None
    stage.start(function("a"))
    assert seen(stage).component("demo.a") is None, "there are two"
    assert state.node("n1") == state.nodes[0] == state.node(identities.of_node("n1"))
    assert msgspec.json.decode(msgspec.json.encode(state), type=DomainState) == state


def test_what_runs_nowhere_has_no_instance() -> None:
    stage = Stage(idle, nodes=2)
    stage.start(function("a", on="n1"))
    stage.kill("n1")
    stage.lose("n1")
    only = seen(stage).components[0]
    assert only.instances == ()
    assert only.why
    assert [node.name for node in seen(stage).nodes] == ["n2"]


def test_changes_make_one_of_the_other() -> None:
    stage = Stage(idle)
    before = seen(stage)
    assert [(one.kind, one.name) for one in changes(None, before)] == [
        ("node", "n1"), ("provider", "n1-file-log"), ("provider", "n1-redis"),
    ]  # fmt: skip
    assert changes(before, before) == []
    workflow = stage.start(function("a"))
    now = seen(stage)
    assert changes(before, now) == [
        Change(kind="node", name="n1", now=now.nodes[0]),
        Change(kind="component", name=f"{workflow}.a", now=now.components[0]),
    ]
    assert Change(kind="component", name=f"{workflow}.a") in changes(now, before)
    assert msgspec.json.encode(Change(kind="node", name="n1")) == b'{"kind":"node","name":"n1"}'


def test_a_node_says_how_busy_it_is() -> None:
    stage = Stage(idle)
    told = msgspec.structs.replace(view.brief(stage.nodes["n1"].core), load=LOAD)
    node: NodeState = domain_state(stage.core, "home", {"n1": told}, {}, ()).nodes[0]
    assert (node.load, node.cores, node.labels) == (LOAD, 1, ("hostname=n1",))


def test_who_stands_by_is_shown_beside() -> None:
    stage = Stage(idle, nodes=2)
    workflow = stage.start(msgspec.structs.replace(function("a"), replicas=2, standby="hot"))
    stage.play(1.0)
    only = seen(stage).components[0]
    assert [one.name for one in only.instances] == [f"{workflow}.a.1"]
    assert only.standby is not None
    assert (only.standby.is_up, {only.standby.node, only.instances[0].node}) == (True, {"n1", "n2"})


def test_replicas_are_instances_of_one() -> None:
    stage = Stage(idle, nodes=2)
    stage.start(msgspec.structs.replace(function("a"), replicas=3))
    [only] = seen(stage).components
    assert len({one.id for one in only.instances}) == 3


def test_a_row_that_would_be_the_same_is_the_same() -> None:
    stage = Stage(idle, nodes=2)
    stage.start(function("a", on="n1"), function("b", on="n2"))
    known: Known = {}
    before, now = (domain_state(stage.core, "home", {}, {}, (), known).components for _ in range(2))
    assert [one is other for one, other in zip(before, now, strict=True)] == [True, True]
    stage.kill("n1")
    stage.lose("n1")
    later = domain_state(stage.core, "home", {}, {}, (), known).components
    assert [one is other for one, other in zip(now, later, strict=True)] == [False, True]

"""How many sandboxes control has made, and where: what gateways want, what workers have, what is published."""

from collections import Counter
from typing import Any

from attacca.control.core.cluster.cluster import SETTLE_S, STABLE_S
from attacca.control.core.events import Command, GatewaySaid, Reply
from attacca.control.core.events import Ordered as AskedToOrder
from attacca.errors import BadRequest
from attacca.kernel.registry import Choice
from attacca.model.endpoints import (
    AskEndpoints,
    AskSandboxes,
    Endpoints,
    EndpointsChanged,
    Load,
    Loads,
    Sandboxes,
    SandboxUp,
    StartSandbox,
    StopSandbox,
)
from attacca.model.function import Scheduling
from attacca.model.invocation import Failed
from attacca.model.messages import (
    Deployed,
    GatewayJoined,
    GatewayLeft,
    Heartbeat,
    Prewarm,
    Send,
    WorkerLeft,
)
from tests.control.cluster import KNATIVE, TIMING, Cluster, there
from tests.worker.stage import revision


def test_what_is_to_be_there_is_ordered_where_placement_says_and_published_when_it_is_up() -> None:
    c = Cluster()
    assert c.started() == {"c1-1": "w1", "c1-2": "w1"}, "when the first worker has joined"
    c.up("c1-1")
    [(peer, changed)] = c.take(EndpointsChanged)
    assert (peer, changed.generation) == ("g", (1 << 32) + 1)
    assert [(one.sandbox, one.worker, one.revision, one.slots) for one in changed.added] == [("c1-1", "w1", "f@1", 1)]
    assert changed.added[0].timing == TIMING
    assert c.function == "<ScaledFunction f@1: 2 wanted, 1 up, 1 starting, 0 run, 0 wait>"
    assert repr(c.core.cluster.ordering) == "<Ordering 2 sandboxes on 3 workers, 1 starting>"
    assert repr(c.core.cluster.ordering.hosts["w1"]) == "<Host w1 open: 2 sandboxes, 200 of 1000 MB reserved>"
    assert repr(c.core.cluster._chosen) == "<Chosen 1 scaling and 1 placement policies>"
    assert repr(c.core.cluster.publisher) == "<Publisher 4294967297: 1 endpoints for 1 gateways>"
    assert repr(c.core.cluster.creations) == "<Creations 1 up, 0 failed, 0 hedged, 1 remembered>"


def test_from_zero_the_first_that_waits_has_one_made_at_once() -> None:
    c = Cluster(scaling=KNATIVE)
    assert c.started() == {}
    c.want(0, 1)
    [(_, order)] = c.take(StartSandbox)
    assert not order.is_ahead
    assert order.why.endswith("its turn")


def test_too_many_are_stopped_and_gateways_hear_of_it() -> None:
    quick: dict[str, object] = {"stable_s": 6.0, "tick_s": 1.0, "utilization": 1.0, "grace_s": 1.0}
    c = Cluster(scaling=Choice(policy="knative", options=quick), silent_s=1e9)
    c.want(4, 0)
    c.up()
    was_up = list(c.core.cluster.publisher.endpoints)
    c.said.clear()
    c.want(0, 0)
    c.wait(25.0)
    removed = [name for _, message in c.take(EndpointsChanged) for name in message.removed]
    assert sorted(removed) == sorted(was_up)
    assert c.core.cluster.publisher.endpoints == {}
    assert {message.id for _, message in c.take(StopSandbox)} == set(was_up)


def test_demand_is_that_of_all_gateways_and_what_is_gone_wants_nothing() -> None:
    c = Cluster(gateways=("g", "h"), scaling=Choice(policy="knative", options={"utilization": 1.0}))
    c.want(0, 2, "g")
    c.want(0, 1, "h")
    assert c.function.endswith("0 run, 3 wait>")
    c.feed(GatewayLeft("g"))
    assert c.function.endswith("0 run, 1 wait>")
    c.want(0, 5, "g")
    assert c.function.endswith("0 run, 1 wait>"), "it is not there, and nobody would say that it has gone"


def test_all_gateways_hear_of_each_change_and_who_joins_of_all() -> None:
    c = Cluster(gateways=("g", "h"))
    c.up("c1-1")
    assert [(peer, message.generation & 0xFF) for peer, message in c.take(EndpointsChanged)] == [("g", 1), ("h", 1)]
    c.feed(GatewayJoined("i"))
    [(peer, whole)] = [one for one in c.take(Endpoints) if one[0] == "i"]
    assert (peer, whole.generation & 0xFF, len(whole.endpoints), whole.is_whole) == ("i", 1, 1, True)
    c.up("c1-2")
    assert Counter(peer for peer, _ in c.take(EndpointsChanged)) == {"g": 1, "h": 1, "i": 1}
    c.feed(GatewaySaid("h", AskEndpoints()))
    assert [peer for peer, _ in c.take(Endpoints)] == ["h"]


def test_what_a_worker_had_is_made_elsewhere_when_it_leaves_or_falls_silent() -> None:
    c = Cluster(workers=("w1", "w2"))
    c.up()
    c.started()
    c.take(EndpointsChanged)
    c.feed(WorkerLeft("w1"))
    assert list(c.started().values()) == ["w2", "w2"]
    assert [message.removed for _, message in c.take(EndpointsChanged)] == [("c1-1", "c1-2")]
    c.feed(SandboxUp("w1", "c1-1", TIMING))
    assert c.take(StopSandbox) == [("w1", StopSandbox("c1-1", "nobody has ordered it"))]
    d = Cluster(workers=("w1", "w2"), silent_s=3.0)
    d.up()
    d.started()
    for at in (1.0, 2.0, 3.0):
        d.feed(Heartbeat(d.view("w2")), at)
    d.wait(3.5)
    assert list(d.started().values()) == ["w2", "w2"]
    d.feed(Heartbeat(d.view("w1")), 4.0)
    assert d.take(AskSandboxes)[-1][0] == "w1", "it may still have them"


def test_what_a_worker_has_is_adopted_and_what_it_has_not_is_lost() -> None:
    c = Cluster()
    c.up("c1-1")
    c.started()
    c.join("w1")
    told = (there("c1-1"), there("x-1"), there("x-2", 7))
    c.feed(Sandboxes("w1", told))
    assert [message.id for _, message in c.take(StopSandbox)][:1] == ["x-2"], "it is of another revision"
    assert sorted(c.core.cluster.publisher.endpoints) == ["c1-1", "x-1"], "c1-2 is lost, and x-1 in its place"
    assert "c1-2" not in c.core.cluster.ordering.instances
    c.feed(Sandboxes("stranger", ()))


def test_what_was_ordered_after_it_was_asked_is_not_lost() -> None:
    c = Cluster()
    c.join("w1")
    c.down("c1-1", Failed("sandbox_lost", "died"))
    [(name, worker)] = [one for one in c.started().items() if one[0] == "c1-3"]
    c.feed(Sandboxes(worker, ()))
    assert name in c.core.cluster.ordering.instances


def test_a_control_that_has_just_begun_finds_out_what_there_is() -> None:
    c = Cluster(epoch=4, workers=("w1", "w2"))
    assert c.started() == {}, "nobody waits, and workers have not told"
    assert [message.is_whole for _, message in c.take(Endpoints)] == [False]
    c.feed(Sandboxes("w1", tuple(there(f"c4-{n}") for n in range(4))))
    assert len(c.core.cluster.publisher.endpoints) == 4
    assert c.take(StopSandbox) == [], "more than are wanted, and it stops none"
    c.wait(SETTLE_S + 0.1)
    assert [message.is_whole for _, message in c.take(Endpoints)] == [True]
    for at in range(4, int(STABLE_S) + 2):
        for name in ("w1", "w2"):
            c.feed(Heartbeat(c.view(name)), float(at))
        c.wait(float(at))
    assert len(c.take(StopSandbox)) == 2
    assert c.started() == {}


def test_and_has_made_at_once_what_somebody_waits_for() -> None:
    c = Cluster(epoch=4, scaling=KNATIVE)
    c.want(0, 1)
    assert c.started() == {"c5-1": "w1"}


def test_a_new_revision_has_sandboxes_of_its_own_and_another_scale_keeps_them() -> None:
    c = Cluster()
    c.up()
    c.started()
    cluster, out = c.core.cluster, []  # type: ignore[var-annotated]
    rescaled = revision("f", scheduling=Scheduling.CLUSTER, scaling={"policy": "fixed", "count": 3})
    cluster.announced(0.0, Deployed(1, rescaled), out)
    assert [one.message.id for one in out if isinstance(one.message, StartSandbox)] == ["c1-3"]
    assert len(cluster.publisher.endpoints) == 2
    out.clear()
    cluster.announced(0.0, Deployed(2, revision("f", 2, scheduling=Scheduling.CLUSTER)), out)
    assert {one.message.revision for one in out if isinstance(one.message, StartSandbox)} == {"f@2"}
    assert sorted(one.message.id for one in out if isinstance(one.message, StopSandbox)) == ["c1-1", "c1-2", "c1-3"]
    assert cluster.publisher.endpoints == {}
    out.clear()
    cluster.announced(0.0, Deployed(3, revision("f", 3)), out)
    assert cluster.functions == {}
    assert len([one for one in out if isinstance(one.message, StopSandbox)]) == 2


def test_a_policy_that_is_not_there_any_more_leaves_one_sandbox() -> None:
    c = Cluster()
    settings: dict[str, Any] = {"scaling": {"policy": "gone"}, "placement": "gone"}
    out: list[Command] = []
    c.core.cluster.announced(0.0, Deployed(1, revision("h", scheduling=Scheduling.CLUSTER, **settings)), out)
    assert repr(c.core.cluster.functions["h"]) == "<ScaledFunction h@1: 1 wanted, 0 up, 1 starting, 0 run, 0 wait>"


def test_what_control_scales_is_not_prewarmed_by_order() -> None:
    c = Cluster()
    [reply] = [one for one in c.feed(AskedToOrder("1", Prewarm("f", 3))) if isinstance(one, Reply)]
    assert isinstance(reply.outcome, BadRequest)
    assert reply.outcome.hint == "attacca scale f --min 3"


def test_nothing_is_written_on_the_road_of_a_cold_start() -> None:
    c = Cluster(scaling=KNATIVE)
    demand = Loads((Load("f", 0, 1),))
    commands = c.feed(GatewaySaid("g", demand))
    [name] = c.started()
    commands += c.feed(SandboxUp("w1", name, TIMING))
    assert {type(one.message) for one in commands if isinstance(one, Send)} == {StartSandbox, EndpointsChanged}
    assert all(isinstance(one, Send) for one in commands), "what is no message would be for the store, or the disk"

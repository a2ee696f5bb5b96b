"""Control decides how many sandboxes a function has and where: what gateways want, what workers say, what fails."""

from collections import Counter
from typing import Any

from attacca.control.core import invariants
from attacca.control.core.cluster.cluster import SETTLE_S, STABLE_S
from attacca.control.core.cluster.creations import Creation, Creations
from attacca.control.core.cluster.ordering import HEDGE_UNKNOWN_S, LOST_S, STOP_AGAIN_S
from attacca.control.core.control import ControlCore
from attacca.control.core.events import Command, Event, GatewaySaid, Put, Reply, Restored, Stored, Tick
from attacca.control.core.events import Ordered as AskedToOrder
from attacca.control.core.stored import Function
from attacca.errors import BadRequest
from attacca.kernel.registry import Choice
from attacca.model.endpoints import (
    AskEndpoints,
    AskSandboxes,
    Endpoints,
    EndpointsChanged,
    EndpointsKnown,
    Load,
    Loads,
    Ordered,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    StartSandbox,
    StartsFail,
    StopSandbox,
)
from attacca.model.function import Scheduling
from attacca.model.invocation import Failed, Timing
from attacca.model.messages import (
    Deployed,
    GatewayJoined,
    GatewayLeft,
    Heartbeat,
    Prewarm,
    Send,
    WorkerJoined,
    WorkerLeft,
)
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView
from tests.control.stage import control_core
from tests.worker.stage import revision

TIMING = Timing(queued=1.0, sandbox=30.0, code=2.0, imports=7.0)
NO_ROOM = Failed("no_capacity", "full")
BROKEN = Failed("start_failed", "ImportError", traceback="Traceback ...")
KNATIVE = Choice(policy="knative", options={"utilization": 1.0})
FIXED = Choice(policy="fixed", options={"count": 2})


def there(name: str, number: int = 1) -> Ordered:
    return Ordered(name, "f", f"f@{number}", is_up=True, timing=TIMING)


class Cluster:
    """A control core with functions, gateways and workers; `said` is what it told each of them."""

    def __init__(
        self, *, workers: tuple[str, ...] = ("w1", "w2", "w3"), gateways: tuple[str, ...] = ("g",),
        epoch: int = 0, scaling: Choice = FIXED, silent_s: float = 10.0, capacity_mb: int = 1000, **settings: Any,
    ) -> None:  # fmt: skip
        self.core: ControlCore = control_core(silent_s, scaling=scaling)
        self.now = 0.0
        self.capacity_mb = capacity_mb
        self.said: list[Send] = []  # type: ignore[type-arg]
        self.revision = revision("f", scheduling=Scheduling.CLUSTER, **settings)
        function = Function("f", 1, 1, (self.revision,))
        for name in gateways:
            self.feed(GatewayJoined(name))
        [put] = [one for one in self.feed(Restored(((function, 1),), (), epoch)) if isinstance(one, Put)]
        self.feed(Stored(put.id, 1))
        for name in workers:
            self.join(name)

    def feed(self, event: Event, at: float | None = None) -> list[Command]:
        self.now = self.now if at is None else at
        commands = self.core.handle(self.now, event)
        invariants.check(self.core)
        self.said += [one for one in commands if isinstance(one, Send)]
        return commands

    def join(self, name: str) -> None:
        self.feed(WorkerJoined(self.view(name)))

    def view(self, name: str, **more: object) -> WorkerView:
        fields = {"used": NOTHING, "queued": 0, "running": 0, "limit": 1, "capacity": Resources(self.capacity_mb)}
        return WorkerView(name=name, **{**fields, **more})  # type: ignore[arg-type]

    def drained(self, name: str) -> Heartbeat:
        return Heartbeat(self.view(name, draining=True))

    def wait(self, until: float) -> None:
        while (at := self.core.wakeup()) is not None and at <= until:
            self.feed(Tick(), max(at, self.now))
        self.now = until

    def want(self, running: int, waiting: int, gateway: str = "g", waited_s: float = 0.0) -> None:
        self.feed(GatewaySaid(gateway, Loads((Load("f", running, waiting, waited_s, running + waiting, 0.1),))))

    def take(self, kind: type) -> list:  # type: ignore[type-arg]
        """What was said of this kind since the last time, with whom it was said to."""
        taken = [(one.peer, one.message) for one in self.said if isinstance(one.message, kind)]
        self.said = [one for one in self.said if not isinstance(one.message, kind)]
        return taken

    def started(self) -> dict[str, str]:
        """By sandbox: its worker."""
        return {message.id: peer for peer, message in self.take(StartSandbox)}

    def up(self, *names: str) -> None:
        for name in names or list(self.core.cluster.ordering.instances):
            instance = self.core.cluster.ordering.instances[name]
            self.feed(SandboxUp(instance.worker, name, TIMING))

    def down(self, name: str, error: Failed) -> None:
        self.feed(SandboxDown(self.core.cluster.ordering.instances[name].worker, name, error))

    @property
    def function(self) -> str:
        return repr(self.core.cluster.functions["f"])


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
    assert repr(c.core.cluster.publisher) == "<Publisher 4294967297: 1 endpoints for 1 gateways>"
    assert repr(c.core.cluster.creations) == "<Creations 1 up, 0 failed, 0 hedged, 1 remembered>"


def test_from_zero_the_first_that_waits_has_one_made_at_once() -> None:
    c = Cluster(scaling=KNATIVE)
    assert c.started() == {}
    c.want(0, 1)
    [(_, order)] = c.take(StartSandbox)
    assert not order.is_ahead
    assert order.why.endswith("its turn")


def test_where_the_time_of_a_creation_went_is_remembered() -> None:
    c = Cluster(scaling=KNATIVE)
    c.now = 5.0
    c.want(0, 1, waited_s=0.25)
    c.now = 5.1
    c.up()
    [creation] = c.core.cluster.creations.latest.values()
    assert (creation.outcome, creation.worker, creation.sandbox) == ("up", "w1", "c1-1")
    assert [round(one, 6) for one in (creation.decision, creation.order, creation.room)] == [250.0, 60.0, 1.0]
    assert (creation.sandbox_ms, creation.code, creation.imports) == (30.0, 2.0, 7.0)
    assert creation.propagation == 0.0, "the gateway is not apart"


def propagation(c: Cluster) -> dict[str, float | None]:
    return {name: one.propagation for name, one in c.core.cluster.creations.latest.items()}


def test_a_creation_is_over_when_the_last_gateway_has_heard_of_it() -> None:
    c = Cluster(gateways=())
    for name in ("g", "h"):
        c.feed(GatewayJoined(name, is_apart=True))
    c.now = 1.0
    c.up("c1-1")
    [first] = {message.generation for _, message in c.take(EndpointsChanged)}
    c.feed(GatewaySaid("g", EndpointsKnown(first)), 1.25)
    c.feed(GatewaySaid("h", EndpointsKnown(first - 1)), 1.5)  # after a gap: it has asked for all of them
    assert propagation(c) == {"c1-1": None}
    c.up("c1-2")
    c.feed(GatewaySaid("h", EndpointsKnown(first + 1)), 1.75)
    assert propagation(c) == {"c1-1": 750.0, "c1-2": None}
    c.feed(GatewayLeft("g"), 2.0)
    assert propagation(c) == {"c1-1": 750.0, "c1-2": 500.0}, "who is gone is not waited for"
    c.down("c1-2", BROKEN)
    c.feed(GatewayJoined("late", is_apart=True))
    c.feed(GatewaySaid("nobody", EndpointsKnown(1 << 60)))
    assert propagation(c)["c1-2"] == 500.0


def test_of_many_creations_the_latest_are_remembered() -> None:
    creations = Creations(most=2)
    for name in "abc":
        creations.add(Creation(at=0.0, function="f", revision="f@1", sandbox=name, worker="w", outcome="up", why=""))
    creations.spread(0.5, ("a", "c"))
    assert [(one.sandbox, one.propagation) for one in creations.latest.values()] == [("b", None), ("c", 500.0)]


def test_creations_do_not_wait_for_one_another() -> None:
    c = Cluster()
    c.up("c1-2")
    assert c.function.startswith("<ScaledFunction f@1: 2 wanted, 1 up, 1 starting")
    c.up("c1-1")
    assert len(c.take(EndpointsChanged)) == 2


def test_a_worker_without_room_is_not_asked_again_before_it_is_heard_of() -> None:
    c = Cluster(workers=("w1", "w2"))
    c.started()
    c.down("c1-1", NO_ROOM)
    assert c.started() == {"c1-3": "w2"}
    c.down("c1-3", NO_ROOM)
    assert c.started() == {}, "nobody has any, and so it is tried again later"
    c.wait(0.3)
    assert c.started() == {}
    c.feed(Heartbeat(c.view("w2")))
    c.wait(2.0)
    assert list(c.started().values()) == ["w2"]


def test_what_found_no_room_is_tried_again_when_something_goes() -> None:
    c = Cluster(workers=("w1",), capacity_mb=250, scaling=Choice(policy="fixed", options={"count": 3}))
    assert len(c.started()) == 2
    c.up()
    c.down("c1-1", Failed("sandbox_lost", "died"))
    assert c.started() == {"c1-3": "w1"}


def test_what_fails_is_made_elsewhere() -> None:
    c = Cluster()
    c.started()
    c.down("c1-1", Failed("sandbox_lost", "its template died"))
    assert c.started() == {"c1-3": "w2"}
    c.down("c1-3", Failed("timeout", "it took too long"))
    assert c.started() == {"c1-4": "w3"}
    assert c.take(StartsFail) == []


def test_what_fails_by_its_own_fault_is_said_to_those_who_wait_and_tried_less_and_less_often() -> None:
    c = Cluster(scaling=KNATIVE, silent_s=1e9)
    c.want(0, 1)
    pauses = []
    for _ in range(5):
        [name] = c.started()
        c.down(name, BROKEN)
        [(peer, message)] = c.take(StartsFail)
        assert (peer, message) == ("g", StartsFail("f", "f@1", BROKEN))
        begun = c.now
        for _ in range(100):
            if not any(isinstance(one.message, StartSandbox) for one in c.said):
                c.wait(c.now + 0.5)
        pauses.append(c.now - begun)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_one_that_fails_thrice_without_a_traceback_is_to_blame_too() -> None:
    c = Cluster(scaling=KNATIVE)
    c.want(0, 1)
    for _ in range(3):
        assert c.take(StartsFail) == []
        [name] = c.started()
        c.down(name, Failed("out_of_memory", "too much"))
    assert len(c.take(StartsFail)) == 1


def test_a_slow_creation_has_a_twin_and_the_slower_one_is_stopped() -> None:
    c = Cluster(scaling=KNATIVE)
    c.want(0, 1)
    c.started()
    c.wait(HEDGE_UNKNOWN_S + 0.1)
    assert c.started() == {"c1-2": "w2"}
    assert c.function.startswith("<ScaledFunction f@1: 1 wanted, 0 up, 1 starting"), "the two count as one"
    c.up("c1-2")
    assert c.take(StopSandbox) == [("w1", StopSandbox("c1-1", "another was quicker"))]
    c.down("c1-1", Failed("sandbox_lost", "told to end"))
    assert c.started() == {}
    assert c.core.cluster.creations.hedged == 1


def test_the_first_may_still_be_quicker_and_one_of_both_may_fail() -> None:
    for first, other in (("c1-1", "c1-2"), ("c1-2", "c1-1")):
        c = Cluster(scaling=KNATIVE)
        c.want(0, 1)
        c.wait(HEDGE_UNKNOWN_S + 0.1)
        c.started()
        c.down(first, Failed("sandbox_lost", "died"))
        assert c.started() == {}, "the other is there"
        c.up(other)
        assert list(c.core.cluster.publisher.endpoints) == [other]


def test_what_usually_takes_long_is_given_as_long() -> None:
    c = Cluster(scaling=KNATIVE, max_sandboxes=1, silent_s=1e9)
    c.want(0, 1)
    c.now = 4.0
    c.up()
    c.down("c1-1", Failed("sandbox_lost", "died"))
    assert list(c.started()) == ["c1-1", "c1-2"]
    c.wait(4.0 + 15.9)
    assert c.started() == {}
    c.wait(4.0 + 16.1)
    assert list(c.started()) == ["c1-3"]


def test_most_creations_have_no_twin() -> None:
    c = Cluster(scaling=Choice(policy="fixed", options={"count": 30}), capacity_mb=10_000)
    assert len(c.started()) == 30
    c.wait(HEDGE_UNKNOWN_S + 0.1)
    assert len(c.started()) == 4


def test_an_order_that_nobody_answers_is_given_anew() -> None:
    c = Cluster(scaling=KNATIVE, workers=("w1",), silent_s=1e9)
    c.want(0, 1)
    c.started()
    c.wait(LOST_S + 1.0)
    assert [message.id for _, message in c.take(StopSandbox)] == ["c1-1"]
    assert c.started() == {"c1-2": "w1"}


def test_to_stop_is_said_again_until_it_is_answered() -> None:
    c = Cluster(silent_s=1e9)
    c.up()
    c.feed(Heartbeat(c.view("w1", draining=True)))
    assert len(c.take(StopSandbox)) == 2
    c.wait(STOP_AGAIN_S + 1.0)
    assert len(c.take(StopSandbox)) == 2
    for name in ("c1-1", "c1-2"):
        c.down(name, Failed("sandbox_lost", "told to end"))
    c.wait(3 * STOP_AGAIN_S)
    assert c.take(StopSandbox) == []


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

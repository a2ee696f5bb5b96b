"""What is remembered of how sandboxes were made."""

from attacca.control.core.cluster.creations import Creation, Creations
from attacca.control.core.events import GatewaySaid
from attacca.model.endpoints import (
    EndpointsChanged,
    EndpointsKnown,
)
from attacca.model.messages import (
    GatewayJoined,
    GatewayLeft,
)
from tests.control.cluster import BROKEN, KNATIVE, Cluster


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

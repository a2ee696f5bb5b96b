"""Which doors gateways hear of, and when."""

import pytest

from attacca.errors import BadConfig
from attacca.kernel.rand import Streams
from attacca.model.doors import Door, DoorsKnown
from attacca.model.doors import Doors as Told
from attacca.model.events import InstanceDown, InstanceUp
from attacca.model.function import EventShape, Scheduling
from attacca.model.invocation import Failed
from attacca.model.messages import GatewayJoined, GatewayLeft, Send
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component, WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core import ingress
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.doors import Doors, Said
from attacca.workflow.core.events import (
    Erased,
    NodeJoined,
    Record,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    Tick,
)
from attacca.workflow.core.keeping import WORKFLOWS
from tests.cases import each
from tests.workflow.core.stage import function

DOOR = Component(
    name="door", resource="http-ingress", configuration={"host": "A.b:80", "path": "/x", "methods": "get, POST"},
    timeout_s=7.0,
)  # fmt: skip


def told(out: list[Said]) -> list[Told]:
    return [one.message for one in out if isinstance(one, Send) and isinstance(one.message, Told)]


def opened(out: list[Said]) -> list[tuple[Door, ...]]:
    return [one.doors for one in told(out)]


def replies(out: list[Said]) -> list[str]:
    return [one.id for one in out if isinstance(one, Reply)]


class Domain:
    def __init__(self) -> None:
        self.core = DomainCore(Random(), Streams(3).stream("placement"))
        self.doors = Doors(self.core, silent_s=3.0)
        self.doors.handle(0.0, GatewayJoined("g"))
        node = WorkerView(name="n", capacity=Resources(1000), used=Resources(0), queued=0, running=0, limit=2)
        self.doors.handle(0.0, NodeJoined(node, ""))

    def start(self, *components: Component) -> str:
        self.doors.handle(0.0, StartAsked("1", WorkflowSpec(name="demo", components=components), 0.0))
        workflow = next(iter(self.core.workflows))
        self.doors.handle(0.0, Stored(WORKFLOWS + workflow, 1))
        return workflow


def test_a_door_is_told_of_while_its_instance_is_up() -> None:
    domain = Domain()
    workflow = domain.start(DOOR)
    (up,) = told(domain.doors.handle(0.0, InstanceUp("n", f"{workflow}.door.1")))
    (door,) = up.doors
    assert (door.worker, door.sandbox, door.host, door.path) == ("n", f"{workflow}.door.1", "a.b", "/x")
    assert door.methods == ("GET", "POST")
    settings = door.revision.settings
    assert (settings.scheduling, settings.timeout_s, settings.concurrency) == (Scheduling.CLUSTER, 7.0, 1000)
    assert (door.revision.event, up.is_whole) == (EventShape.HTTP, True)
    assert repr(domain.doors) == "<Doors 1 open, 1 of 1 gateways know, 0 answers wait>"
    assert domain.doors.handle(0.1, GatewayJoined("late")) == [Send("late", up)]
    assert told(domain.doors.handle(0.1, Tick())) == [], "nothing has changed"
    domain.doors.handle(0.1, GatewayLeft("late"))
    down = InstanceDown("n", f"{workflow}.door.1", Failed("sandbox_lost", "it died"))
    assert opened(domain.doors.handle(0.2, down)) == [()]
    assert told(domain.doors.handle(1.0, InstanceUp("n", f"{workflow}.door.1"))) == [], "an older one"


def test_it_is_closed_before_its_workflow_is_stopped() -> None:
    domain = Domain()
    workflow = domain.start(DOOR)
    domain.doors.handle(0.0, InstanceUp("n", f"{workflow}.door.1"))
    assert opened(domain.doors.handle(0.0, StopAsked("2", workflow))) == [()]


def apart(*gateways: str) -> tuple[Domain, str]:
    """A workflow is up in all but what these gateways know of it."""
    domain = Domain()
    for name in gateways:
        domain.doors.handle(0.0, GatewayJoined(name, is_apart=True))
    workflow = domain.start(DOOR)
    out = domain.doors.handle(1.0, InstanceUp("n", f"{workflow}.door.1"))
    assert ([one.generation for one in told(out)], replies(out)) == ([1] * (1 + len(gateways)), [])
    return domain, workflow


def test_a_start_is_answered_when_all_gateways_know_its_doors() -> None:
    domain, workflow = apart("a", "b")
    assert repr(domain.doors) == "<Doors 1 open, 1 of 3 gateways know, 1 answers wait>"
    assert replies(domain.doors.handle(1.1, DoorsKnown("a", 1))) == []
    assert replies(domain.doors.handle(1.2, DoorsKnown("b", 0))) == [], "that was an older one"
    assert replies(domain.doors.handle(1.3, DoorsKnown("stranger", 1))) == []
    assert replies(domain.doors.handle(1.4, DoorsKnown("b", 1))) == ["1"]
    domain.doors.handle(2.0, StopAsked("2", workflow))
    domain.doors.handle(2.0, InstanceDown("n", f"{workflow}.door.1", Failed("stopped", "")))
    assert replies(domain.doors.handle(2.1, Erased(WORKFLOWS + workflow))) == [], "they may send there still"
    assert replies(domain.doors.handle(2.2, DoorsKnown("a", 2)) + domain.doors.handle(2.2, DoorsKnown("b", 2))) == ["2"]


def test_who_is_cut_off_holds_nothing_for_longer_than_the_silence_limit() -> None:
    domain, _ = apart("a", "b")
    assert replies(domain.doors.handle(1.1, DoorsKnown("a", 1))) == []
    assert domain.doors.alarm.at == 4.0
    assert replies(domain.doors.handle(3.9, Tick())) == []
    assert replies(domain.doors.handle(4.0, Tick())) == ["1"]


def test_a_gateway_that_is_lost_is_not_waited_for_and_one_that_comes_is() -> None:
    domain, _ = apart("a")
    assert told(domain.doors.handle(1.1, GatewayJoined("b", is_apart=True))) != []
    assert replies(domain.doors.handle(1.2, GatewayLeft("a"))) == []
    assert replies(domain.doors.handle(1.3, DoorsKnown("b", 1))) == ["1"]


def test_control_that_has_just_begun_says_that_it_does_not_know_all() -> None:
    domain = Domain()
    record = Record("w1", WorkflowSpec(name="demo", components=(DOOR,)), 0.0)
    assert told(domain.doors.handle(5.0, Restored(((record, 1),), ()))) == [Told((), is_whole=False, generation=1)]
    assert told(domain.doors.handle(8.0, Tick())) == [Told((), generation=2)]
    assert told(Domain().doors.handle(5.0, Restored((), ()))) == [], "there is none that it could have heard of"


@each(
    "configuration",
    [{"method": "FOO"}, {"path": "x"}, {"path": "/api/y", "host": "a"}, {"path": "/"}, {"methods": "GET;POST"}],
)
def test_what_can_be_no_address_is_refused(configuration: dict[str, str]) -> None:
    with pytest.raises(BadConfig):
        ingress.expect(configuration)


def test_a_door_that_stays_when_the_rest_of_its_workflow_goes_is_open_still() -> None:
    domain = Domain()
    workflow = domain.start(DOOR, function("rest"))
    for name in ("door", "rest"):
        domain.doors.handle(0.0, InstanceUp("n", f"{workflow}.{name}.1"))
    domain.core.sharing.split(0.5, f"{workflow}~door", [])
    for key in (workflow, f"{workflow}~door"):
        domain.doors.handle(0.6, Stored(WORKFLOWS + key, 2))
    out = domain.doors.handle(1.0, StopAsked("3", workflow, hands_over=True))
    out += domain.doors.handle(1.1, InstanceDown("n", f"{workflow}.rest.1", Failed("stopped", "")))
    out += domain.doors.handle(1.2, Erased(WORKFLOWS + workflow))
    assert list(domain.core.workflows) == [f"{workflow}~door"]
    assert (replies(out), opened(out)) == (["3"], [])


def test_at_a_host_of_its_own_all_paths_are_a_doors() -> None:
    ingress.expect({"path": "/", "host": "a.b", "method": "GET,post"})

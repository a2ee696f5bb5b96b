"""Which doors gateways hear of, and when."""

import pytest

from attacca.errors import BadConfig
from attacca.kernel.rand import Streams
from attacca.model.doors import Doors as Told
from attacca.model.events import InstanceDown, InstanceUp
from attacca.model.function import EventShape, Scheduling
from attacca.model.invocation import Failed
from attacca.model.messages import Send
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component, WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core import ingress
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.doors import Doors, Said
from attacca.workflow.core.events import NodeJoined, Record, Restored, StartAsked, StopAsked, Stored, Tick
from attacca.workflow.core.keeping import WORKFLOWS
from tests.cases import each

DOOR = Component(
    name="door", resource="http-ingress", configuration={"host": "A.b:80", "path": "/x", "methods": "get, POST"},
    timeout_s=7.0,
)  # fmt: skip


def told(out: list[Said]) -> list[Told]:
    return [one.message for one in out if isinstance(one, Send) and isinstance(one.message, Told)]


class Domain:
    def __init__(self) -> None:
        self.core = DomainCore(Random(), Streams(3).stream("placement"))
        self.doors = Doors(self.core)
        self.doors.join("g")
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
    assert repr(domain.doors) == "<Doors 1 open, 1 gateways know>"
    assert domain.doors.join("late") == Send("late", up)
    assert told(domain.doors.handle(0.1, Tick())) == [], "nothing has changed"
    domain.doors.lose("late")
    down = InstanceDown("n", f"{workflow}.door.1", Failed("sandbox_lost", "it died"))
    assert told(domain.doors.handle(0.2, down)) == [Told(())]
    assert told(domain.doors.handle(1.0, InstanceUp("n", f"{workflow}.door.1"))) == [], "an older one"


def test_it_is_closed_before_its_workflow_is_stopped() -> None:
    domain = Domain()
    workflow = domain.start(DOOR)
    domain.doors.handle(0.0, InstanceUp("n", f"{workflow}.door.1"))
    assert told(domain.doors.handle(0.0, StopAsked("2", workflow))) == [Told(())]


def test_control_that_has_just_begun_says_that_it_does_not_know_all() -> None:
    domain = Domain()
    record = Record("w1", WorkflowSpec(name="demo", components=(DOOR,)), 0.0)
    assert told(domain.doors.handle(5.0, Restored(((record, 1),), ()))) == [Told((), is_whole=False)]
    assert told(domain.doors.handle(8.0, Tick())) == [Told(())]
    assert told(Domain().doors.handle(5.0, Restored((), ()))) == [], "there is none that it could have heard of"


@each(
    "configuration",
    [{"method": "FOO"}, {"path": "x"}, {"path": "/api/y", "host": "a"}, {"path": "/"}, {"methods": "GET;POST"}],
)
def test_what_can_be_no_address_is_refused(configuration: dict[str, str]) -> None:
    with pytest.raises(BadConfig):
        ingress.expect(configuration)


def test_at_a_host_of_its_own_all_paths_are_a_doors() -> None:
    ingress.expect({"path": "/", "host": "a.b", "method": "GET,post"})

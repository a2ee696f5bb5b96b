"""A control core that orders sandboxes, with gateways that want some and workers that make them."""

from typing import Any

from attacca.control.core import invariants
from attacca.control.core.control import ControlCore
from attacca.control.core.events import Command, Event, GatewaySaid, Put, Restored, Stored, Tick
from attacca.control.core.stored import Function
from attacca.kernel.registry import Choice
from attacca.model.endpoints import (
    Load,
    Loads,
    Ordered,
    SandboxDown,
    SandboxUp,
    StartSandbox,
)
from attacca.model.function import Scheduling
from attacca.model.invocation import Failed, Timing
from attacca.model.machine import Machine
from attacca.model.messages import (
    GatewayJoined,
    Heartbeat,
    Send,
    WorkerJoined,
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
        epoch: int = 0, scaling: Choice = FIXED, silent_s: float = 10.0, capacity_mb: int = 1000,
        beside: tuple[str, ...] = (), **settings: Any,
    ) -> None:  # fmt: skip
        """`beside`: other functions, alike but for their names."""
        self.core: ControlCore = control_core(silent_s, scaling=scaling)
        self.now = 0.0
        self.capacity_mb = capacity_mb
        self.said: list[Send] = []  # type: ignore[type-arg]
        self.revision = revision("f", scheduling=Scheduling.CLUSTER, **settings)
        others = (revision(name, scheduling=Scheduling.CLUSTER, **settings) for name in beside)
        functions = tuple((Function(one.function, 1, 1, (one,)), 1) for one in (self.revision, *others))
        for name in gateways:
            self.feed(GatewayJoined(name))
        [put] = [one for one in self.feed(Restored(functions, (), epoch)) if isinstance(one, Put)]
        self.feed(Stored(put.id, 1))
        for name in workers:
            self.join(name)

    def feed(self, event: Event, at: float | None = None) -> list[Command]:
        self.now = self.now if at is None else at
        commands = self.core.handle(self.now, event)
        invariants.check(self.core)
        self.said += [one for one in commands if isinstance(one, Send)]
        return commands

    def join(self, name: str, machine: Machine | None = None) -> None:
        self.feed(WorkerJoined(self.view(name), machine=machine))

    def view(self, name: str, **more: object) -> WorkerView:
        fields = {"used": NOTHING, "queued": 0, "running": 0, "limit": 1, "capacity": Resources(self.capacity_mb)}
        return WorkerView(name=name, **{**fields, **more})  # type: ignore[arg-type]

    def drained(self, name: str) -> Heartbeat:
        return Heartbeat(self.view(name, draining=True))

    def wait(self, until: float) -> None:
        while (at := self.core.alarm.at) <= until:
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

"""The control core in virtual time: what it stores and builds takes no time, and what it says is heard at once.

A scenario's functions that are called are deployed by it before the run, checked by the first worker; workers join it,
again after a crash, and have its catalogue from it.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from attacca.control.core.control import ControlCore, Stage
from attacca.control.core.events import (
    OPEN,
    Announce,
    Build,
    Built,
    CatalogueAsked,
    Command,
    DeployAsked,
    Erase,
    Erased,
    Event,
    Examine,
    Examined,
    GatewaySaid,
    Made,
    Outcome,
    Put,
    Reply,
    Restored,
    Say,
    StopBuild,
    Stored,
    Sweep,
    Swept,
    Tick,
    ToPeer,
)
from attacca.control.core.policies import Policies
from attacca.control.core.stored import EPOCH, FUNCTIONS, Function, decode, read_epoch
from attacca.gateway.core.events import FromControl as Published
from attacca.kernel.drive import Drive, each, raise_refused
from attacca.kernel.rand import Streams
from attacca.kernel.registry import Choice
from attacca.load.workload.scenario import Scenario
from attacca.model.endpoints import (
    AskEndpoints,
    AskSandboxes,
    Endpoints,
    EndpointsChanged,
    Loads,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    StartSandbox,
    StartsFail,
    StopSandbox,
)
from attacca.model.function import Artefact, Revision, Settings
from attacca.model.messages import (
    AskHeld,
    Catalogue,
    Check,
    Checked,
    FromControl,
    GatewayJoined,
    GatewayLeft,
    Heartbeat,
    Held,
    Members,
    Send,
    WorkerJoined,
)
from attacca.model.supplies import Ahead, Prefetch, SecretChanged, Stock
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.network import Channel

CONTROL = "control"
OfCluster = AskEndpoints | Loads | SandboxUp | SandboxDown | Sandboxes | Stock


class Front(Protocol):
    """A gateway as control sees it."""

    name: str
    is_up: bool

    def hear_control(self, message: Published) -> None: ...
    def join_control(self, tell: Callable[[AskEndpoints | Loads], None]) -> None: ...


class Fetcher(Protocol):
    def prefetch(self, artefact: Artefact) -> None:
        """It is to be there before it is started."""


class Peer(Protocol):
    """A worker as control sees it."""

    name: str
    is_up: bool

    @property
    def machine(self) -> Fetcher: ...

    def hear_control(self, message: FromControl) -> None: ...
    def join_control(self) -> None:
        """With all that it has."""


class SimulatedControl:
    """`silent_s`: see `ControlCore`.

    What it says of sandboxes and endpoints, and hears of them, takes as long as the scenario says; of the catalogue all
    hear at once, and in the same order.
    """

    def __init__(self, engine: Engine, scenario: Scenario, silent_s: float) -> None:
        self._scenario = scenario
        self._silent_s = silent_s
        self.is_up = True
        self.is_stopped = False
        self._missed: list[Event] = []  # while it was stopped
        self.store: dict[str, tuple[bytes, int]] = {}
        self._writes = self._said = 0
        self._engine = engine
        self._gateways: dict[str, Front] = {}
        self._channels: dict[str, Channel] = {}  # to each of them
        self._to_here = self._channel("control", self._arrive)
        self._workers: dict[str, Peer] = {}
        self._replies: dict[str, Outcome] = {}
        self._asked: dict[str, DeployAsked] = {}  # what is being deployed
        self._checking: dict[str, Revision] = {}
        self._begin()

    def _begin(self) -> None:
        scenario, engine = self._scenario, self._engine
        scaling, placement = scenario.system.scaling, scenario.system.placement
        policies = Policies(
            scaling=Choice(policy=scaling.policy, options=scaling.options),
            placement=Choice(policy=placement.policy, options=placement.options),
        )
        chance = Streams(scenario.seed).stream("placement")
        ahead = Ahead(scenario.system.prefetch or Ahead.NONE)
        self.core = ControlCore(chance, policies, silent_s=self._silent_s, prefetch=ahead)
        self._drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, each(self._perform), lambda: engine.now, EngineTimer(engine), Tick(),
            raise_refused,
        )  # fmt: skip

    def crash(self) -> None:
        """The one that leads dies, and nobody leads."""
        self.is_up = self.is_stopped = False
        self._missed.clear()
        self._drive.stop()
        self._checking.clear()

    def stop(self) -> None:
        """Until it goes on, or another takes over."""
        self.is_stopped = True
        self._drive.stop()

    def go_on(self) -> None:
        self.is_stopped = False
        missed, self._missed = self._missed, []
        for event in missed:
            self.feed(event)
        self._drive.wind()

    def take_over(self) -> None:
        """Another leads, with what lies in the store and what the others tell it: it knows nothing else."""
        self._begin()
        self.is_up = True
        functions = [
            (decode(key, value), version) for key, (value, version) in self.store.items() if key.startswith(FUNCTIONS)
        ]
        epoch, version = self.store[EPOCH]
        self.feed(Restored((*self._older, *functions), epoch=read_epoch(epoch), epoch_version=version))
        assert self._replies.pop(OPEN) is None
        for gateway in self._gateways.values():
            if gateway.is_up:
                self.feed(GatewayJoined(gateway.name))
                gateway.join_control(partial(self.say, gateway.name))
        for worker in self._workers.values():
            if worker.is_up:
                worker.join_control()

    def __repr__(self) -> str:
        return f"<SimulatedControl {len(self._workers)} workers, {len(self.store)} entries, {self.core.stage}>"

    def _channel(self, name: str, deliver: Callable[[Any], None]) -> Channel:
        hardware = replace(self._scenario.hardware, network=self._scenario.hardware.control, network_loss=0.0)
        return Channel(self._engine, hardware, self._scenario.seed, name, deliver)

    def connect(self, gateway: "Front") -> None:
        """It asks where functions run, before it is asked for any."""
        self._gateways[gateway.name] = gateway
        self._channels[gateway.name] = self._channel(f"control/{gateway.name}", gateway.hear_control)
        gateway.join_control(partial(self.say, gateway.name))
        self.feed(GatewayJoined(gateway.name))
        if self.core.stage is Stage.OPEN:
            self.feed(CatalogueAsked(gateway.name))

    def lose(self, gateway: str) -> None:
        """The link to it has ended."""
        self.feed(GatewayLeft(gateway))

    def say(self, peer: str, message: OfCluster) -> None:
        """A gateway or a worker says something, which is here a little later."""
        self._said += 1
        self._to_here.send((peer, message), self._said)

    def _arrive(self, said: tuple[str, OfCluster]) -> None:
        peer, message = said
        self.feed(GatewaySaid(peer, message) if isinstance(message, AskEndpoints | Loads) else message)

    def open(self, revisions: Iterable[Revision]) -> None:
        """With functions that were deployed in a run before."""
        functions = []
        for revision in revisions:
            self._writes += 1
            functions.append((Function(revision.function, 1, 1, (revision,)), self._writes))
        self._older = tuple(functions)
        self.feed(Restored(self._older))
        assert self._replies.pop(OPEN) is None

    def join(self, worker: Peer, joined: WorkerJoined) -> None:
        """It has the catalogue before this returns."""
        self._workers[worker.name] = worker
        if worker.name not in self._channels:
            self._channels[worker.name] = self._channel(f"control/{worker.name}", worker.hear_control)
        self.feed(joined)

    def hear(self, message: Checked | Heartbeat) -> None:
        """What a scenario has is deployed whether it fits or not: that it cannot run, its invocations show."""
        if isinstance(message, Checked):
            self._settle(message.id)
        else:
            self.feed(message)

    def deploy(self, settings: Settings) -> None:
        """It is in force when this returns, even if its check still waits for memory."""
        request = settings.name
        self._asked[request] = DeployAsked(request, settings)
        self.feed(self._asked[request])
        self._settle(request)
        del self._asked[request], self._replies[request]

    def feed(self, event: Event) -> None:
        if self.is_stopped:
            self._missed.append(event)
        elif self.is_up:
            self._drive.feed(event)

    def _settle(self, request: str) -> None:
        revision = self._checking.pop(request, None)
        if revision is not None:
            self.feed(Checked(request, revision))

    def _perform(self, command: Command) -> None:
        match command:
            case Send():
                self._send(command.peer, command.message)
            case Announce():
                for gateway in self._gateways.values():
                    gateway.hear_control(command.message)
                for worker in self._workers.values():
                    if worker.is_up:
                        worker.hear_control(command.message)
            case Reply():
                self._replies[command.id] = command.outcome
            case Say() | StopBuild():
                pass  # nobody reads how it goes, and nobody goes away
            case _:
                self.feed(self._do(command))

    def _do(self, order: Put | Erase | Examine | Build | Sweep) -> Event:
        match order:
            case Put() | Erase():
                return self._write(order)
            case Examine():
                return Examined(order.id)
            case Build():
                asked = self._asked[order.id].settings
                made = Made(_digest(asked.name), None, is_wasm=asked.pure)
                return Built(order.id, made, self._engine.now)
            case Sweep():
                return Swept()

    def _send(self, peer: str, message: ToPeer) -> None:
        if isinstance(message, StartSandbox | StopSandbox | AskSandboxes | Endpoints | EndpointsChanged | StartsFail):
            self._said += 1
            self._channels[peer].send(message, self._said)
            return
        if isinstance(message, Catalogue) and peer in self._gateways:
            self._gateways[peer].hear_control(message)
            return
        worker = self._workers.get(peer)
        if worker is None or not worker.is_up:
            return
        if isinstance(message, AskHeld):
            self.feed(Held(message.id, peer, ()))  # nothing lies on a disk
            return
        if isinstance(message, Check):
            self._checking[message.id] = message.revision
        assert not isinstance(message, Members | SecretChanged), "nobody is apart"
        if isinstance(message, Prefetch):
            worker.machine.prefetch(message.revision.artefact)
            return
        worker.hear_control(message)

    def _write(self, command: Put | Erase) -> Stored | Erased:
        self._writes += 1
        if isinstance(command, Erase):
            self.store.pop(command.key, None)
            return Erased(command.id)
        self.store[command.key] = command.value, self._writes
        return Stored(command.id, self._writes)


def _digest(name: str) -> str:
    """Of code that there is not: what is stored must look like one."""
    return hashlib.blake2b(name.encode(), digest_size=20).hexdigest()

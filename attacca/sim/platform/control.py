"""The control core in virtual time: what it stores and builds takes no time, and what it says is heard at once.

A scenario's functions that are called are deployed by it before the run, checked by the first worker; workers join it,
again after a crash, and have its catalogue from it.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from attacca.control.core.control import ControlCore
from attacca.control.core.events import (
    OPEN,
    Announce,
    Build,
    Built,
    Command,
    DeployAsked,
    Erase,
    Erased,
    Event,
    Examine,
    Examined,
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
from attacca.control.core.stored import Function
from attacca.kernel.drive import Drive, each, raise_refused
from attacca.model.function import Revision, Settings
from attacca.model.messages import (
    AskHeld,
    Catalogue,
    Check,
    Checked,
    Deleted,
    Deployed,
    FromControl,
    Heartbeat,
    Held,
    Members,
    SecretChanged,
    Send,
    WorkerJoined,
)
from attacca.sim.engine import Engine, EngineTimer

CONTROL = "control"
Said = Catalogue | Deployed | Deleted


class Peer(Protocol):
    """A worker as control sees it."""

    name: str
    is_up: bool

    def hear_control(self, message: FromControl) -> None: ...


class SimulatedControl:
    """`to_gateway` is told what is announced. `silent_s`: see `ControlCore`."""

    def __init__(self, engine: Engine, silent_s: float, to_gateway: Callable[[Said], None]) -> None:
        self.core = ControlCore(silent_s=silent_s)
        self.store: dict[str, tuple[bytes, int]] = {}
        self._writes = 0
        self._engine = engine
        self._to_gateway = to_gateway
        self._workers: dict[str, Peer] = {}
        self._replies: dict[str, Outcome] = {}
        self._asked: dict[str, DeployAsked] = {}  # what is being deployed
        self._checking: dict[str, Revision] = {}
        self._drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.wakeup, each(self._perform), lambda: engine.now, EngineTimer(engine), Tick(),
            raise_refused,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<SimulatedControl {len(self._workers)} workers, {len(self.store)} entries, {self.core.stage}>"

    def open(self, revisions: Iterable[Revision]) -> None:
        """With functions that were deployed in a run before."""
        functions = []
        for revision in revisions:
            self._writes += 1
            functions.append((Function(revision.function, 1, 1, (revision,)), self._writes))
        self.feed(Restored(tuple(functions)))
        assert self._replies.pop(OPEN) is None

    def join(self, worker: Peer, joined: WorkerJoined) -> None:
        """It has the catalogue before this returns."""
        self._workers[worker.name] = worker
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
                self._to_gateway(command.message)
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
                return Built(order.id, Made(self._asked[order.id].settings.name, None), self._engine.now)
            case Sweep():
                return Swept()

    def _send(self, peer: str, message: ToPeer) -> None:
        worker = self._workers.get(peer)
        if worker is None or not worker.is_up:
            return
        if isinstance(message, AskHeld):
            self.feed(Held(message.id, peer, ()))  # nothing lies on a disk
            return
        if isinstance(message, Check):
            self._checking[message.id] = message.revision
        assert not isinstance(message, Members | SecretChanged), "nobody is apart"
        worker.hear_control(message)

    def _write(self, command: Put | Erase) -> Stored | Erased:
        self._writes += 1
        if isinstance(command, Erase):
            self.store.pop(command.key, None)
            return Erased(command.id)
        self.store[command.key] = command.value, self._writes
        return Stored(command.id, self._writes)

"""A control core and the world around it: what it orders lies in a list, and whoever plays says when it is done.

What must hold of its words is checked with each of them: durable, then announced, then acknowledged.
"""

from collections.abc import Iterator
from math import inf

import msgspec

from attacca.control.core import invariants
from attacca.control.core.control import ControlCore
from attacca.control.core.cordons import CORDONED
from attacca.control.core.events import (
    OPEN,
    Announce,
    Build,
    BuildFailed,
    Built,
    Command,
    DeployAsked,
    Erase,
    Erased,
    Event,
    Examine,
    Examined,
    Made,
    Put,
    Reply,
    Restored,
    Say,
    StopBuild,
    Stored,
    StoreFailed,
    Sweep,
    Swept,
    ToPeer,
)
from attacca.control.core.policies import Policies
from attacca.control.core.progress import Done, Refused
from attacca.control.core.stored import EPOCH, FUNCTIONS, Function, decode
from attacca.errors import AttaccaError, Cancelled, StateUnavailable
from attacca.kernel.rand import Streams
from attacca.kernel.registry import Choice
from attacca.model.function import Settings
from attacca.model.invocation import Failed
from attacca.model.messages import AskHeld, Catalogue, Check, Checked, Deleted, Deployed, Held, Send, WorkerJoined
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import Capacity, WorkerView

Order = Examine | Build | Put | Erase | Sweep | Send[ToPeer]
BROKEN = StateUnavailable("the disk is full", "free some")


def control_core(silent_s: float = inf, **policies: Choice) -> ControlCore:
    """One that places sandboxes on one worker after the other."""
    plain: dict[str, Choice] = {"placement": Choice(policy="round_robin")}
    return ControlCore(Streams(1).stream("placement"), Policies(**{**plain, **policies}), silent_s=silent_s)


class Crash(Exception):
    """The process ends before its next command."""


class Stage:
    """`orders` have not ended. `store` is what a crash leaves; `crash_after`: so many commands from now."""

    def __init__(self, capacity: Capacity | None = None, workers: tuple[str, ...] = ("w1",)) -> None:
        self.store: dict[str, tuple[bytes, int]] = {}
        self.workers = workers
        self.capacity = capacity
        self.now = 0.0
        self.crash_after: int | None = None
        self.generation = -1  # of what was announced last
        self.announced: list[Catalogue | Deployed | Deleted] = []
        self.replies: dict[str, object] = {}
        self.said: list[Command] = []
        self.history: list[tuple[str, str]] = []  # requests and keys, in the order in which they became durable
        self._writes = 0
        self.start()

    def __repr__(self) -> str:
        return f"<Stage {len(self.orders)} orders, {len(self.store)} entries, {self.core!r}>"

    def start(self) -> None:
        """Also after a crash: what was on its way is forgotten."""
        self.core = control_core(silent_s=10.0)
        self.orders: list[Order] = []
        self.stopped: list[str] = []
        self.replies.pop(OPEN, None)
        self.feed(self._restored())
        [put] = self.orders
        self.end(put)
        for name in self.workers:
            self.join(name)

    def join(self, name: str) -> None:
        view = WorkerView(name=name, capacity=Resources(1000), used=NOTHING, queued=0, running=0, limit=1)
        self.feed(WorkerJoined(view, self.capacity))

    def feed(self, event: Event) -> list[Command]:
        """
        Raises:
            Crash: it was to come now.
        """
        commands = self.core.handle(self.now, event)
        invariants.check(self.core)
        for command in commands:
            if self.crash_after is not None:
                if not self.crash_after:
                    raise Crash
                self.crash_after -= 1
            self.said.append(command)
            self._perform(command)
        return commands

    def end(self, order: Order, *, fails: bool = False) -> list[Command]:
        """It is done, or fails."""
        self.orders.remove(order)
        return self.feed(self._report(order, fails=fails))

    def play(self) -> None:
        """Until nothing is on its way."""
        while self.orders:
            self.end(self.orders[0])

    def order(self, kind: type) -> Order:
        """The only one of that kind, of a message too."""
        [order] = [one for one in self.orders if isinstance(one.message if isinstance(one, Send) else one, kind)]
        return order

    def write(self, order: Put | Erase) -> int:
        """To the store. 0: it has another version."""
        _, version = self.store.get(order.key, (b"", 0))
        if order.version is not None and version != order.version:
            return 0
        self._writes += 1
        if isinstance(order, Put):
            self.store[order.key] = order.value, self._writes
        else:
            self.store.pop(order.key, None)
        self.history.append((order.id, order.key))
        return self._writes

    def functions(self) -> Iterator[tuple[Function, int]]:
        for key, (value, version) in sorted(self.store.items()):
            if key.startswith(FUNCTIONS):
                yield decode(key, value), version

    def _restored(self) -> Restored:
        epoch, version = self.store.get(EPOCH, (b"0", 0))
        cordoned = tuple(key.removeprefix(CORDONED) for key in sorted(self.store) if key.startswith(CORDONED))
        return Restored(tuple(self.functions()), (), int(epoch), version, cordoned)

    def _perform(self, command: Command) -> None:
        match command:
            case Reply():
                assert command.id not in self.replies, f"{command.id} is answered twice"
                if isinstance(command.outcome, Done):
                    heard = [one.revision for one in self.announced if isinstance(one, Deployed)]
                    assert command.outcome.revision in heard, "acknowledged before it was announced"
                self.replies[command.id] = command.outcome
            case Announce(message):
                self._expect_durable(message)
                self.announced.append(message)
            case StopBuild():
                self.stopped.append(command.id)
            case Say():
                assert command.id not in self.replies
            case Send():
                if isinstance(command.message, Check | AskHeld):
                    self.orders.append(command)
            case _:
                is_swept = any(isinstance(order, Sweep) for order in self.orders)
                assert not (isinstance(command, Build) and is_swept), "built while something is removed"
                self.orders.append(command)

    def _expect_durable(self, message: Catalogue | Deployed | Deleted) -> None:
        assert message.generation > self.generation, "generations only grow"
        assert isinstance(message, Catalogue) or message.generation == self.generation + 1
        self.generation = message.generation
        current = {function.name: function.now for function, _ in self.functions()}
        if isinstance(message, Catalogue):
            assert message.by_function == current
        elif isinstance(message, Deleted):
            assert message.function not in current
        else:
            assert current[message.revision.function] == message.revision

    def _report(self, order: Order, *, fails: bool) -> Event:
        match order:
            case Examine():
                return Examined(order.id, Cancelled("it may not") if fails else None)
            case Build():
                if fails or order.id in self.stopped:
                    return BuildFailed(order.id, BROKEN)
                return Built(order.id, Made("c" * 40, None), self.now)
            case Put() | Erase():
                version = 0 if fails else self.write(order)
                if not version:
                    return StoreFailed(order.id, BROKEN)
                return Stored(order.id, version) if isinstance(order, Put) else Erased(order.id)
            case Sweep():
                return Swept()
            case Send(peer, message):
                if isinstance(message, AskHeld):
                    return Held(message.id, peer, ())
                assert isinstance(message, Check)
                error = Failed("bad_function", "ImportError", "") if fails else None
                return Checked(message.id, msgspec.structs.replace(message.revision, handler="main:f"), error, "a line")


def settings(name: str = "a", **more: object) -> Settings:
    return msgspec.convert({"name": name, **more}, Settings)


def deploy(id_: str, name: str = "a", **more: object) -> DeployAsked:
    return DeployAsked(id_, settings(name, **more))


def outcome(reply: object) -> str:
    """In a word."""
    match reply:
        case Done():
            return f"done {reply.revision.id}"
        case Refused():
            return reply.code
        case AttaccaError():
            return reply.code
        case None:
            return "done"
        case _:
            return f"done {reply.id}"  # type: ignore[attr-defined]

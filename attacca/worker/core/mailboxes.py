"""What waits for an instance, how it is found who gets what it sends, and what it waits for itself."""

from collections import deque
from enum import StrEnum
from typing import NamedTuple

from attacca.kernel.chance import Chance
from attacca.model.events import (
    MAILBOX_BYTES,
    MAILBOX_MOST,
    Event,
    InstanceView,
    Route,
    Rule,
    StartInstance,
    Target,
)
from attacca.model.invocation import Failed, Timing
from attacca.worker.core.state import RevisionState

HIGH = 0.5  # of what a mailbox may hold: above, who sends to it is not listened to
LOW = 0.25  # until so much is left


class Stage(StrEnum):
    WAITING = "waiting"  # for room
    STARTING = "starting"
    BEGINNING = "beginning"  # its init runs
    UP = "up"
    STOPPING = "stopping"  # its stop runs, or what it handles ends before that
    DYING = "dying"


class Waiting(NamedTuple):
    """One event, and who passed it, under which number; nobody: it is from here."""

    event: Event
    worker: str = ""
    number: int = 0


class Mailbox:
    """First in, first out; bounded by events and by bytes."""

    __slots__ = ("bytes", "events")

    def __init__(self) -> None:
        self.events: deque[Waiting] = deque()
        self.bytes = 0

    def __repr__(self) -> str:
        return f"<Mailbox {len(self.events)} events, {self.bytes} bytes>"

    def put(self, waiting: Waiting) -> None:
        self.events.append(waiting)
        self.bytes += len(waiting.event.data)

    def take(self) -> Waiting:
        waiting = self.events.popleft()
        self.bytes -= len(waiting.event.data)
        return waiting

    def has_room(self, event: Event) -> bool:
        return len(self.events) < MAILBOX_MOST and self.bytes + len(event.data) <= MAILBOX_BYTES

    @property
    def share(self) -> float:
        """How full it is, of 1."""
        return max(len(self.events) / MAILBOX_MOST, self.bytes / MAILBOX_BYTES)


class Routes:
    """Of one instance: where each of its outputs leads."""

    __slots__ = ("_chance", "generation", "held", "of")

    def __init__(self, routes: tuple[Route, ...], generation: int, chance: Chance | None) -> None:
        self.generation = generation
        self.of = {route.output: route for route in routes}
        self.held: dict[str, Mailbox] = {}  # by output: what waits until a target has moved
        self._chance = chance

    def __repr__(self) -> str:
        return f"<Routes of generation {self.generation}: {len(self.of)} outputs, {len(self.held)} held>"

    def all(self, output: str) -> tuple[Target, ...]:
        route = self.of.get(output)
        return () if route is None else route.targets

    def change(self, generation: int, routes: tuple[Route, ...]) -> list[Event]:
        """What had been held of outputs that lead somewhere again, in its order."""
        if generation <= self.generation:
            return []
        self.generation = generation
        self.of = {route.output: route for route in routes}
        freed: list[Event] = []
        for output in list(self.held):
            route = self.of.get(output)
            if route is None or not route.is_held:
                freed += [waiting.event for waiting in self.held.pop(output).events]
        return freed

    def is_held(self, output: str) -> bool:
        route = self.of.get(output)
        return route is not None and route.is_held

    def hold(self, output: str, event: Event) -> bool:
        """False: too much is held already."""
        held = self.held.setdefault(output, Mailbox())
        if not held.has_room(event):
            return False
        held.put(Waiting(event))
        return True

    def targets(self, output: str) -> tuple[Target, ...]:
        """Those that get what is sent to it now."""
        route = self.of.get(output)
        if route is None or not route.targets:
            return ()
        if route.rule is Rule.ALL or len(route.targets) == 1:
            return route.targets
        return (self._one(route),)

    def _one(self, route: Route) -> Target:
        if self._chance is None:
            return route.targets[0]
        if route.rule is Rule.ANY:
            return self._chance.choice(route.targets)
        drawn = self._chance.random() * sum(target.weight for target in route.targets)
        for target in route.targets:
            drawn -= target.weight
            if drawn < 0:
                return target
        return route.targets[-1]


class EventInstance:
    """One event function on this worker; its sandbox has its name."""

    __slots__ = (
        "asked", "delivery", "dropped", "error", "failed", "handled", "handled_s", "handles", "is_behind", "mailbox",
        "paused_for", "routes", "shown", "since", "stage", "start", "state", "syncs", "timing", "version", "why",
    )  # fmt: skip

    def __init__(self, start: StartInstance, state: RevisionState, chance: Chance | None, now: float) -> None:
        self.start = start
        self.state = state
        self.stage = Stage.WAITING
        self.since = now
        self.why = ""  # why it stops
        self.error: Failed | None = None  # why it could not begin
        self.timing = Timing()
        self.mailbox = Mailbox()
        self.routes = Routes(start.routes, start.generation, chance)
        self.handles: Waiting | None = None  # what it handles now
        self.delivery = ""  # the id of that
        self.asked: dict[str, int] = {}  # by stream of its open calls: the id that it has chosen
        self.syncs: dict[int, int] = {}  # by version that is being kept: the same
        self.version = start.version
        self.paused_for: dict[str, None] = {}  # instances that are behind because of what it sends
        self.is_behind = False  # its mailbox is so full that who sends to it waits
        self.handled = self.failed = self.dropped = 0
        self.handled_s = 0.0
        self.shown: InstanceView | None = None  # as control has been told

    def __repr__(self) -> str:
        return (
            f"<EventInstance {self.id} {self.stage}: {self.mailbox!r}, {self.handled} handled, {len(self.asked)} calls>"
        )

    @property
    def id(self) -> str:
        return self.start.id

    @property
    def is_leaving(self) -> bool:
        return self.stage is Stage.STOPPING or self.stage is Stage.DYING

    def view(self) -> InstanceView:
        return InstanceView(
            self.id,
            self.start.workflow,
            self.start.component,
            self.stage in (Stage.UP, Stage.STOPPING),
            self.version,
            self.routes.generation,
            len(self.mailbox.events),
            self.handled,
            self.failed,
            self.dropped,
            self.handled_s,
            self.is_behind,
            bool(self.paused_for),
        )

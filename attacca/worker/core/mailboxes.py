"""What waits for an instance, how it is found who gets what it sends, and what it waits for itself."""

from collections import deque
from enum import StrEnum
from typing import NamedTuple

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.events import (
    FOLLOWS_MOST,
    GRACE_S,
    MAILBOX_BYTES,
    MAILBOX_MOST,
    REPLICA,
    BeginInstance,
    Event,
    InstanceView,
    Route,
    Rule,
    StartInstance,
    Target,
    place,
)
from attacca.model.invocation import Failed, Timing
from attacca.worker.core.lanes import Lane
from attacca.worker.core.reports import StateOffered
from attacca.worker.core.state import RevisionState

HIGH = 0.5  # of what a mailbox may hold: above, who sends to it is not listened to
LOW = 0.25  # until so much is left
AHEAD_MOST, AHEAD_EACH = 16, 4 << 10  # events, and bytes of one, that it may have before it is done with those before
QUICK_MS = 1.0  # if it takes less than that with each


class Stage(StrEnum):
    WAITING = "waiting"  # for room
    STARTING = "starting"
    STANDBY = "standby"  # it could begin
    BEGINNING = "beginning"  # its init runs
    UP = "up"
    STOPPING = "stopping"  # its stop runs, or what it handles ends before that
    DYING = "dying"
    SETTLING = "settling"  # it is gone, and what it has sent is on its way still


LEAVING = (Stage.STOPPING, Stage.DYING, Stage.SETTLING)


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

    __slots__ = ("_chance", "_groups", "_plain", "at", "generation", "of")

    def __init__(self, routes: tuple[Route, ...], generation: int, chance: Chance | None) -> None:
        self.generation = generation
        self._chance = chance
        self._learn(routes)

    def __repr__(self) -> str:
        return f"<Routes of generation {self.generation}: {len(self.of)} outputs, {len(self.at)} places>"

    def _learn(self, routes: tuple[Route, ...]) -> None:
        self.of = {route.output: route for route in routes}
        self.at = {place(target.instance): target for route in routes for target in route.targets}
        self._plain: dict[str, tuple[Target, ...]] = {}  # outputs at which there is nothing to choose
        self._groups: dict[str, tuple[tuple[Target, ...], ...]] = {}  # of the others: replicas, by component
        for route in routes:
            groups = _grouped(route.targets)
            if all(len(group) == 1 for group in groups) and (route.rule is Rule.ALL or len(groups) <= 1):
                self._plain[route.output] = route.targets
            else:
                self._groups[route.output] = groups

    def change(self, generation: int, routes: tuple[Route, ...]) -> bool:
        """Is it news?"""
        if generation <= self.generation:
            return False
        self.generation = generation
        self._learn(routes)
        return True

    def targets(self, output: str) -> tuple[Target, ...]:
        """Those that get what is sent to it now: of each component that the rule chooses, one replica."""
        plain = self._plain.get(output)
        if plain is not None:
            return plain
        groups = self._groups.get(output)
        if groups is None:
            return ()
        if self.of[output].rule is not Rule.ALL:
            groups = (self._one(groups, self.of[output].rule),)
        return tuple([self._replica(group) for group in groups])

    def instead(self, output: str, held: str) -> Target | None:
        """Another replica of the same component, or another component where the rule lets one choose; that is there."""
        route = self.of.get(output)
        if route is None:
            return None
        mine = _component(held)
        others = [
            target
            for target in route.targets
            if not target.is_held
            and place(target.instance) != held
            and (route.rule is not Rule.ALL or _component(place(target.instance)) == mine)
        ]
        return self._replica(tuple(others)) if others else None

    def _replica(self, group: tuple[Target, ...]) -> Target:
        if len(group) == 1:
            return group[0]
        there = [target for target in group if not target.is_held] or list(group)
        return there[0] if self._chance is None else self._chance.choice(there)

    def _one(self, groups: tuple[tuple[Target, ...], ...], rule: Rule) -> tuple[Target, ...]:
        """Of the components that are there, if any is."""
        there = [group for group in groups if not all(target.is_held for target in group)] or list(groups)
        if self._chance is None:
            return there[0]
        if rule is Rule.ANY:
            return self._chance.choice(there)
        drawn = self._chance.random() * sum(group[0].weight for group in there)
        for group in there:
            drawn -= group[0].weight
            if drawn < 0:
                return group
        return there[-1]


def _component(of_place: str) -> str:
    return of_place.partition(REPLICA)[0]


def _grouped(targets: tuple[Target, ...]) -> tuple[tuple[Target, ...], ...]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(_component(place(target.instance)), []).append(target)
    return tuple([tuple(group) for group in groups.values()])


class EventInstance:
    """One event function on this worker; its sandbox has its name."""

    __slots__ = (
        "_chance", "asked", "delivery", "dropped", "error", "failed", "flying", "follows", "given", "grace_s",
        "handled", "handled_s", "hands_over", "is_behind", "is_quick", "is_replaced", "lanes", "mailbox",
        "paused_for", "routes", "shown", "since", "stage", "start", "state", "syncs", "timing", "unheard",
        "version", "why",
    )  # fmt: skip

    def __init__(self, start: StartInstance, state: RevisionState, chance: Chance | None, now: float) -> None:
        self.start = start
        self.state = state
        self.stage = Stage.WAITING
        self.since = now  # when it was asked for; and when it is gone, that
        self.why = ""  # why it stops
        self.error: Failed | None = None  # why it could not begin
        self.timing = Timing()
        self.mailbox = Mailbox()
        self.lanes: dict[str, Lane] = {}  # by place: what could not be given yet
        self.flying: set[tuple[str, int]] = set()  # worker and number: what it waits for when it is gone itself
        self.unheard: tuple[Event, ...] = ()  # when it is gone: what nobody else keeps
        self.follows = dict.fromkeys(start.follows)  # the wills that it has got
        self.hands_over = True  # another will follow it, as far as is known
        self.is_replaced = False  # another may have its place: nothing that it has sent is wanted
        self.grace_s = GRACE_S
        self._chance = chance
        self.routes = Routes(start.routes, start.generation, chance)
        self.given: deque[tuple[str, Waiting]] = deque()  # with the id of each delivery: what it handles, and then will
        self.delivery = ""  # the id of its init, or its stop
        self.is_quick = False  # so that it can be given more than one event at a time
        self.asked: dict[str, int] = {}  # by stream of its open calls: the id that it has chosen
        self.syncs: dict[int, StateOffered] = {}  # by version that is being kept
        self.version = start.version
        self.paused_for: dict[str, None] = {}  # instances that are behind because of what it sends
        self.is_behind = False  # its mailbox is so full that who sends to it waits
        self.handled = self.failed = self.dropped = 0
        self.handled_s = 0.0
        self.shown: InstanceView | None = None  # as control has been told

    def take_over(self, order: BeginInstance) -> None:
        """What it begins with is what whoever was there has left."""
        self.start = msgspec.structs.replace(
            self.start, state=order.state, version=order.version, routes=order.routes, backlog=order.backlog,
            generation=order.generation, unsent=order.unsent, is_standby=False,
        )  # fmt: skip
        self.version = order.version
        self.follows = dict.fromkeys(order.follows)
        self.routes = Routes(order.routes, order.generation, self._chance)

    def __repr__(self) -> str:
        return (
            f"<EventInstance {self.id} {self.stage}: {self.mailbox!r}, {self.handled} handled, {len(self.asked)} calls>"
        )

    def inherits(self, will: str) -> bool:
        """Has it not got that one yet?"""
        if will in self.follows:
            return False
        self.follows[will] = None
        if len(self.follows) > FOLLOWS_MOST:
            del self.follows[next(iter(self.follows))]
        return True

    @property
    def id(self) -> str:
        return self.start.id

    @property
    def takes_more(self) -> bool:
        """Can it be given what is first in its mailbox?"""
        given, events = self.given, self.mailbox.events
        if self.delivery or not events:
            return False
        return not given or (self.is_quick and len(given) < AHEAD_MOST and len(events[0].event.data) <= AHEAD_EACH)

    @property
    def is_moving(self) -> bool:
        """It was told to make room for who follows it."""
        return bool(self.why) and self.hands_over and not self.is_replaced

    @property
    def is_leaving(self) -> bool:
        return self.stage in LEAVING

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
            is_standby=self.start.is_standby,
        )

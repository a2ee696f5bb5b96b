"""What could not be given to whom it was for: it waits in a lane of its sender, and goes on in its order, once it is
known who has the place, and nothing that was sent before is on its way still."""

from collections.abc import Callable, Iterable

from attacca.model.events import Event, Patch, Route, Target, place
from attacca.worker.core.events import Command, Listen
from attacca.worker.core.lanes import Lane
from attacca.worker.core.mailboxes import EventInstance, Stage
from attacca.worker.core.neighbours import Neighbours
from attacca.worker.core.wills import Wills

SETTLING_S = 10.0  # for what an instance that moves has sent, and other workers have in hand
UNHEARD_S = 60.0  # where one of these is not heard of
QUIET_S = 5.0  # between two words of one that is heard
Give = Callable[[EventInstance, Target, Event, list[Command]], None]
Drop = Callable[[EventInstance, Event, str, list[Command]], None]


class Detours:
    def __init__(
        self,
        worker: str,
        by_id: dict[str, EventInstance],
        neighbours: Neighbours,
        wills: Wills,
        give: Give,
        drop: Drop,
    ) -> None:
        self._worker, self._by_id, self._neighbours = worker, by_id, neighbours
        self._wills, self._give, self._drop = wills, give, drop
        self.flying: dict[tuple[str, int], EventInstance] = {}  # whose it is that was passed under that number
        self._heard: dict[str, tuple[float, float]] = {}  # by worker: since when, without a pause, and when last
        self.is_ending = False  # this worker

    def __repr__(self) -> str:
        lanes = sum(len(one.lanes) for one in self._by_id.values())
        return f"<Detours {lanes} lanes, {len(self.flying)} on their way>"

    # In.

    def hold(self, sender: EventInstance, target: Target, event: Event, out: list[Command]) -> None:
        """Who has that place is nowhere, or what was sent to it before waits too."""
        held = place(target.instance)
        other = sender.routes.instead(event.output, held) if event.output else None
        if other is not None and place(other.instance) not in sender.lanes:
            self._give(sender, other, event, out)
            return
        lane = sender.lanes.setdefault(held, Lane())
        self._waits(sender, held, event, out, has_room=lane.hold(event))

    def _waits(self, sender: EventInstance, held: str, event: Event, out: list[Command], *, has_room: bool) -> None:
        """For who has that place next, and nobody else."""
        lane = sender.lanes[held]
        if not has_room:
            self._drop(sender, event, f"too much waits for {held!r}, which is not there", out)
        elif lane.is_long and not sender.is_behind:
            if not sender.paused_for:
                out.append(Listen(sender.id, True))  # noqa: FBT003 - mirrors Runtime.tell
            sender.paused_for[held] = None

    def came_back(self, worker: str, number: int, event: Event, out: list[Command]) -> None:
        """`worker` does not have whom it was for; `number` says when it was sent. Its sender's lane has it, or, where
        that is gone, it strays."""
        sender = self._by_id.get(event.source.partition("@")[0])
        if sender is None:
            if not event.stream:
                self._wills.stray(event, out)
            return
        left = place(event.target)
        if not event.output or left not in sender.routes.at:
            self._drop(sender, event, f"there is no instance {event.target!r}", out)
            return
        lane = self._lane(sender, left, worker)
        lane.left = event.target
        lane.back.append((number, event))
        self.go_on(sender, left, out)

    def _lane(self, sender: EventInstance, left: str, worker: str) -> Lane:
        """What that worker has in hand still was sent before all that comes now."""
        lane = sender.lanes.get(left)
        if lane is None:
            lane = sender.lanes[left] = Lane()
            if worker != self._worker:
                for number in self._neighbours.sent(worker, self._address(sender), left):
                    lane.flying.add((worker, number))
                    self.flying[worker, number] = sender
        return lane

    def settled(self, worker: str, number: int, out: list[Command]) -> EventInstance | None:
        """It is done with there, or has come back. The answer is a sender that is gone itself, and waited for it."""
        sender = self.flying.pop((worker, number), None)
        if sender is None:
            return None
        if sender.stage is Stage.SETTLING:
            sender.flying.discard((worker, number))
        for held, lane in list(sender.lanes.items()):
            if (worker, number) in lane.flying:
                lane.flying.discard((worker, number))
                self.go_on(sender, held, out)
        return sender if sender.stage is Stage.SETTLING and not sender.flying else None

    # Out.

    def go_on(self, sender: EventInstance, held: str, out: list[Command]) -> None:
        """Everything of a lane, if it can go on."""
        lane, target = sender.lanes.get(held), sender.routes.at.get(held)
        if lane is None or lane.flying or sender.stage is Stage.SETTLING:
            return
        if target is None or target.is_held or target.instance == lane.left:
            return
        del sender.lanes[held]
        if held in sender.paused_for:
            del sender.paused_for[held]
            if not sender.paused_for:
                out.append(Listen(sender.id, False))  # noqa: FBT003 - mirrors Runtime.tell
        for event in lane.events():
            self._give(sender, target, event, out)

    def begin(self, instance: EventInstance, out: list[Command]) -> None:
        """It knows its first routes, and has what its predecessor had sent and nobody got."""
        self._learn(instance.routes.of.values(), out)
        for target in instance.routes.at.values():
            if target.is_held:
                instance.lanes.setdefault(place(target.instance), Lane())
        self.inherit(instance, instance.start.unsent, out)

    def inherit(self, instance: EventInstance, unsent: Iterable[Event], out: list[Command]) -> None:
        """What a predecessor had sent is for those that have these places now, also where they are nowhere yet: another
        replica may have got what was sent later."""
        for event in unsent:
            at = place(event.target)
            sent = Event(event.target, self._address(instance), event.data, "", event.output, event.created)
            if at in instance.lanes:
                self._waits(instance, at, sent, out, has_room=instance.lanes[at].inherit(sent))
            elif at in instance.routes.at:
                self._give(instance, instance.routes.at[at], sent, out)

    def patch(self, instance: EventInstance, order: Patch, out: list[Command]) -> None:
        before = instance.routes.at
        if not instance.routes.change(order.generation, order.routes):
            return
        self._learn(order.routes, out)
        for at, target in instance.routes.at.items():
            old = before.get(at)
            has_moved = old is not None and not old.is_held and old.instance != target.instance
            if has_moved and old is not None and self._neighbours.sent(old.worker, self._address(instance), at):
                self._lane(instance, at, old.worker)
            if target.is_held and at not in instance.lanes:
                self._lane(instance, at, "" if old is None else old.worker)
            elif at in instance.lanes:
                self.go_on(instance, at, out)

    def _learn(self, routes: Iterable[Route], out: list[Command]) -> None:
        for target in (target for route in routes for target in route.targets):
            if target.worker and target.worker != self._worker:
                self._neighbours.learn(target.worker, target.address, out)

    def hear(self, now: float, worker: str) -> None:
        since, last = self._heard.get(worker, (now, now))
        self._heard[worker] = (since if now - last < QUIET_S else now, now)

    def settle(self, now: float, instance: EventInstance) -> float:
        """It is gone, and where it moves, others may have in hand what it has sent. Until when it waits for that; 0: no
        more. Who is slow has it in its order; who was not heard of for a while may never have got it."""
        if not instance.is_moving:
            return 0.0
        if instance.stage is Stage.SETTLING:
            may_wait = now < instance.since + UNHEARD_S and not self.is_ending
            waits = may_wait and not all(self._is_heard(now, worker) for worker, _ in instance.flying)
            return now + QUIET_S if waits else 0.0
        address, neighbours = self._address(instance), self._neighbours
        flying = {(worker, number) for worker in neighbours.out for number in neighbours.sent(worker, address)}
        if not flying:
            return 0.0
        instance.stage, instance.since, instance.flying = Stage.SETTLING, now, flying
        self.flying.update(dict.fromkeys(flying, instance))
        return now + SETTLING_S

    def _is_heard(self, now: float, worker: str) -> bool:
        """For so long that it has what was sent to it."""
        since, last = self._heard.get(worker, (now, now))
        return now - last < QUIET_S and now - since >= SETTLING_S

    def end(self, instance: EventInstance) -> tuple[Event, ...]:
        """What nobody has got of what it sent."""
        for key in [key for key, one in self.flying.items() if one is instance]:
            del self.flying[key]
        unsent = [event for lane in instance.lanes.values() for event in lane.events() if not event.stream]
        instance.lanes.clear()
        return tuple(unsent)

    def _address(self, instance: EventInstance) -> str:
        return f"{instance.id}@{self._worker}"

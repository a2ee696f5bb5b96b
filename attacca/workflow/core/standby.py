"""Hot standby: beside the instance of a part there is another one on another node, whose `init` waits.

    the part is up ──▶ StartInstance(is_standby) ──▶ InstanceUp(is_standby) ──▶ ready
                                                                                 │ the instance of the part is no more
    another stands by ◀── InstanceUp ◀── BeginInstance, with what it has synced ◀┘

So a part has one that is active at any time. What it synced last is kept here, and is handed over with the order.
Another begins when all are gone that were told to end for it: there are never more than two.
"""

from collections.abc import Callable
from math import inf

from attacca.kernel.timers import Timers
from attacca.model.events import BeginInstance, StartInstance, StopInstance, number, place
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Command
from attacca.workflow.core.graph import Part, Spare, Stage
from attacca.workflow.core.wills import left_to

AGAIN_S = 1.0  # between two looks whether those are gone that were told to end
Choose = Callable[[float, Part], str]  # a node for it; empty: there is none


class Standby:
    def __init__(self, books: Books) -> None:
        self._books = books
        self.due: Timers[Part] = Timers()  # parts that want one
        self.is_open = True  # False: a node that has not spoken yet may have one
        self._leaving: dict[str, dict[str, str]] = {}  # by place: instances that were told to end, and their workers

    def __repr__(self) -> str:
        return f"<Standby {len(self._books.spares)} there or on their way>"

    def want(self, part: Part, now: float) -> None:
        """Its instance is up."""
        if part.spare is not None and not part.spare.instance:
            self.due.set(part, max(part.spare.retry_at, now))

    @property
    def wakes_at(self) -> float:
        return self.due.at if self.is_open else inf

    def place(self, now: float, choose: Choose, out: list[Command]) -> None:
        if self.wakes_at > now:
            return
        for part in self.due.pop_due(now):
            spare = part.spare
            if spare is None or spare.instance or part.stage is not Stage.UP or part.workflow.is_stopping:
                continue
            if self._waits(part):
                self.due.set(part, now + AGAIN_S)
                continue
            where = choose(now, part)
            if where:
                self._begin(part, spare, where, out)
            else:
                spare.lose(now, "no other node has room for it")
                self.want(part, now)

    def leave(self, instance: str, worker: str) -> None:
        """It was told to end, and nobody is to come for it before it has."""
        nodes = self._books.nodes.by_name
        for name, held in list(self._leaving.items()):
            if not any(at in nodes for at in held.values()):
                del self._leaving[name]
        self._leaving.setdefault(place(instance), {})[instance] = worker

    def left(self, now: float, instance: str) -> None:
        held = self._leaving.get(place(instance), {})
        part = self._books.in_place(place(instance))
        if held.pop(instance, None) is not None and not held:
            del self._leaving[place(instance)]
            if part is not None:
                self.want(part, now)

    def _waits(self, part: Part) -> bool:
        nodes = self._books.nodes.by_name
        return any(worker in nodes for worker in self._leaving.get(part.place, {}).values())

    def _begin(self, part: Part, spare: Spare, where: str, out: list[Command]) -> None:
        spec, workflow = part.spec, part.workflow
        part.number += 1
        spare.instance, spare.worker = part.name(), where
        self._books.spares[spare.instance] = part
        self._books.nodes.reserve(where, spare.instance, part.asked)
        payload = None if spec.payload is None else spec.payload.encode()
        start = StartInstance(
            spare.instance, workflow.root, spec.name, part.revision, payload, None, 0, (), (), 0, (), is_standby=True
        )
        out.append(Send(where, start))

    def ready(self, part: Part, spare: Spare) -> None:
        spare.is_ready, spare.failures, spare.why = True, 0, ""

    def adopt(self, part: Part, instance: str, worker: str) -> bool:
        """After a restart: is it the one?"""
        spare = part.spare
        if spare is None or spare.instance:
            return False
        part.number = max(part.number, number(instance))
        spare.instance, spare.worker, spare.is_ready = instance, worker, True
        self._books.spares[instance] = part
        self._books.nodes.reserve(worker, instance, part.asked)
        return True

    def lose(self, now: float, part: Part, spare: Spare, why: str) -> None:
        self._forget(spare)
        spare.lose(now, why)
        self.want(part, now)

    def _forget(self, spare: Spare) -> None:
        self._books.spares.pop(spare.instance, None)
        self._books.nodes.free(spare.worker, spare.instance)

    def has(self, part: Part) -> bool:
        return part.spare is not None and part.spare.is_ready

    def take_over(self, part: Part, out: list[Command]) -> bool:
        """The part begins with the one that stands by, if there is one, and it is where the part is wanted."""
        spare = part.spare
        if spare is None or not spare.is_ready or part.wanted_at not in ("", spare.worker):
            return False
        nodes, workflow = self._books.nodes, part.workflow
        nodes.free(part.wanted_at, part.place)
        part.wanted_at = ""
        self._books.spares.pop(spare.instance)
        part.instance, part.worker, part.stage = spare.instance, spare.worker, Stage.STARTING
        part.starts += 1
        self._books.parts[part.instance] = part
        part.spare = Spare()
        routes = self._books.routes(part)
        unheard, unsent, follows = left_to(part)
        generation = workflow.generation
        order = BeginInstance(part.instance, part.state, part.version, routes, unheard, generation, unsent, follows)
        out.append(Send(part.worker, order))
        return True

    def stop(self, part: Part, why: str, out: list[Command]) -> None:
        spare = part.spare
        if spare is not None and spare.instance:
            out.append(Send(spare.worker, StopInstance(spare.instance, why)))

    def dismiss(self, part: Part, why: str, out: list[Command]) -> None:
        """The part goes on without it: with another that is newer, or not at all."""
        spare = part.spare
        self.stop(part, why, out)
        if spare is not None and spare.instance:
            self.leave(spare.instance, spare.worker)
            self._forget(spare)
            part.spare = Spare()

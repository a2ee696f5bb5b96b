"""What must hold after every event: counted apart from the cores' own books where that is possible.

After each event, of what it has touched: memory within its capacity and as the machine counts it, no slot below zero or
above its number, nobody of a function overtaken where that is promised, and every invocation that came either over or
in the gateway's hands. Now and then, and at the end, everything is counted anew; with `thorough`, after each event.
"""

from collections.abc import Mapping
from math import isclose

from attacca.model.messages import Dispatch, Ended, Send, Started
from attacca.model.resources import NOTHING
from attacca.sim.engine import Engine
from attacca.sim.flight import Flight
from attacca.sim.front import Broken, Front
from attacca.sim.node import Handle, Node
from attacca.worker.core import invariants
from attacca.worker.core.events import Command, Event, MakeSandbox, Received, Run

RECOUNT_EVERY = 5_000  # events


class Check:
    """It looks on at every worker core's `handle`; the engine calls `after` when an event is over."""

    def __init__(self, *, thorough: bool = False) -> None:
        self._every = 1 if thorough else RECOUNT_EVERY
        self._touched: list[Node] = []
        self._left = self._every
        self._front: Front | None = None
        self._flights: Mapping[str, Flight] = {}
        self._nodes: list[Node] = []
        self._arrived: dict[str, tuple[float, int]] = {}  # by invocation on a worker: its place in the order
        self._latest: dict[tuple[int, str], tuple[float, int]] = {}  # by worker and function: who was started last
        self._count = 0
        self._present = 0  # invocations since `_since`
        self._since = 0.0
        self._present_s = 0.0  # the integral of their number over time
        self._engine = Engine()

    def look_at(self, engine: Engine, front: Front, flights: Mapping[str, Flight], nodes: list[Node]) -> None:
        self._engine, self._front, self._flights, self._nodes = engine, front, flights, nodes

    def wrap(self, node: Node, handle: Handle) -> Handle:
        """A core that was started anew owes nothing to those who waited before."""
        touched, is_fifo = self._touched, _is_fifo(node)
        for key in [key for key in self._latest if key[0] == node.place]:
            del self._latest[key]

        def watched(now: float, event: Event) -> list[Command]:
            if type(event) is Received and type(event.message) is Dispatch:
                self._count += 1
                self._arrived[event.message.invocation.id] = (now, self._count)
            commands = handle(now, event)
            touched.append(node)
            for command in commands:
                kind = type(command)
                if kind is Send:
                    message = command.message  # type: ignore[union-attr]
                    if type(message) is Ended:
                        self._arrived.pop(message.id, None)
                    elif is_fifo and type(message) is Started:
                        self._in_order(node, message.id)
                elif kind is Run or kind is MakeSandbox:
                    self._slots(node, command.sandbox)  # type: ignore[union-attr]
            return commands

        return watched

    def after(self) -> None:
        for node in self._touched:
            _memory(node)
            _counts(node)
        self._touched.clear()
        front = self._front
        assert front is not None
        if front.arrived != front.over + len(front.gate.taken):
            raise Broken(f"{front.arrived} came, {front.over} are over, {len(front.gate.taken)} in the gateway's hands")
        now = self._engine.now
        if now > self._since:
            self._present_s += self._present * (now - self._since)
            self._since = now
        self._present = front.arrived - front.over
        self._left -= 1
        if self._left <= 0:
            self._left = self._every
            self.recount()

    def end(self, spent_s: float) -> None:
        """Little's law: present on average = arrivals per second times the mean time that they spent.

        Both sides are multiplied by the length of the run, and so hold exactly, whatever the distributions.
        """
        self.recount()
        present_s = self._present_s + self._present * (self._engine.now - self._since)
        if not isclose(present_s, spent_s, rel_tol=1e-6, abs_tol=1e-3):
            raise Broken(f"{present_s:.6f} s were spent here by the count, {spent_s:.6f} s by the invocations' own")

    def recount(self) -> None:
        """Everything."""
        front = self._front
        assert front is not None
        for node in self._nodes:
            if node.is_up:
                invariants.check(node.core)
        waiting = dict.fromkeys((function.name for function in front.gate.functions.by_name.values()), 0)
        running = dict(waiting)
        for key, taken in front.gate.taken.items():
            flight = taken.client
            if not isinstance(flight, Flight) or flight.is_answered:
                raise Broken(f"invocation {key} is in the gateway's hands, but nobody waits for it")
            if taken.worker and self._flights.get(key) is not flight:
                raise Broken(f"invocation {key} was sent, but is not under way")
            (waiting if taken.start is None else running)[taken.function.name] += 1
        for function in front.gate.functions.by_name.values():
            if (function.waiting, function.running) != (waiting[function.name], running[function.name]):
                raise Broken(
                    f"{function.name}: {function.waiting} wait and {function.running} run by the gateway's count"
                )

    def _in_order(self, node: Node, invocation: str) -> None:
        flight = self._flights.get(invocation)
        order = self._arrived.get(invocation)
        if flight is None or order is None:
            raise Broken(f"{node.name} runs {invocation}, which was never sent there")
        key = (node.place, flight.target.name)
        if order < self._latest.get(key, order):
            raise Broken(f"invocation {invocation} was overtaken on {node.name} by one of its own function")
        self._latest[key] = order

    def _slots(self, node: Node, sandbox: str) -> None:
        known = node.core.pool.sandboxes.get(sandbox)
        if known is None or len(known.running) > known.slots:
            raise Broken(f"sandbox {sandbox} of {node.name} runs more than it has slots for, or does not exist")


def _is_fifo(node: Node) -> bool:
    """Promised for the invocations of one function, which are all of one revision here."""
    return node.config.queueing.policy == "fcfs" and node.config.concurrency.policy != "bypass"


def _memory(node: Node) -> None:
    if not node.is_up:
        return
    pool, machine = node.core.pool, node.machine
    if not (NOTHING.fits(pool.leaving) and pool.leaving.fits(pool.used) and pool.used.fits(pool.capacity)):
        raise Broken(f"{node.name}: {pool.used} in use, {pool.leaving} of them leaving, of {pool.capacity}")
    if pool.used != machine.held:
        raise Broken(f"{node.name}: its core counts {pool.used}, its machine {machine.held}")


def _counts(node: Node) -> None:
    if not node.is_up:
        return
    scheduler = node.core.scheduler
    running, claims = scheduler.running, scheduler.claims
    if min(running, claims, scheduler.queued) < 0:
        raise Broken(f"{node.name}: {running} run, {claims} slots are claimed, {scheduler.queued} wait")
    if running != node.machine.running:
        raise Broken(f"{node.name}: its core counts {running} that run, its machine {node.machine.running}")
    if node.config.concurrency.policy == "fixed" and running + claims > scheduler.limit:
        raise Broken(f"{node.name}: {running} run and {claims} slots are claimed of {scheduler.limit}")

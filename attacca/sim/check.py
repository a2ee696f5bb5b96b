"""What must hold after every event: counted apart from the cores' own books where that is possible.

After each event, of what it has touched: memory within its capacity and as the machine counts it, no slot below zero or
above its number, nobody of a function overtaken where that is promised, and every invocation that came either over or
in the gateway's hands. Now and then, and at the end, everything is counted anew; with `thorough`, after each event.
"""

from collections.abc import Mapping
from math import isclose

from attacca.control.core import invariants as control_invariants
from attacca.gateway.core import invariants as gateway_invariants
from attacca.model.messages import Dispatch, Ended, Send, Started
from attacca.model.resources import NOTHING
from attacca.sim.engine import Engine
from attacca.sim.platform.control import SimulatedControl
from attacca.sim.platform.gateway import Broken, SimulatedGateway
from attacca.sim.platform.worker import Handle, SimulatedWorker
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.worker.core import invariants as worker_invariants
from attacca.worker.core.events import Command, Event, MakeSandbox, Received, Run

RECOUNT_EVERY = 5_000  # events


class Check:
    """It looks on at every worker core's `handle`; the engine calls `after` when an event is over."""

    def __init__(self, *, thorough: bool = False) -> None:
        self._every = 1 if thorough else RECOUNT_EVERY
        self._touched: list[SimulatedWorker] = []
        self._left = self._every
        self._fronts: list[SimulatedGateway] = []
        self._invocations: Mapping[str, SimulatedInvocation] = {}
        self._nodes: list[SimulatedWorker] = []
        self._control: SimulatedControl | None = None
        self._arrived: dict[str, tuple[float, int]] = {}  # by invocation on a worker: its place in the order
        self._latest: dict[tuple[int, str], tuple[float, int]] = {}  # by worker and function: who was started last
        self._count = 0
        self._present = 0  # invocations since `_since`
        self._since = 0.0
        self._present_s = 0.0  # the integral of their number over time
        self._engine = Engine()

    def __repr__(self) -> str:
        return f"<Check {self._count} dispatches, {self._present} invocations under way>"

    def look_at(
        self,
        engine: Engine,
        fronts: list[SimulatedGateway],
        invocations: Mapping[str, SimulatedInvocation],
        nodes: list[SimulatedWorker],
        control: SimulatedControl,
    ) -> None:
        self._engine, self._fronts, self._invocations, self._nodes = engine, fronts, invocations, nodes
        self._control = control

    def wrap(self, node: SimulatedWorker, handle: Handle) -> Handle:
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
        present = 0
        for front in self._fronts:
            under_way = front.arrived - front.over
            if under_way != len(front.core.inflight):
                held = len(front.core.inflight)
                raise Broken(f"{front.arrived} came, {front.over} are over, {held} in the gateway's hands")
            present += under_way + len(front.at_door)
        now = self._engine.now
        if now > self._since:
            self._present_s += self._present * (now - self._since)
            self._since = now
        self._present = present
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
        for node in self._nodes:
            if node.is_up:
                worker_invariants.check(node.core)
        assert self._control is not None
        control_invariants.check(self._control.core)
        for front in self._fronts:
            gateway_invariants.check(front.core)
        held = [one for front in self._fronts for one in front.core.inflight.items()]
        for key, inflight in held:
            flight = inflight.client
            if not isinstance(flight, SimulatedInvocation) or flight.is_answered:
                raise Broken(f"invocation {key} is in the gateway's hands, but nobody waits for it")
            if inflight.worker and self._invocations.get(key) is not flight:
                raise Broken(f"invocation {key} was sent, but is not under way")

    def _in_order(self, node: SimulatedWorker, invocation: str) -> None:
        flight = self._invocations.get(invocation)
        order = self._arrived.get(invocation)
        if flight is None or order is None:
            raise Broken(f"{node.name} runs {invocation}, which was never sent there")
        key = (node.place, flight.target.name)
        if order < self._latest.get(key, order):
            raise Broken(f"invocation {invocation} was overtaken on {node.name} by one of its own function")
        self._latest[key] = order

    def _slots(self, node: SimulatedWorker, sandbox: str) -> None:
        known = node.core.pool.sandboxes.get(sandbox)
        if known is None or len(known.running) > known.slots:
            raise Broken(f"sandbox {sandbox} of {node.name} runs more than it has slots for, or does not exist")


def _is_fifo(node: SimulatedWorker) -> bool:
    """Promised for the invocations of one function, which are all of one revision here."""
    return node.config.queueing.policy == "fcfs" and node.config.concurrency.policy != "bypass"


def _memory(node: SimulatedWorker) -> None:
    if not node.speaks:
        return
    pool, runtime = node.core.pool, node.runtime
    if not (NOTHING.fits(pool.leaving) and pool.leaving.fits(pool.used) and pool.used.fits(pool.capacity)):
        raise Broken(f"{node.name}: {pool.used} in use, {pool.leaving} of them leaving, of {pool.capacity}")
    if pool.used != runtime.held:
        raise Broken(f"{node.name}: its core counts {pool.used}, its machine {runtime.held}")


def _counts(node: SimulatedWorker) -> None:
    if not node.speaks:  # one that is stopped does not know yet what has ended
        return
    for line in node.core.lines:
        if min(line.running, line.claims, line.queued) < 0:
            raise Broken(f"{node.name}: {line!r}")
    scheduler, devices = node.core.scheduler, node.core.lines.devices
    running, claims = scheduler.running, scheduler.claims
    if devices is not None and devices.running + devices.claims > devices.limit:
        raise Broken(f"{node.name}: on devices {devices!r}")
    compute = node.core.lines.compute
    if compute is not None and compute.running + compute.claims > compute.limit:
        raise Broken(f"{node.name}: on cores {compute!r}")
    counted = node.core.lines.running + len(node.core.orders.items)
    if counted != node.runtime.running:
        raise Broken(f"{node.name}: its core counts {counted} that run, its machine {node.runtime.running}")
    if node.config.concurrency.policy == "fixed" and running + claims > scheduler.limit:
        raise Broken(f"{node.name}: {running} run and {claims} slots are claimed of {scheduler.limit}")

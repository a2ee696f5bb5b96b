"""Functions whose sandboxes control has made: what gateways want goes in, orders to workers and endpoints come out.

    Loads ──▶ scaling policy ──▶ StartSandbox ──▶ SandboxUp ──▶ EndpointsChanged
              asked on each news, and when it wants to be

A control that has just begun does not know what is there: it has workers tell, publishes what it hears as not being
all, has nothing made that nobody waits for, and for one window stops nothing.
"""

from math import inf

from attacca.control.core.cluster.chosen import Chosen
from attacca.control.core.cluster.creations import Creations
from attacca.control.core.cluster.hosts import Host
from attacca.control.core.cluster.nearby import Nearby
from attacca.control.core.cluster.ordering import Key, Ordering, Timer
from attacca.control.core.cluster.publisher import Publisher
from attacca.control.core.cluster.scaled import Instance, Life, ScaledFunction
from attacca.control.core.cluster.short import Short
from attacca.control.core.cluster.spare import Spare
from attacca.control.core.events import Command, GatewaySaid
from attacca.control.core.policies import Policies
from attacca.kernel.chance import Chance
from attacca.kernel.timers import Timers
from attacca.model.endpoints import (
    AskSandboxes,
    EndpointsKnown,
    Loads,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    StartsFail,
    StopSandbox,
)
from attacca.model.function import Revision, Scheduling
from attacca.model.invocation import Failed
from attacca.model.machine import Machine
from attacca.model.messages import Catalogue, Deleted, Deployed, Send
from attacca.model.resources import NOTHING
from attacca.model.sandbox import WorkerView

SETTLE_S = 3.0  # in which workers that are there have joined
STABLE_S = 60.0
FAILED_STARTS = 3  # in a row, before those who wait are told
ELSEWHERE = ("no_capacity", "draining", "not_found", "sandbox_lost", "cancelled")  # says nothing of its code

Event = GatewaySaid | SandboxUp | SandboxDown | Sandboxes


class Cluster:
    def __init__(self, policies: Policies, chance: Chance) -> None:
        self.functions: dict[str, ScaledFunction] = {}
        self._chosen = Chosen(policies, chance)
        self.publisher = Publisher()
        self.creations = Creations()
        self.timers: Timers[Key] = Timers()
        self.ordering = Ordering(self._chosen.placers, self.publisher, self.timers, self.creations)
        self.short, self.spare = Short(), Spare(self.ordering, self.timers)
        self.nearby = Nearby()
        self.settled_at = self.thaws_at = -inf

    def __repr__(self) -> str:
        return f"<Cluster {len(self.functions)} functions, {self.ordering!r}, {self.publisher!r}>"

    def begin(self, now: float, epoch: int, out: list[Command]) -> None:
        """The first run finds nothing; a later one may find what one before it has ordered."""
        self.publisher.begin(epoch)
        self.ordering.prefix = f"c{epoch}-"
        if epoch > 1:
            self.publisher.is_whole = False
            self.settled_at, self.thaws_at = now + SETTLE_S, now + STABLE_S
            self.timers.set((Timer.SETTLED, ""), self.settled_at)
            self.timers.set((Timer.THAW, ""), self.thaws_at)
        for host in self.ordering.hosts.values():
            self._ask(host, out)
        for gateway in self.publisher.gateways:
            self.publisher.tell(gateway, out)

    def handle(self, now: float, event: Event, out: list[Command]) -> None:
        if type(event) is GatewaySaid:
            self._gateway(now, event, out)
        elif type(event) is SandboxUp:
            self._up(now, event, out)
        elif type(event) is SandboxDown:
            self._down(now, event, out)
        elif type(event) is Sandboxes:
            self._told(now, event, out)

    # How many.

    def _gateway(self, now: float, event: GatewaySaid, out: list[Command]) -> None:
        message = event.message
        if type(message) is EndpointsKnown:
            self.creations.spread(now, self.publisher.known(event.peer, message.generation))
            return
        if type(message) is not Loads:
            self.publisher.tell(event.peer, out)
            return
        if event.peer not in self.publisher.gateways:
            return  # nobody would say that it is gone
        for load in message.of:
            function = self.functions.get(load.function)
            if function is not None:
                function.hear(event.peer, load)
                self._decide(now, function, out)

    def _decide(self, now: float, function: ScaledFunction, out: list[Command]) -> bool:
        """False: there is no room for what it wants."""
        demand = function.demand()
        function.wanted, function.why, again_at = function.scalers.ask(now, function.name, demand)
        key = (Timer.ASK, function.name)
        if again_at is None:
            self.timers.clear(key)
        else:
            self.timers.set(key, max(again_at, now))
        missing = function.wanted - len(function.up) - len(function.starting)
        if missing < 0:
            self._stop_surplus(now, function, -missing, out)
        self.spare.note(now, function)
        if missing > 0 and function.may_start(now, self.settled_at):
            for _ in range(missing):
                if not self._start(now, function, now - demand.waited_s, (), out):
                    return False
        return True

    def _start(
        self, now: float, function: ScaledFunction, asked_at: float, tried: tuple[str, ...], out: list[Command]
    ) -> bool:
        no_room = self.ordering.start(now, function, asked_at, out, tried=tried)
        may_reclaim = no_room is not None and function.waiting and now >= self.thaws_at
        if may_reclaim and (on := self.spare.reclaim(now, function, tried, out)):
            no_room = self.ordering.start(now, function, asked_at, out, tried=tried, on=on)
        if no_room is None:
            if function.rest_s:
                function.rest_s = 0.0
                self.short.remove(function.name)
                self.timers.clear((Timer.REST, function.name))
            return True
        function.why = f"{function.why}, but {no_room.why}"
        function.rest_s = self.short.rest_s(function.rest_s)
        self._rest(now, function, function.rest_s)
        self.short.add(function)
        return False

    def _try_again(self, now: float, out: list[Command]) -> None:
        """There may be room by now. Who has waited longest is asked first; once there is none for one of them, there
        is none for the others that want as much."""
        for alike in self.short.kinds():
            for function in alike:
                if not function.failures:
                    function.resting_until = now
                if not self._decide(now, function, out):
                    break
                self.short.remove(function.name)

    def _rest(self, now: float, function: ScaledFunction, seconds: float) -> None:
        function.resting_until = now + seconds
        self.timers.set((Timer.REST, function.name), function.resting_until)

    def _stop_surplus(self, now: float, function: ScaledFunction, count: int, out: list[Command]) -> None:
        """What is not up yet first, and the younger before the older."""
        if now < self.thaws_at:
            return
        youngest = [*reversed(function.starting.values()), *reversed(function.up.values())]
        for instance in youngest[:count]:
            self._stop(now, instance, function.why, out)

    def _stop(self, now: float, instance: Instance, why: str, out: list[Command]) -> None:
        twin = instance.twin
        self.ordering.stop(now, instance, why, out)
        if twin is not None:
            self.ordering.stop(now, twin, why, out)

    # What workers say.

    def _up(self, now: float, message: SandboxUp, out: list[Command]) -> None:
        instance = self.ordering.instances.get(message.id)
        if instance is None or instance.worker != message.worker:
            host = self.ordering.hosts.get(message.worker)
            if host is None or not host.is_asked:  # else its answer has this one too
                out.append(Send(message.worker, StopSandbox(message.id, "nobody has ordered it")))
        elif instance.phase is Life.STARTING:
            self.ordering.up(now, instance, message.timing, out, is_new=True)
            self._decide_of(now, instance, out)

    def _down(self, now: float, message: SandboxDown, out: list[Command]) -> None:
        instance = self.ordering.instances.get(message.id)
        if instance is None or instance.worker != message.worker:
            return
        function, error = instance.function, message.error
        is_missed = self.ordering.gone(now, instance, error.code)
        if error.code == "no_capacity":
            self.ordering.hosts[message.worker].shut()
        if self.functions.get(function.name) is function:
            if is_missed and instance.revision == function.revision.id:
                self._missed(now, instance, error, out)
            self._decide(now, function, out)
        if not is_missed:
            self._try_again(now, out)

    def _missed(self, now: float, instance: Instance, error: Failed, out: list[Command]) -> None:
        """It could not be made there. Elsewhere it may; if its own code is to blame, not for long."""
        function = instance.function
        if error.code not in ELSEWHERE:
            function.failures += 1
            if error.traceback or function.failures >= FAILED_STARTS:
                self.publisher.say(StartsFail(function.name, function.revision.id, error), out)
                self._rest(now, function, min(2.0 ** (function.failures - 1), STABLE_S))
                return
        if len(function.up) + len(function.starting) < function.wanted and now >= function.resting_until:
            self._start(now, function, instance.asked_at, (*instance.tried, instance.worker), out)

    def _told(self, now: float, message: Sandboxes, out: list[Command]) -> None:
        """What it has, and we have not, is ours if it is of use; what we have, and it has not, is lost."""
        host = self.ordering.hosts.get(message.worker)
        if host is None:
            return
        host.is_asked = False
        there = {one.id for one in message.ordered}
        touched: dict[str, ScaledFunction] = {}
        for instance in list(host.instances.values()):
            if instance.id not in there and instance.number <= host.asked:
                self.ordering.gone(now, instance, "sandbox_lost")
                touched[instance.function.name] = instance.function
        for one in message.ordered:
            known, function = self.ordering.instances.get(one.id), self.functions.get(one.function)
            if known is None and (function is None or function.revision.id != one.revision):
                out.append(Send(message.worker, StopSandbox(one.id, "it is not of the current revision")))
                continue
            is_new = known is not None
            if known is None:
                assert function is not None
                known = self.ordering.adopt(now, one.id, message.worker, function)
            if one.is_up and known.phase is Life.STARTING:
                self.ordering.up(now, known, one.timing, out, is_new=is_new)
            touched[known.function.name] = known.function
        for function in touched.values():
            if self.functions.get(function.name) is function:
                self._decide(now, function, out)

    def _decide_of(self, now: float, instance: Instance, out: list[Command]) -> None:
        function = instance.function
        if self.functions.get(function.name) is function:
            self._decide(now, function, out)

    # Workers and gateways.

    def joined(self, now: float, view: WorkerView, machine: Machine | None, out: list[Command]) -> None:
        """It may have sandboxes that we know, or do not know."""
        host = self.ordering.hosts.get(view.name)
        if host is None:
            host = self.ordering.hosts[view.name] = Host(view, machine)
            self.ordering.renew()
        else:
            host.hear(view)
            if machine is not None and machine != host.machine:
                host.machine = machine
                self.ordering.renew()
        self._ask(host, out)
        self._try_again(now, out)

    def heard(self, now: float, view: WorkerView, out: list[Command]) -> None:
        host = self.ordering.hosts.get(view.name)
        if host is None:
            return
        was_silent, was_draining = host.is_silent, host.is_draining
        host.hear(view)
        if was_silent:
            self._ask(host, out)
        if host.is_draining and not was_draining:
            self._leave(now, host, out)
        elif view.wanted != NOTHING and now >= self.thaws_at:
            self.spare.make_way(now, host, view.wanted, out)

    def _ask(self, host: Host, out: list[Command]) -> None:
        host.asked, host.is_asked = self.ordering.count, True
        out.append(Send(host.name, AskSandboxes()))

    def _leave(self, now: float, host: Host, out: list[Command]) -> None:
        """It drains: what it has ends there, and is made elsewhere."""
        functions = {one.function.name: one.function for one in host.instances.values()}
        for instance in list(host.instances.values()):
            if instance.phase is not Life.STOPPING:
                self.ordering.stop(now, instance, "its worker drains", out)
        self._decide_all(now, functions, out)

    def silenced(self, now: float, worker: str, out: list[Command]) -> None:
        """It was not heard of for too long: what it has may be lost, and is not counted on."""
        host = self.ordering.hosts.get(worker)
        if host is not None:
            host.fall_silent()
            self._lose(now, host, out)

    def left(self, now: float, worker: str, out: list[Command]) -> None:
        host = self.ordering.hosts.get(worker)
        if host is not None:
            functions = self._forget(now, host)
            del self.ordering.hosts[worker]
            self.ordering.renew()
            self._decide_all(now, functions, out)

    def gateway_joined(self, gateway: str, out: list[Command], *, is_open: bool, is_apart: bool) -> None:
        """It is told of all endpoints; in a control that has not begun, when it does."""
        self.publisher.join(gateway, is_apart=is_apart)
        if is_open:
            self.publisher.tell(gateway, out)

    def gateway_left(self, now: float, gateway: str, out: list[Command]) -> None:
        """Nobody has its invocations any more."""
        if gateway in self.publisher.gateways:
            self.creations.spread(now, self.publisher.leave(gateway))
            self._decide_all(now, {one.name: one for one in self.functions.values() if one.forget(gateway)}, out)

    def _lose(self, now: float, host: Host, out: list[Command]) -> None:
        self._decide_all(now, self._forget(now, host), out)

    def _forget(self, now: float, host: Host) -> dict[str, ScaledFunction]:
        functions = {one.function.name: one.function for one in host.instances.values()}
        for instance in list(host.instances.values()):
            self.ordering.gone(now, instance, "sandbox_lost")
        return functions

    def _decide_all(self, now: float, functions: dict[str, ScaledFunction], out: list[Command]) -> None:
        for function in functions.values():
            if self.functions.get(function.name) is function:
                self._decide(now, function, out)

    # The catalogue.

    def announced(self, now: float, message: Catalogue | Deployed | Deleted, out: list[Command]) -> None:
        match message:
            case Deployed():
                self._adopt(now, message.revision, out)
            case Deleted():
                self._drop(now, message.function, out)
            case Catalogue():
                for name in [name for name in self.functions if name not in message.by_function]:
                    self._drop(now, name, out)
                for revision in message.current:
                    self._adopt(now, revision, out)

    def _adopt(self, now: float, revision: Revision, out: list[Command]) -> None:
        if revision.settings.scheduling is not Scheduling.CLUSTER:
            self._drop(now, revision.function, out)
            return
        function, scalers = self.functions.get(revision.function), self._chosen.scalers(revision.settings)
        if function is None:
            function = self.functions[revision.function] = ScaledFunction(revision, scalers)
        else:
            if function.scalers is not scalers:
                function.scalers.forget(function.name)
            if function.revision.id == revision.id:
                function.rescale(revision, scalers)
            else:
                self._end(now, function, "its revision is not current any more", out)
                self.nearby.drop(function)
                function.renew(revision, scalers)
        self.nearby.adopt(function)
        function.placer = self._chosen.placer(revision.settings)
        self._decide(now, function, out)

    def _drop(self, now: float, name: str, out: list[Command]) -> None:
        function = self.functions.pop(name, None)
        if function is not None:
            self._end(now, function, "its function is gone", out)
            self.nearby.drop(function)
            function.scalers.forget(name)
            self.short.remove(name)
            self.spare.remove(name)
            self.timers.clear((Timer.ASK, name))
            self.timers.clear((Timer.REST, name))

    def _end(self, now: float, function: ScaledFunction, why: str, out: list[Command]) -> None:
        for instance in [*function.starting.values(), *function.up.values()]:
            self._stop(now, instance, why, out)

    # Time.

    def _remind(self, now: float, instance: Instance, out: list[Command]) -> None:
        if instance.phase is Life.STOPPING:
            self.ordering.stop_again(now, instance, "it was to end before", out)
        elif instance.phase is Life.STARTING and self.ordering.slow(now, instance, out):
            self._decide_of(now, instance, out)

    def tick(self, now: float, out: list[Command]) -> None:
        for timer, name in self.timers.pop_due(now):
            match timer:
                case Timer.ASK | Timer.REST:
                    function = self.functions.get(name)
                    if function is not None:
                        self._decide(now, function, out)
                case Timer.SLOW | Timer.STOP:
                    instance = self.ordering.instances.get(name)
                    if instance is not None:
                        self._remind(now, instance, out)
                case Timer.SETTLED:
                    self.publisher.complete(out)
                    self._decide_all(now, dict(self.functions), out)
                case Timer.THAW:
                    self._decide_all(now, dict(self.functions), out)

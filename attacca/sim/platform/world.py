"""Joins the cores to the engine: gateways in front of many workers, and the scenario's invocations that come in."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from math import inf
from typing import Any

from attacca.errors import BadConfig
from attacca.gateway.core.gateway import GatewayCore
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.load.records.recorder import NullRecorder, RecordSink
from attacca.load.workload.scenario import Distribution, Scenario
from attacca.load.workload.schedule import RUN, WARMUP, Arrival, Schedule, Target
from attacca.model.accelerators import Compute
from attacca.model.function import PythonDirectory, Revision, Scheduling, Settings, Signature, WasmFunction
from attacca.model.membership import HEARTBEAT_S
from attacca.model.messages import Heartbeat, WorkerJoined
from attacca.policy.balancing import BALANCING
from attacca.policy.balancing.types import Balancer, begin
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.slots import SLOTS
from attacca.policy.slots.types import Free, checked
from attacca.sim.engine import Engine
from attacca.sim.platform.control import SimulatedControl
from attacca.sim.platform.draws import Draws, Duration, pick
from attacca.sim.platform.faults import Faults
from attacca.sim.platform.gateway import SimulatedGateway
from attacca.sim.platform.hardware import Chances
from attacca.sim.platform.leaders import Leaders, is_led
from attacca.sim.platform.network import Channel
from attacca.sim.platform.worker import SimulatedWorker, Wrap
from attacca.sim.record.event_log import EventLog
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Ledger

OF_CLIENTS = 1_000_000_000  # their invocations are numbered from here
ASK_AGAIN_S = 1e-3
HANDLER = "main:handler"
BEATS_MOST = 1 << 20  # heartbeats of one worker that have draws of their own


class World:
    def __init__(
        self,
        scenario: Scenario,
        schedule: Schedule,
        sink: RecordSink,
        engine: Engine,
        event_log: EventLog,
        wrap: Wrap | None = None,
        keepalives: Sequence[Keepalive] | None = None,
        balancer: Balancer | None = None,
    ) -> None:
        """`wrap` is put around every worker core's `handle`, for those who look on. `keepalives`, by worker, and
        `balancer`: in place of the scenario's.

        Raises:
            BadConfig: a policy does not exist, or the scenario wants what a simulation cannot do yet.
        """
        self.scenario = scenario
        self.engine = engine
        self._event_log, self._balancer = event_log, balancer
        has_rows = scenario.record.invocations and not isinstance(sink, NullRecorder)
        self.ledger = Ledger(sink, scenario.name, scenario.seed, has_rows=has_rows)
        self.invocations: dict[str, SimulatedInvocation] = {}
        self.fronts = [
            self._gateway(_core(scenario, balancer, number, is_apart=self._is_apart), number)
            for number in range(scenario.system.gateways)
        ]
        self._doors = Draws(scenario.seed, "gateways")
        self.arrive = self.fronts[0].come if len(self.fronts) == 1 else self._arrive_somewhere
        has_duty = scenario.system.mode == "cluster" or bool(scenario.faults) or is_led(scenario)  # control, at all
        self._is_heard = self._is_apart and has_duty
        self.control = SimulatedControl(engine, scenario, _silent_s(scenario, is_apart=self._is_heard))
        for front in self.fronts:
            self.control.connect(front)
        self._schedule = schedule
        self._functions, self._warmup_s = schedule.functions, scenario.workload.warmup_s
        self._coming: Iterator[Any] = schedule.arrivals()
        self._came = 0  # of them
        self._sent = 0
        self._comes: Callable[[Arrival], None] = self._arrive
        self._moments = Draws(scenario.seed, "samples")
        self.nodes = self._nodes(event_log, wrap, keepalives or [None] * scenario.system.workers)
        for number in range(len(self.fronts)):
            self._join(number)
        self.leaders = Leaders(engine, scenario, self.control) if is_led(scenario) else None
        self.faults = Faults(scenario, schedule.length_s, engine, event_log, self)
        self._clients = Clients(self) if scenario.workload.clients is not None else None

    def __repr__(self) -> str:
        under_way = len(self.invocations)
        return f"<World at {self.engine.now:g} s: {self._sent} sent, {under_way} under way, {len(self.nodes)} workers>"

    def _gateway(self, core: GatewayCore, number: int) -> SimulatedGateway:
        name = f"gateway-{number}" if number else "gateway"
        service = _service(self.scenario, number)
        return SimulatedGateway(self.engine, self._event_log, core, self.invocations, self.ledger, name, service)

    def _nodes(
        self, event_log: EventLog, wrap: Wrap | None, keepalives: Sequence[Keepalive | None]
    ) -> list[SimulatedWorker]:
        scenario, targets = self.scenario, self._schedule.functions
        colds = {
            target.name: Duration(target.plan.cold, scenario.seed, f"cold/{target.name}")
            for target in targets
            if target.plan.cold is not None
        }
        all_compute = all(target.plan.body.computing > 0 for target in targets)
        accelerated = {target.name: target.plan.gpu for target in targets if target.plan.gpu}
        chances = Chances(scenario.hardware, scenario.seed, colds, accelerated, all_compute=all_compute)
        nodes: list[SimulatedWorker] = []
        called = _called(self._schedule) if scenario.system.templates else set()
        self.control.open(_revision(target, scenario) for target in targets if target.name not in called)
        for place, keepalive in enumerate(keepalives):
            nodes.append(
                SimulatedWorker(
                    place, scenario, self.engine, event_log, chances, self.invocations, self.control, wrap, keepalive
                )
            )
            if place == 0:  # who joins later finds them in force
                with nodes[0].machine.at_once():
                    for target in targets:
                        if target.name in called:
                            self.control.deploy(_settings(target, scenario))
        return nodes

    def _join(self, number: int) -> None:
        """Links between a gateway and all workers, in place of those that there were."""
        engine, scenario, channels = self.engine, self.scenario, {}
        front, which = self.fronts[number], f"/{number}" if number else ""
        for node in self.nodes:
            up = Channel(engine, scenario.hardware, scenario.seed, f"up{which}", front.hear)
            down = Channel(engine, scenario.hardware, scenario.seed, f"down{which}", partial(node.receive, front.name))
            if front.name in node.to_gateways:
                up.follow(node.to_gateways[front.name])
                down.follow(node.from_gateways[front.name])
            node.to_gateways[front.name], node.from_gateways[front.name] = up, down
            channels[node.name] = (node.place, down)
        front.channels = channels
        names = {node.name: node for node in self.nodes}
        front.on_watch = lambda name: names[name].tell_idle(front.name)
        for node in self.nodes:
            if not node.speaks or node.to_gateways[front.name].cuts:
                pass  # its next heartbeat says that it is there
            elif self._is_apart:
                front.hear(WorkerJoined(node.view()))
            else:
                front.drive.feed(WorkerJoined(node.view()))

    def _arrive_somewhere(self, flight: SimulatedInvocation) -> None:
        """At one of the gateways: the same one whatever the system does."""
        self.fronts[int(self._doors.at(flight.idx) * len(self.fronts))].come(flight)

    def _arrive_where_one_listens(self, flight: SimulatedInvocation) -> None:
        """At the same one, or where that is down at the next: as what stands before gateways does it."""
        fronts = self.fronts
        front = fronts[int(self._doors.at(flight.idx) * len(fronts))]
        if not front.is_ready:
            front = next((other for other in fronts if other.is_ready), front)
        if front.is_ready:
            front.come(flight)
        else:
            front.turn_away(flight)

    @property
    def front(self) -> SimulatedGateway:
        """The first gateway, or who has taken its place."""
        return self.fronts[0]

    def crash_gateway(self, place: int) -> None:
        """Its clients are told nothing but that; those who come next are sent to others."""
        front, scenario = self.fronts[place], self.scenario
        self.arrive = self._arrive_where_one_listens
        front.crash(_core(scenario, self._balancer, place, is_apart=self._is_apart))
        self.control.lose(front.name)
        for node in self.nodes:
            node.lose_gateway(front.name)

    def restart_gateway(self, place: int) -> None:
        """With nothing of what it knew, and new links."""
        before, scenario = self.fronts[place], self.scenario
        front = self._gateway(_core(scenario, self._balancer, place, is_apart=self._is_apart), place)
        front.on_over = before.on_over
        self.fronts[place] = front
        self.control.connect(front)
        self._join(place)

    def under_way(self) -> list[SimulatedInvocation]:
        """Those that have not been answered."""
        at_doors = [flight for front in self.fronts for flight in front.at_door]
        clients = [taken.client for front in self.fronts for taken in front.core.inflight.values()]
        return at_doors + [client for client in clients if isinstance(client, SimulatedInvocation)]

    @property
    def _is_apart(self) -> bool:
        """Workers can be lost, so they are listened to."""
        system = self.scenario.system
        return system.workers > 1 or system.gateways > 1 or bool(self.scenario.faults)

    # The run.

    def run(self, after: Callable[[], None] | None = None) -> None:
        """As long as the schedule, and then until everything is answered or the time for that is over."""
        engine, scenario, length_s = self.engine, self.scenario, self._schedule.length_s
        self._pull()
        if self._clients is not None:
            self._clients.begin()
        self._sample_next(0)
        if self._is_apart:
            engine.at(HEARTBEAT_S, self._beat, 1)
        self.faults.begin()
        engine.run(length_s, after)
        if self.under_way():
            for front in self.fronts:
                front.on_over = self._drained
            engine.run(length_s + scenario.workload.drain_s, after)
        for flight in self.under_way():
            self.ledger.close_flight(flight, engine.now, 0, "unanswered")
        self.ledger.totals.invocations = self._sent

    def lost_messages(self) -> int:
        return sum(channel.lost for node in self.nodes for channel in node.channels)

    def _drained(self, flight: SimulatedInvocation) -> None:
        if not any(front.core.inflight or front.at_door for front in self.fronts):
            self.engine.stop()

    def _pull(self) -> None:
        arrival = next(self._coming, None)  # an Arrival; as such it would be taken apart and put together again
        if arrival is not None:
            self.engine.at(arrival[0], self._comes, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        self._pull()
        at, place, duration_ms = arrival
        idx = self._came
        self._came = idx + 1
        self._sent += 1
        phase = RUN if at >= self._warmup_s else WARMUP
        self.arrive(SimulatedInvocation(idx, at, self._functions[place], duration_ms / 1e3, phase))

    def send(self, number: int, place: int, seconds: float) -> SimulatedInvocation | None:
        """One that no schedule wanted. None: the time for that is over."""
        now = self.engine.now
        if now >= self._schedule.length_s:
            return None
        phase = RUN if now >= self._warmup_s else WARMUP
        self._sent += 1
        return SimulatedInvocation(OF_CLIENTS + number, now, self._functions[place], seconds, phase)

    def _sample(self, number: int) -> None:
        for node in self.nodes:
            self.ledger.sample(self.engine.now, node.name, node.gauge())
        self._sample_next(number + 1)

    def _sample_next(self, number: int) -> None:
        """Somewhere in each interval: at a steady pace, what is periodic would always be seen in the same phase."""
        at = (number + self._moments.at(number)) * self.scenario.record.sample_s
        self.engine.at(at, self._sample, number)

    def _beat(self, count: int) -> None:
        for node in self.nodes:
            if node.speaks:
                heartbeat = Heartbeat(node.view())
                for channel in node.to_gateways.values():
                    channel.send(heartbeat, -1 - count - node.place * BEATS_MOST)
                if self._is_heard:
                    self.control.hear(heartbeat)
        self.engine.at(self.engine.now + HEARTBEAT_S, self._beat, count + 1)


class Clients:
    """Closed loop: each sends its next invocation when it has thought about its last answer."""

    def __init__(self, world: World) -> None:
        clients = world.scenario.workload.clients
        assert clients is not None
        plans, seed = world._schedule.plans, world.scenario.seed
        self._world = world
        self._count = clients.count
        self._think = Duration(clients.think, seed, "clients/think")
        self._choice = Draws(seed, "clients/choice")
        self._durations = [Duration(plan.duration, seed, f"clients/duration/{plan.name}") for plan in plans]
        self._places = [place for place, plan in enumerate(plans) if plan.shape is None] or list(range(len(plans)))
        self._sums = list(accumulate(plans[place].weight for place in self._places))
        self._of: dict[int, int] = {}  # by invocation: its client
        self._turns = [0] * clients.count

    def __repr__(self) -> str:
        return f"<Clients {self._count}, {sum(self._turns)} invocations sent>"

    def begin(self) -> None:
        if not self._sums:
            raise BadConfig("there are clients, but no function for them", "add [[functions]] to the scenario")
        for front in self._world.fronts:
            front.on_over = self._over
        for client in range(self._count):
            self._world.engine.at(0.0, self._send, client)

    def _send(self, client: int) -> None:
        """The n-th invocation of a client is the same one whatever the system does."""
        turn = self._turns[client]
        self._turns[client] = turn + 1
        number = turn * self._count + client
        place = self._places[pick(self._sums, self._choice.at(number))]
        flight = self._world.send(number, place, self._durations[place].at(number))
        if flight is not None:
            self._of[flight.idx] = client
            self._world.arrive(flight)

    def _over(self, flight: SimulatedInvocation) -> None:
        client = self._of.pop(flight.idx, None)
        if client is not None:
            engine = self._world.engine
            think_s = self._think.at(self._turns[client] * self._count + client)
            if flight.due == engine.now:  # refused at once: a client that does not think would ask for ever
                think_s = max(think_s, ASK_AGAIN_S)
            engine.at(engine.now + think_s, self._send, client)


def _core(scenario: Scenario, balancer: Balancer | None, number: int, *, is_apart: bool) -> GatewayCore:
    """Each gateway has chances of its own."""
    silent_s, attempts = _silent_s(scenario, is_apart=is_apart), scenario.system.attempts
    balancing = balancer or balancer_of(scenario, number)
    return GatewayCore(0, balancing, slots_of(scenario, number), silent_s=silent_s, attempts=attempts)


def _service(scenario: Scenario, number: int) -> Duration | None:
    """Where it takes no time there is no event for it."""
    gateway = scenario.hardware.gateway
    return None if gateway == Distribution() else Duration(gateway, scenario.seed, f"hardware/gateway{number or ''}")


def _silent_s(scenario: Scenario, *, is_apart: bool) -> float:
    return scenario.system.silent_s if is_apart else inf


def slots_of(scenario: Scenario, number: int = 0) -> Callable[[], Free]:
    choice, chance = scenario.system.slots, Streams(scenario.seed).stream(f"slots{number or ''}")
    policy = checked(build(SLOTS, choice.policy, choice.options, "attacca.policy.slots"), chance)
    return partial(policy.fresh, chance)


def balancer_of(scenario: Scenario, number: int = 0) -> Balancer:
    choice = scenario.system.balancing
    policy = build(BALANCING, choice.policy, choice.options, "attacca.policy.balancing")
    return begin(policy, Streams(scenario.seed).stream(f"balancing{number or ''}"))


def _called(schedule: Schedule) -> set[str]:
    """The functions that a live run would deploy: control has the first worker check their code."""
    if schedule.scenario.workload.clients is not None:
        return {target.name for target in schedule.functions}
    return {schedule.functions[place].name for place, (many, _) in schedule.counts().items() if many > 0}


def _settings(target: Target, scenario: Scenario) -> Settings:
    plan = target.plan
    return Settings(
        name=plan.name,
        handler=HANDLER,
        memory_mb=max(32, plan.memory_mb),
        timeout_s=plan.timeout_s,
        wait_s=plan.wait_s,
        concurrency=plan.concurrency,
        queue=min(plan.queue, 1_000_000),
        idempotent=plan.idempotent,
        pure=bool(plan.pure),
        scheduling=Scheduling(scenario.system.mode),
        gpu=plan.gpu.share if plan.gpu else 0.0,
        compute=(Compute.CPU, Compute.GPU) if plan.gpu and plan.gpu.either else (),
    )


def _revision(target: Target, scenario: Scenario) -> Revision:
    settings = _settings(target, scenario)
    return Revision(
        function=settings.name,
        number=1,
        settings=settings,
        handler=HANDLER,
        signature=Signature.EVENT_CONTEXT,
        artefact=WasmFunction(settings.name) if settings.pure else PythonDirectory(settings.name),
    )

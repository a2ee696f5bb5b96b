"""What policies are told, against a recount of the simulated state at every decision, in small runs with faults."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest

from attacca.gateway.core.gateway import GatewayCore
from attacca.kernel.rand import Streams
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Choice, Distribution, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.model.membership import HEARTBEAT_S
from attacca.model.resources import NOTHING, Resources, total
from attacca.model.sandbox import WorkerView
from attacca.policy.balancing.pull import Pull
from attacca.policy.balancing.types import Asked, Balancer, Done, Picked, Worker
from attacca.sim.engine import Engine
from attacca.sim.platform.worker import Handle, SimulatedWorker
from attacca.sim.platform.world import World, balancer_of
from attacca.sim.record.event_log import EventLog
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.swarm import draw
from attacca.worker.core.phases import Position
from tests.worker.recount import Recount, ewma, same
from tests.written import as_written


class Watched:
    """Stands before a balancer and counts what it is shown. `is_instant`: what a worker says is heard at once."""

    def __init__(self, inner: Balancer, *, is_instant: bool) -> None:
        self._inner = inner
        self._workers: Sequence[Worker] = ()
        self._is_instant = is_instant
        self._arrived: dict[str, list[float]] = {}
        self._ran_s: dict[str, list[float]] = {}
        self.world: World | None = None
        self._core: GatewayCore | None = None
        self.said: dict[str, tuple[Resources, int, int]] = {}  # free, limit, waiting, when each last spoke of itself
        self.wanting: dict[str, int] = {}  # a core, likewise
        self.looks = self.idle = 0

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._inner.among(workers)

    def _begin_anew(self, world: World) -> None:
        """A gateway that crashed has forgotten what it had measured."""
        if self._core is not world.fronts[0].core:
            self._core = world.fronts[0].core
            self._arrived.clear()
            self._ran_s.clear()

    def ended(self, now: float, done: Done) -> None:
        if self.world is not None:
            self._begin_anew(self.world)
        if done.run_s > 0:
            self._ran_s.setdefault(done.function, []).append(done.run_s)

    def pick(self, now: float, asked: Asked) -> Picked:
        world = self.world
        assert world is not None
        self.looks += 1
        self._begin_anew(world)
        for worker in self._workers:
            self._look_at(world, now, worker)
        target = next(one for one in world._schedule.functions if one.name == asked.function)
        assert (asked.application, asked.trigger, asked.resources) == (
            target.app,
            target.trigger,
            Resources(target.plan.memory_mb),
        )
        same(asked.exec_s, ewma(self._ran_s.get(asked.function, ())), "exec_s")
        if self._is_instant:  # then nothing is sent again
            arrived = self._arrived.setdefault(asked.function, [])
            arrived.append(now)
            gaps = [after - before for before, after in pairwise(arrived)]
            same(asked.rate, 1 / max(ewma(gaps), 1e-6) if gaps else 0.0, "rate")
        return self._inner.pick(now, asked)

    def _look_at(self, world: World, now: float, worker: Worker) -> None:
        node = next(node for node in world.nodes if node.name == worker.name)
        mine = [taken for taken in world.fronts[0].core.inflight.values() if taken.holder is worker]
        assert worker.queued == sum(taken.start is None for taken in mine)
        assert worker.running == sum(taken.start is not None for taken in mine)
        assert (worker.cores, worker.capacity) == (node.config.cores, node.config.resources)
        assert NOTHING.fits(worker.free)
        assert worker.free.fits(worker.capacity)
        if not self._is_instant:
            return
        assert (worker.free, worker.limit, worker.waiting) == self.said[worker.name]
        assert worker.load is not None
        assert worker.load.memory_free_mb == worker.free.memory_mb
        assert worker.load.cpu_share == min(1.0, self.wanting[worker.name] / worker.cores)
        assert now - worker.heard_at <= HEARTBEAT_S
        assert worker.idle("nobody") == 0  # who looks for the first time has it said from then on
        for name in node.core.functions:
            there = [one for one in node.runtime.instances.values() if one.revision.function == name]
            resting = sum(one.is_ready and not one.running for one in there if not one.is_template)
            assert worker.idle(name) == resting, f"{name} on {worker.name}"
            self.idle += resting


def watch(one: Scenario, *, is_instant: bool = False) -> tuple[Watched, list[Recount]]:
    recounts: list[Recount] = []

    def wrap(node: SimulatedWorker, handle: Handle) -> Handle:
        recounts.append(Recount(node.core))
        return recounts[-1].wrap(handle)

    engine, watched = Engine(), Watched(balancer_of(one), is_instant=is_instant)
    nowhere = NullRecorder(one, "simulated", 0.0)
    watched.world = world = World(one, Schedule(one), nowhere, engine, EventLog(engine), wrap, balancer=watched)
    for node in world.nodes:
        listen(node, watched)
    world.run()
    return watched, recounts


def listen(node: SimulatedWorker, watched: Watched) -> None:
    """What it says of itself, counted when it says it."""
    plain = node.view

    def view() -> WorkerView:
        held = total(copy.resources for copy in node.runtime.instances.values())
        scheduler = node.core.scheduler
        waiting = sum(item.position is not Position.RUNNING for item in scheduler.items.values())
        watched.said[node.name] = (node.config.resources - held, scheduler.limit, waiting)
        watched.wanting[node.name] = wanting(node)
        return plain()

    view()
    node.view = view  # type: ignore[method-assign]


def wanting(node: SimulatedWorker) -> int:
    """Who computes, one by one, where nobody shares a core."""
    if node.machine.cpu.busy is not None:
        return node.machine.cpu.busy
    jobs = [job for copy in node.runtime.instances.values() for job in copy.running.values()]
    return sum(job.work.target.plan.body.computing > 0 for job in jobs)


@as_written
@pytest.mark.parametrize("seed", range(30, 42))
def test_every_field_is_what_is_so_whatever_goes_wrong(seed: int) -> None:
    one = draw(seed)
    wild = msgspec.structs.replace(
        one.system, mode="worker", gateways=1, concurrency=Choice(policy="aimd"), memory_mb=512
    )
    watched, recounts = watch(msgspec.structs.replace(one, system=wild))
    assert (watched.looks > 0) == (one.system.workers > 1)
    for name in ("idle", "known", "house", "waiting", "load"):
        assert sum(recount.looks[name] for recount in recounts) > 0, name


@as_written
@pytest.mark.parametrize("seed", range(50, 54))
def test_what_is_idle_elsewhere_is_what_is_idle_there(seed: int) -> None:
    one = draw(seed)
    calm = msgspec.structs.replace(one.hardware, network=Distribution(), network_loss=0.0)
    three = msgspec.structs.replace(one.system, mode="worker", gateways=1, workers=3, memory_mb=512)
    watched, _ = watch(msgspec.structs.replace(one, system=three, hardware=calm, faults=()), is_instant=True)
    assert watched.looks > 0
    assert watched.idle > 0


def test_who_first_looks_late_sees_what_is_so() -> None:
    """Nobody says what rests before somebody looks; the policy is one that does."""
    one = draw(50)
    calm = msgspec.structs.replace(one.hardware, network=Distribution(), network_loss=0.0)
    lru, pull = Choice(policy="lru"), Choice(policy="pull")
    three = msgspec.structs.replace(
        one.system, mode="worker", gateways=1, workers=3, memory_mb=2048, keepalive=lru, balancing=pull
    )
    engine, watched = Engine(), Watched(Pull().fresh(Streams(1).stream("x")), is_instant=True)
    plain = msgspec.structs.replace(one, system=three, hardware=calm, faults=())
    world = World(plain, Schedule(plain), NullRecorder(plain, "simulated", 0.0), engine, EventLog(engine))
    engine.at(10.0, lambda _: look(world, watched), None)
    world.run()
    assert watched.idle > 0


def look(world: World, watched: Watched) -> None:
    for node in world.nodes:
        link = world.fronts[0].core.workers.by_name[node.name]
        for name, function in node.core.functions.items():
            assert link.idle(name) == function.idle
            watched.idle += function.idle


def test_what_is_simulated_says_how_it_stands() -> None:
    one = msgspec.structs.replace(draw(50), faults=())
    engine = Engine()
    world = World(one, Schedule(one), NullRecorder(one, "simulated", 0.0), engine, EventLog(engine))
    world.run()
    front = world.front
    assert repr(front) == f"<SimulatedGateway {front.arrived} arrived, {front.over} over>"
    assert repr(world.nodes[0]) == "<SimulatedWorker w0 up: 0 invocations, started 1 times>"
    target = world._schedule.functions[0]
    assert repr(SimulatedInvocation(7, 0.0, target, 1.0, "run")) == "<SimulatedInvocation 7 under way: attempt 1>"

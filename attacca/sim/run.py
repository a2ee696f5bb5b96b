"""One simulated run, from a scenario to its totals."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

import attacca
from attacca.errors import BadConfig
from attacca.kernel.clock import Clock
from attacca.load.records.info import RunInfo
from attacca.load.records.recorder import NullRecorder, Recorder, RecordSink
from attacca.load.workload.scenario import Power, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.policy.balancing.types import Balancer
from attacca.policy.keepalive.types import Keepalive
from attacca.sim.check import Check
from attacca.sim.engine import Engine
from attacca.sim.foresight import Told, foresee
from attacca.sim.platform.worker import Handle, SimulatedWorker, Wrap
from attacca.sim.platform.world import World, balancer_of
from attacca.sim.record.energy import Energy, Spent
from attacca.sim.record.event_log import FILE, Entry, EventLog, Reached
from attacca.sim.record.sources import deciding
from attacca.sim.record.totals import Totals
from attacca.sim.story import Story
from attacca.sim.workflows.check import WorkflowCheck
from attacca.sim.workflows.world import WorkflowWorld

LATEST = 20  # entries shown where a run was told to stop
Checks = Literal["off", "touched", "all"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a scenario is run. `checks`: after each event nothing, what it touched, or everything."""

    checks: Checks = "touched"
    out: Path | None = None  # the run's directory
    replace: bool = False  # a run that is there already
    events: bool = False  # keep them in the run's directory
    stop_at: int | None = None  # an event's number, from 1
    story: str = ""  # of an invocation or a sandbox
    keepalive: Keepalive | None = None  # in place of the scenario's


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    totals: Totals
    events: int
    hash: str
    wall_s: float  # of the simulation itself: the trace was read before
    read_s: float  # the trace and the schedule
    virtual_s: float
    faults: int
    lost_messages: int
    info: RunInfo
    warnings: tuple[str, ...] = ()  # what makes the numbers less than they seem
    story: tuple[str, ...] = ()
    latest: tuple[Entry, ...] = ()
    spent: Spent | None = None  # None: the scenario says nothing of power

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {"name": self.info.name, "seed": self.info.seed}
        found |= msgspec.to_builtins(self.totals)
        found |= {"wall_s": self.wall_s, "read_s": self.read_s, "virtual_s": self.virtual_s}
        found |= {"events": self.events, "hash": self.hash, "scenario_hash": self.info.hash}
        found |= {"faults": self.faults, "lost_messages": self.lost_messages}
        found |= {} if self.spent is None else msgspec.to_builtins(self.spent)
        found |= {"warnings": list(self.warnings)} if self.warnings else {}
        return found


def run(scenario: Scenario, clock: Clock, options: Options | None = None, schedule: Schedule | None = None) -> Outcome:
    """
    Raises:
        BadConfig: something in the scenario makes no sense, or cannot be simulated yet.
        Conflict: the run's directory holds a run already.
        Broken: what must always hold did not.
    """
    options = options or Options()
    began = clock.now()
    schedule = schedule or Schedule(scenario)
    if scenario.workflows and options.story:
        raise BadConfig("there are no stories of workflows yet", "leave --story out; --events keeps what happened")
    sink = _sink(scenario, clock, options)
    engine = Engine()
    path = options.out / FILE if options.out is not None and options.events else None
    event_log = EventLog(engine, path, options.stop_at)
    story = Story(engine, options.story) if options.story else None
    play: Callable[[], None]
    world: World | WorkflowWorld
    if scenario.workflows:
        workflows = world = WorkflowWorld(scenario, schedule, sink, engine, event_log)
        play = partial(_play_workflows, workflows, options.checks)
    else:
        check = None if options.checks == "off" else Check(thorough=options.checks == "all")
        told = _told(scenario, schedule, clock, options.keepalive)
        wrap = _wrap(check, story)
        functions = world = World(scenario, schedule, sink, engine, event_log, wrap, told.keepalives, told.balancer)
        play = partial(_play, functions, check)
    power = scenario.hardware.power
    if isinstance(power, Power) and not scenario.workflows:
        world.ledger.energy = Energy(power, scenario.system.memory_mb)
    read_s = clock.now() - began
    with _without_collections():
        began = clock.now()  # what was left of runs before is swept by then
        play()
    totals = world.ledger.sum_up()
    energy = world.ledger.energy
    spent = None if energy is None else energy.spent(engine.now, scenario.system.workers)
    latest = tuple(event_log.latest(LATEST)) if options.stop_at is not None else ()
    events, digest = event_log.count, event_log.close()
    wall_s = clock.now() - began
    facts: dict[str, float | str] = {**msgspec.to_builtins(totals), "events": events, "hash": digest}
    facts |= {} if spent is None else msgspec.to_builtins(spent)
    return Outcome(
        totals=totals,
        events=events,
        hash=digest,
        wall_s=wall_s,
        read_s=read_s,
        virtual_s=engine.now,
        faults=world.faults.happened,
        lost_messages=world.lost_messages(),
        info=sink.close(facts, wall_s),
        warnings=(*schedule.unmeasured(),),
        story=tuple(story.lines) if story is not None else (),
        latest=latest,
        spent=spent,
    )


def _told(scenario: Scenario, schedule: Schedule, clock: Clock, keepalive: Keepalive | None) -> Told:
    """What takes the place of the scenario's own policies, where anything does."""
    if keepalive is not None:
        return Told([keepalive] * scenario.system.workers)

    def rehearse(plain: Scenario, balancer: Balancer) -> None:
        engine = Engine()
        sink = NullRecorder(plain, "simulated", clock.wall())
        with _without_collections():
            World(plain, schedule, sink, engine, EventLog(engine), balancer=balancer).run()

    return foresee(scenario, schedule, balancer_of, rehearse) or Told([])


def _play(world: World, check: Check | None) -> None:
    with contextlib.suppress(Reached):
        if check is None:
            world.run()
        else:
            check.look_at(world.engine, world.fronts, world.invocations, world.nodes, world.control)
            world.run(check.after)
            check.end(world.ledger.spent_s)


def _play_workflows(world: WorkflowWorld, checks: Checks) -> None:
    check = None if checks == "off" else WorkflowCheck(world, thorough=checks == "all")
    with contextlib.suppress(Reached):
        world.run(None if check is None else check.after, check.is_settled if checks == "all" and check else None)
        if check is not None:
            check.end()


def _sink(scenario: Scenario, clock: Clock, options: Options) -> RecordSink:
    if options.out is None:
        return NullRecorder(scenario, "simulated", clock.wall())
    told = deciding(scenario, Path(attacca.__file__).parent)
    return Recorder(options.out, scenario, "simulated", clock.wall(), replace=options.replace, code=told)


def _wrap(check: Check | None, story: Story | None) -> Wrap | None:
    looking_on = [one.wrap for one in (check, story) if one is not None]
    if not looking_on:
        return None

    def wrap(node: SimulatedWorker, handle: Handle) -> Handle:
        for one in looking_on:
            handle = one(node, handle)
        return handle

    return wrap


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """A run makes no garbage in circles, and much that would be searched for it again and again."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

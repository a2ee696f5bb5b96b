"""Every mutable thing of the simulator says its state in one line of numbers."""

from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Clients, FunctionPlan, Hardware, Workload
from attacca.load.workload.schedule import Schedule
from attacca.model.resources import Resources
from attacca.policy.balancing.types import Asked
from attacca.sim.check import Check
from attacca.sim.engine import Engine
from attacca.sim.foresight import Again, Noted
from attacca.sim.platform.cpu import Cores, Shared, Unshared
from attacca.sim.platform.faults import Faults
from attacca.sim.platform.hardware import Chances, SharedMachine
from attacca.sim.platform.network import Channel
from attacca.sim.platform.world import World
from attacca.sim.record.event_log import EventLog
from attacca.sim.story import Story
from attacca.worker.runtime.simulated import SimulatedRuntime
from tests.sim.play import scenario
from tests.sim.test_foresight import First, there


def test_an_engine_and_what_is_written_down() -> None:
    engine = Engine()
    engine.at(1.5, lambda _: None)
    engine.at(2.5, lambda _: None)
    engine.run(2.0)
    assert repr(engine) == "<Engine at 2 s, 1 to happen>"
    log = EventLog(engine)
    log.note(1, 0, 7)
    assert repr(log) == "<EventLog 1 entries>"
    assert repr(Story(engine, "7")) == "<Story of 7: 0 lines>"
    assert repr(Check()) == "<Check 0 dispatches, 0 invocations under way>"


def test_cores() -> None:
    engine = Engine()
    for cpu, line in (
        (Unshared(engine), "<Unshared at speed 1>"),
        (Shared(engine, 2), "<Shared 1 at work on 2 cores at speed 1>"),
        (Cores(engine, 2), "<Cores 1 at work on 2 cores at speed 1>"),
    ):
        cpu.begin(1.0, lambda _: None, None)
        assert repr(cpu) == line


def test_hardware() -> None:
    channel = Channel(Engine(), Hardware(), 1, "down", lambda _: None)
    channel.lose_next = 1
    channel.look()
    channel.send("a", 0)
    assert repr(channel) == "<Channel quick, 0 cuts, 1 lost>"
    chances = Chances(Hardware(), 1, {})
    for name in "aab":
        chances.number(name)
    assert repr(chances) == "<Chances 3 starts of 2 functions>"


def test_foresight() -> None:
    noted = Noted(First())
    noted.among(there("w0", "w1"))
    noted.pick(0.0, Asked("a"))
    assert repr(noted) == "<Noted 1 picks of 1 functions>"
    again = Again(noted.said, First())
    again.among(there("w0", "w1"))
    assert repr(again) == "<Again for 1 functions, 2 workers>"


def test_a_world() -> None:
    workload = Workload(duration_s=2.0, clients=Clients(count=2))
    one = scenario(FunctionPlan(name="f"), length_s=2.0, workload=workload)
    engine = Engine()
    world = World(one, Schedule(one), NullRecorder(one, "simulated", 0.0), engine, EventLog(engine))
    assert repr(world) == "<World at 0 s: 0 sent, 0 under way, 1 workers>"
    assert repr(world._clients) == "<Clients 2, 0 invocations sent>"
    assert repr(Faults(one, 2.0, engine, EventLog(engine), world)) == "<Faults 0 happened>"
    assert repr(world.ledger) == "<Ledger 0 ok, 0 failed, 0 refused, 0 unanswered>"


def test_a_machine() -> None:
    machine = SharedMachine(Engine(), Hardware(), Chances(Hardware(), 1, {}), 2, Resources(1024), {})
    runtime = SimulatedRuntime(machine, lambda *_: None)
    assert repr(machine) == f"<SharedMachine 2 cores, {machine.cpu.busy} busy, {runtime!r}>"

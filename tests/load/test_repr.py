"""Every mutable thing of the laboratory says its state in one line of numbers."""

import asyncio
from pathlib import Path

import numpy as np

from attacca.load.records.recorder import NullRecorder, Recorder
from attacca.load.sending.alarm import Alarm
from attacca.load.sending.connection import Link, Pool
from attacca.load.sending.frames import Buffer
from attacca.load.sending.generator import Sender
from attacca.load.sending.pacing import Gate, Pacer
from attacca.load.traces.daily import days
from attacca.load.traces.draws import Marks, Quantiles
from attacca.load.traces.events import Gathering
from attacca.load.traces.formats import read
from attacca.load.traces.readers.counts import Counts
from attacca.load.traces.readers.frames import Index, StandIn
from attacca.load.traces.reading import Bad, Reading
from attacca.load.traces.sketch import Sketch
from attacca.load.traces.spool import Spool
from attacca.load.traces.summary import Walk
from attacca.load.traces.synth import Azure, Recipe
from attacca.load.traces.transforms.nearness import Nearness
from attacca.load.traces.transforms.sampling import Sampler
from attacca.load.traces.transforms.scaled import Scale, Scaled
from attacca.load.traces.writing import write
from attacca.load.workload.clients import Client
from attacca.load.workload.scenario import Clients, FunctionPlan, Scenario, Shape, Workload
from attacca.load.workload.schedule import Schedule
from tests.load.traces.made import events
from tests.mutable import without_repr

PLAN = FunctionPlan(name="f", shape=Shape(kind="constant", rate=1.0))
SCENARIO = Scenario(name="small", functions=(PLAN,), workload=Workload(duration_s=60.0))


def test_every_mutable_class_has_one() -> None:
    assert without_repr("attacca.load") == []


def test_what_sends() -> None:
    pool, pacer, gate, buffer = Pool("127.0.0.1", 80, lambda *_: None), Pacer[str](), Gate(), Buffer()
    pacer.plan([(1.0, "a"), (2.0, "b")])
    gate.add(1.0, 0.0, is_failed=True)
    assert list(buffer.feed(b"\0")) == []
    assert repr(pool) == "<Pool 0 links, 0 idle, 0 opening, 0 waiting>"
    assert repr(Link(pool)) == "<Link busy=False, 0 B received>"
    assert (repr(pacer), repr(buffer)) == ("<Pacer 2 planned>", "<Buffer 1 B>")
    assert repr(gate) == "<Gate 1: 1 late, 0 held, 1 failed>"
    assert repr(Sender()) == "<Sender 0 in flight, 0 rows, <Pacer 0 planned>>"


def test_what_is_planned_and_recorded(tmp_path: Path) -> None:
    assert repr(Schedule(SCENARIO)) == "<Schedule 1 functions in 60 s>"
    assert repr(Client(3, Clients(count=4), (PLAN,), 1)) == "<Client 3: 0 turns>"
    none = "<Parts 0 rows, 0 files>"
    assert repr(Recorder(tmp_path, SCENARIO, "live", 0.0)) == f"<Recorder live: records {none}, samples {none}>"
    assert repr(NullRecorder(SCENARIO, "simulated", 0.0)) == "<NullRecorder simulated>"


def test_traces() -> None:
    trace = events([("a", "f", 1.5, 10.0), ("a", "g", 61.0, 20.0)])
    assert repr(trace) == "<Events 2 functions in 120 s>"
    assert repr(Scaled(trace, Scale(time=2.0), 1)) == "<Scaled 2 functions in 240 s>"
    assert repr(Walk(trace)) == "<Walk 2 invocations in 2 minutes>"
    assert [repr(day) for day in days(trace)] == ["<Day 0: 2 invocations>"]
    assert repr(Nearness(trace.functions)) == "<Nearness 2 functions>"
    assert repr(Sampler(trace.functions, 1)) == "<Sampler 2 functions, 0 ranked>"
    assert repr(Azure(Recipe(functions=3))).startswith("<Azure 3 functions, ")


def test_what_traces_are_made_of() -> None:
    counts, sketch, bad = Counts(), Sketch(2), Bad()
    counts.add(np.array([0, 1]), np.array([0, 0]), np.array([3, 4]))
    counts.seal()
    sketch.add(np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]))
    bad.row(Path("t.csv"), 2, "no number")
    assert (repr(counts), repr(sketch)) == ("<Counts 1 parts, 2 cells>", "<Sketch 3 values of 2 functions>")
    assert (repr(bad), repr(Spool())) == ("<Bad 1 rows, skip=False>", "<Spool 0 rows, 0 in memory>")
    assert repr(Gathering()) == "<Gathering 0 functions, <Spool 0 rows, 0 in memory>>"
    assert repr(Quantiles(np.array([0.0, 1.0]), np.array([[1.0, 2.0]]), np.array([1.5]))) == (
        "<Quantiles 2 levels of 1 functions>"
    )
    assert repr(Marks(1, "x")).startswith("<Marks ")
    assert repr(Index([1, 2])) == "<Index of 1>"


def test_what_traces_are_read_from(tmp_path: Path) -> None:
    trace = events([("a", "f", 1.5, 10.0), ("a", "g", 61.0, 20.0)])
    for name in ("attacca", "azure2019"):
        write(trace, tmp_path / name, name)
    assert repr(read(tmp_path / "attacca", "attacca", Reading())) == "<Own 2 functions in 120 s>"
    assert repr(read(tmp_path / "azure2019", "azure2019", Reading())) == "<Counted 2 functions in 120 s>"
    assert repr(StandIn(1, 2)) == "<StandIn of 2>"


def test_an_alarm() -> None:
    async def main() -> None:
        alarm = Alarm()
        assert repr(alarm) == f"<Alarm not set, descriptor {alarm._fd}>"
        task = asyncio.get_running_loop().create_task(alarm.sleep(0.0))
        await asyncio.sleep(0)
        assert repr(alarm) == f"<Alarm set, descriptor {alarm._fd}>"
        await task
        alarm.close()

    asyncio.run(main())

from attacca.cli.serve.planes.charting import Charting, Reading
from attacca.errors import AttaccaError
from attacca.gateway.core.charted import Charted
from attacca.io.posting import Posted, Silent
from attacca.io.timeseries.memory import MemorySeries
from attacca.io.timeseries.opening import SeriesConfig
from attacca.io.timeseries.types import Point
from attacca.kernel.clock import ManualClock
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.worker.points import points
from tests.logged import Logged

CONFIG = SeriesConfig(url="http://a:1", kind="influx2", every_s=1.0)
LOAD = MachineLoad(cpu_share=0.5, load_1m=3.0, memory_free_mb=1, disk_free_mb=1, received_mb_s=0, sent_mb_s=0)
VIEW = WorkerView(name="w1", capacity=Resources(1), used=Resources(0), queued=0, running=0, limit=1, cores=2, load=LOAD)


class Gone(MemorySeries):
    """It does not answer any more."""

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        raise Silent("http://a:1", "gone")


def test_what_workers_write_a_gateway_reads() -> None:
    clock = ManualClock(1000.0)
    reading = Reading(CONFIG, clock, lambda _: None)
    reading._series = series = MemorySeries()
    assert reading.read() == Charted({})
    series.write(points(VIEW, clock.wall()))
    assert reading.read() == Charted({"w1": 1.5})
    clock.time += 61.0
    assert reading.read() == Charted({}), "what is older than a minute says nothing"


def test_one_that_is_gone_is_asked_less_often_and_costs_nothing() -> None:
    reading = Reading(CONFIG, ManualClock(), lambda _: None)
    reading._series = Gone()
    for _ in range(10):
        assert reading.read() == Charted({})
    assert repr(reading) == "<Reading <MemorySeries 0 points>, in 30 s again>"
    reading._series = MemorySeries()
    reading.read()
    assert repr(reading) == "<Reading <MemorySeries 0 points>, in 1 s again>"


class Confused(MemorySeries):
    """What it says ends in a mistake of ours."""

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        raise KeyError(measurement)


def test_a_mistake_in_reading_costs_one_look(logged: Logged) -> None:
    reading = Reading(CONFIG, ManualClock(), lambda _: None)
    reading._series = Confused()
    assert reading.read_whatever() == Charted({})
    assert repr(reading) == "<Reading <MemorySeries 0 points>, in 30 s again>"
    assert logged.messages == ["what <MemorySeries 0 points> says could not be read"]


def test_points_wait_in_a_buffer() -> None:
    charting = Charting(CONFIG, ManualClock(), lambda at: points(VIEW, at))
    charting._series = MemorySeries()
    assert charting._write([Point(measurement="m", fields=(("a", 1),), at=1.0)]) == Posted(204, b"")
    to = "<Shipper to the database at http://a:1: 0 held, 0 sent, 0 dropped>"
    assert repr(charting) == f"<Charting into <MemorySeries 1 points>: {to}>"
    assert issubclass(Silent, AttaccaError)

from attacca.model.events import AskInstances
from attacca.model.invocation import Failed
from attacca.model.messages import Logged
from attacca.model.samples import Entry, Measure
from attacca.worker.config import TelemetryConfig
from attacca.worker.core import telemetry, view
from attacca.worker.core.events import Received
from attacca.worker.core.telemetry import Exit, Histogram, exit_of
from tests.workflow.core.stage import Node, Stage, calls, function, sends

WALL = 1_000_000.0


def fails(_: Node, __: str, kind: str, data: bytes) -> bytes | None:
    if data == b"bad":
        raise ValueError("it is bad")
    return data if kind == "call" else None


def played(**config: object) -> tuple[Stage, Node, str]:
    """Its time of day is known, and `a` sends to `b`, which is up."""
    stage = Stage(fails, telemetry=TelemetryConfig(**config))  # type: ignore[arg-type]
    node = stage.nodes["n1"]
    view.samples(node.core, stage.clock.now(), WALL)
    return stage, node, stage.start(function("a", to="b"), function("b"))


def test_what_instances_do_is_told_once_and_with_the_time_of_day() -> None:
    stage, node, workflow = played(performance_samples=True)
    first = view.samples(node.core, stage.clock.now(), WALL + stage.clock.now())
    assert first is not None
    assert [(one.instance.rpartition(".")[0][-1], one.measure) for one in first.samples] == [
        ("a", Measure.INSTANTIATE), ("b", Measure.INSTANTIATE), ("a", Measure.INIT), ("b", Measure.INIT),
    ]  # fmt: skip
    assert {one.component for one in first.views} == {"a", "b"}
    a, b = stage.at(workflow, "a")[0], stage.at(workflow, "b")[0]
    sends(node, a, "to", b"1")
    calls(node, a, "to", b"2")
    stage.play(1.0)
    second = view.samples(node.core, stage.clock.now(), WALL + stage.clock.now())
    assert second is not None
    told = [(one.instance, one.measure) for one in second.samples]
    assert told == [(b, Measure.TRANSFER), (b, Measure.CAST), (b, Measure.TRANSFER), (b, Measure.CALL)]
    seconds = [round(one.seconds, 6) for one in second.samples]
    assert seconds == [0.0, 0.001, 0.001, 0.001]  # the call waits until the cast is done
    assert all(WALL < one.at < WALL + 3 for one in second.samples)
    (seen,) = second.views
    assert (seen.id, seen.handled, round(seen.handled_s, 6), seen.waiting, seen.is_behind) == (b, 2, 0.002, 0, False)
    assert view.samples(node.core, stage.clock.now(), WALL) is None


def test_without_samples_only_what_changed_of_each_is_told() -> None:
    stage, node, workflow = played()
    assert node.core.instances.telemetry is None
    first = view.samples(node.core, stage.clock.now(), WALL)
    assert first is not None
    assert (len(first.views), first.samples) == (2, ())
    sends(node, stage.at(workflow, "a")[0], "to", b"bad")
    stage.play(1.0)
    second = view.samples(node.core, stage.clock.now(), WALL)
    assert second is not None
    assert [(one.component, one.handled, one.failed) for one in second.views] == [("b", 1, 1)]
    node.feed(Received("control", AskInstances()))
    third = view.samples(node.core, stage.clock.now(), WALL)
    assert third is not None
    assert len(third.views) == 2, "a control that begins anew hears of all"


def test_a_life_is_in_the_log_as_far_as_its_level_wants() -> None:
    lines = {}
    for level in ("error", "info", "debug"):
        stage, node, workflow = played(log_level=level)
        sends(node, stage.at(workflow, "a")[0], "to", b"1")
        stage.play(1.0)
        node.machine.crash(stage.at(workflow, "b")[0])
        stage.play(1.0)
        stage.stop(workflow)
        lines[level] = [line.split(" ")[1] for line in node.logs if line.startswith("telemetry: ")]
    again = ["instantiate:", "init:"]
    assert lines["error"] == ["exit:"]
    assert lines["info"] == [*["instantiate:"] * 2, *["init:"] * 2, "exit:", *again, *["stop:"] * 2, *["exit:"] * 2]
    assert lines["debug"] == [*lines["info"][:4], "transfer:", "cast:", *lines["info"][4:]]


def test_the_page_counts_those_that_are_there() -> None:
    stage, node, workflow = played(metrics_url="http://127.0.0.1:1")
    counted = node.core.instances.telemetry
    assert counted is not None
    a, b = stage.at(workflow, "a")[0], stage.at(workflow, "b")[0]
    sends(node, a, "to", b"1")
    calls(node, a, "to", b"2")
    stage.play(1.0)
    assert counted.made == {a: "PYTHON", b: "PYTHON"}
    assert {key: one.count for key, one in counted.executions.items()} == {
        (b, "PYTHON", "Cast"): 1, (b, "PYTHON", "Call"): 1,
    }  # fmt: skip
    assert repr(counted.transfers[b]) == "<Histogram of 2, 0.001 s>"
    assert repr(counted) == "<Telemetry 0 samples, 0 entries, 0 lost>"
    stage.stop(workflow)
    assert (counted.made, counted.executions, counted.transfers) == ({}, {}, {})
    assert counted.exits == {("PYTHON", Exit.OK): 2}


def test_how_one_ends_is_one_of_three() -> None:
    stage, node, workflow = played(metrics_url="http://127.0.0.1:1")
    counted = node.core.instances.telemetry
    assert counted is not None
    node.machine.crash(stage.at(workflow, "a")[0])
    stage.play(0.1)
    assert counted.exits == {("PYTHON", Exit.CODE_ERROR): 1}
    assert exit_of(Failed("no_capacity", "")) is Exit.INTERNAL_ERROR
    assert exit_of(Failed("cancelled", "")) is Exit.OK


def test_what_is_told_with_a_target_is_an_entry_and_all_of_it_is_bounded() -> None:
    stage, node, workflow = played(performance_samples=True)
    a = stage.at(workflow, "a")[0]
    line = Logged("f", "f@1", a, "", "debug", "app: it began\n", "app")
    for _ in range(telemetry.SAMPLES_MOST + 3):
        node.core.instances.told(stage.clock.now(), line)
    node.core.instances.told(stage.clock.now(), Logged("f", "f@1", "gone", "", "debug", "x", "app"))
    told = view.samples(node.core, stage.clock.now(), WALL + stage.clock.now())
    assert told is not None
    assert (len(told.entries), told.lost) == (telemetry.SAMPLES_MOST, 3)
    assert told.entries[0] == Entry(a, WALL + stage.clock.now(), "debug", "app", "it began")


def test_a_histogram_counts_by_its_bounds() -> None:
    histogram = Histogram()
    for seconds in (0.0001, 0.00011, 0.1, 20.0):
        histogram.add(seconds)
    assert [index for index, count in enumerate(histogram.counts) if count] == [0, 1, 9, len(telemetry.BOUNDS)]

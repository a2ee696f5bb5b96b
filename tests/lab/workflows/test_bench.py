"""The benchmark of workflows: what is asked for when, and what is made of what came back."""

import msgspec
import pytest

from attacca.cli.workflows import bench as verb
from attacca.lab.workflows.bench import Life, Load, schedule, spread, sum_up
from attacca.lab.workflows.graphs import Graph, source_of
from attacca.load.workload.scenario import Distribution, Shape
from tests.cli.golden import same


def test_the_same_seed_asks_for_the_same_at_the_same_times() -> None:
    first, again, other = (list(schedule(Load(seed=seed))) for seed in (1, 1, 2))
    assert first == again != other
    assert all(0.0 <= at < 30.0 and stays_s > 0.0 for at, stays_s in first)


def test_arrivals_and_lifetimes_are_drawn_apart() -> None:
    constant = Load(lifetime=Distribution(mean_ms=1.0))
    assert [at for at, _ in schedule(constant)] == [at for at, _ in schedule(Load())]
    steady = Load(arrivals=Shape(kind="constant", rate=2.0), lifetime=Distribution(mean_ms=500.0), duration_s=2.0)
    assert list(schedule(steady)) == [(0.0, 0.5), (0.5, 0.5), (1.0, 0.5), (1.5, 0.5)]


@pytest.mark.parametrize(
    ("graph", "edges"),
    [
        (Graph(length=2), [("source", "sink")]),
        (Graph(length=4), [("source", "relay1"), ("relay1", "relay2"), ("relay2", "sink")]),
        (
            Graph(template="map_reduce", width=2),
            [("source", "relay1"), ("source", "relay2"), ("relay1", "sink"), ("relay2", "sink")],
        ),
    ],
)
def test_graphs(graph: Graph, edges: list[tuple[str, str]]) -> None:
    source = source_of(graph, "bench")
    spec = source.spec({name: {"type": "python", "code": "", "bundle": None} for name in source.code})
    leads = [(one.name, to) for one in spec.components for output in one.outputs.values() for to in output.to]
    assert leads == edges
    assert all(path.is_file() for path in source.code.values())


def test_events_that_are_missing_among_others_are_lost_and_those_that_come_again_doubled() -> None:
    life = Life(0.0)
    life.hear(["1 10.5", "3 20.0", "3 21.0", "something else"])
    assert life.latencies == {1: 10.5, 3: 21.0}
    assert (life.lost, life.doubled) == (1, 1)


def test_spreads() -> None:
    assert spread([]).count == 0
    assert msgspec.structs.astuple(spread([4.0, 1.0, 2.0, 3.0])) == (4, 2.5, 2.0, 4.0, 4.0, 4.0)


def test_it_is_shown_as_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    well = Life(0.5, 120.0, 40.0)
    well.hear(["1 2.5", "2 3.5"])
    verb.tell(sum_up(Load(), [well, Life(0.25, error="no_capacity")]), width=100)
    printed = capsys.readouterr()
    same("workflow-bench", printed.out + printed.err)

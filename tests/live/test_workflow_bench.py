"""The benchmark of workflows against a real server."""

from pathlib import Path

from attacca.client.http import Client
from attacca.lab.workflows.bench import Load, run
from attacca.lab.workflows.graphs import Graph
from attacca.load.workload.scenario import Distribution, Shape
from tests.live.whole import running


def test_workflows_come_live_for_a_while_and_go(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        load = Load(
            graph=Graph(template="map_reduce", width=2, interval_s=0.02),
            arrivals=Shape(kind="constant", rate=2.0),
            lifetime=Distribution(mean_ms=500.0),
            duration_s=1.0,
        )
        found = run(lambda: Client(f"http://127.0.0.1:{whole.port}"), load, lambda _: None)
        assert whole.get("/api/workflows") == []
    assert (found.workflows, found.blocked) == (2, {})
    assert found.start.count == found.stop.count == 2
    assert found.latency.count > 0
    assert (found.lost, found.doubled) == (0, 0)

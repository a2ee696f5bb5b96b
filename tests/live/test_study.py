"""A study on several processes, and on a cluster of two workers."""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.errors import Unreachable
from attacca.load.report.measure import read
from attacca.load.workload.scenario import FunctionPlan, Scenario, Shape, Workload
from attacca.sim.study.grid import Cell, expand, parse
from attacca.sim.study.job import mark_of
from attacca.sim.study.study import Study
from attacca.worker.runtime.process.lineage import children
from tests.live.whole import until

ROOT = Path(__file__).parents[2]
SCENARIO = Scenario(
    name="small",
    workload=Workload(duration_s=30.0),
    functions=(FunctionPlan(name="f", shape=Shape(rate=5.0)), FunctionPlan(name="g", shape=Shape(rate=0.2))),
)
PATIENCE_S = 30.0


def study(directory: Path) -> Study:
    cells = expand(SCENARIO, [parse("worker.keepalive=lru,ttl:idle_s=1")], [1, 2], mark_of)
    return Study(directory, cells)


def silent(_done: int, _of: int, _cell: Cell) -> None:
    pass


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """What comes of it in this very process."""
    return metrics(study(tmp_path_factory.mktemp("here")).run(silent, 0).paths)


def metrics(paths: list[Path]) -> dict[str, dict[str, float]]:
    return {path.name: read(path).metrics for path in paths}


def test_processes_come_to_the_same(tmp_path: Path, reference: dict[str, dict[str, float]]) -> None:
    outcome = study(tmp_path).run(silent, 2)
    assert outcome.failed == []
    assert metrics(outcome.paths) == reference


LONG = """
import sys
from pathlib import Path
import msgspec
from tests.live.test_study import SCENARIO, silent
from attacca.load.workload.scenario import Workload
from attacca.sim.study.grid import expand
from attacca.sim.study.job import mark_of
from attacca.sim.study.study import Study
if __name__ == "__main__":
    endless = msgspec.structs.replace(SCENARIO, workload=Workload(duration_s=1e7))
    Study(Path(sys.argv[1]), expand(endless, [], [1, 2], mark_of)).run(silent, 2)
"""


def descendants(pid: int) -> list[int]:
    inner = children(pid)
    return inner + [one for child in inner for one in descendants(child)]


def test_processes_end_with_a_study_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(LONG)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environ) as process:
        until(lambda: len(descendants(process.pid)) >= 3, "the processes of the pool, and who counts what they share")
        theirs = [os.pidfd_open(pid) for pid in descendants(process.pid)]
        process.kill()
    for pidfd in theirs:
        assert select.select([pidfd], [], [], PATIENCE_S)[0], "a process has outlived its study"
        os.close(pidfd)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers, each a process of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = [
        sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
        "--local-directory", str(tmp_path / "dask"),
    ]  # fmt: skip
    with open(tmp_path / "dask.log", "w") as said:
        commands = [[*dask, "--no-dashboard"], worker, worker]
        processes = [subprocess.Popen(one, env=environ, stdout=said, stderr=said, cwd=ROOT) for one in commands]
        try:
            wait_for(port)
            yield f"dask://127.0.0.1:{port}"
        finally:
            for process in processes:
                process.kill()  # nothing of theirs is worth an orderly end
                process.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            assert time.monotonic() < until, "the scheduler did not start"
            time.sleep(0.1)


@pytest.mark.filterwarnings("ignore")  # of Dask's own
def test_a_cluster_comes_to_the_same(cluster: str, tmp_path: Path, reference: dict[str, dict[str, float]]) -> None:
    outcome = study(tmp_path / "study").run(silent, cluster=cluster)
    assert [failed.why for failed in outcome.failed] == []
    assert metrics(outcome.paths) == reference


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attacca.sim.study.dask.PATIENCE_S", 0.5)
    with pytest.raises(Unreachable, match="no Dask scheduler answers"):
        study(tmp_path).run(silent, cluster="dask://127.0.0.1:9")

from pathlib import Path

import pytest

from attacca.errors import BadConfig, Conflict
from attacca.load.report.groups import grouped
from attacca.load.report.measure import read
from attacca.load.workload.scenario import FunctionPlan, Scenario, Shape, Workload
from attacca.sim.study.dask import address
from attacca.sim.study.grid import Cell, expand, parse
from attacca.sim.study.job import Job, mark_of, perform
from attacca.sim.study.study import Study
from tests.load.report.play import record

SCENARIO = Scenario(
    name="small",
    workload=Workload(duration_s=12.0, warmup_s=2.0),
    functions=(FunctionPlan(name="f", shape=Shape(rate=4.0)),),
)
BROKEN_SEED = 13


def simulate(scenario: Scenario, directory: Path) -> None:
    """Stands in for a simulation."""
    if scenario.seed == BROKEN_SEED:
        raise RuntimeError("it broke")
    idle_s = 60.0 if scenario.system.keepalive.policy == "lru" else 1.0
    record(directory, scenario, idle_s=idle_s)


def study(directory: Path, seeds: list[int], *, keep_records: bool = False) -> Study:
    cells = expand(SCENARIO, [parse("worker.keepalive=lru,ttl")], seeds, mark_of)
    return Study(directory, cells, simulate=f"{__name__}:simulate", keep_records=keep_records)


def silent(_done: int, _of: int, _cell: Cell) -> None:
    pass


def test_every_cell_is_run_once_and_kept(tmp_path: Path) -> None:
    told: list[str] = []
    outcome = study(tmp_path, [1, 2]).run(lambda done, of, cell: told.append(f"{done}/{of} {cell.label}"), 0)
    assert told == ["1/4 keepalive=lru", "2/4 keepalive=lru", "3/4 keepalive=ttl", "4/4 keepalive=ttl"]
    assert (len(outcome.paths), outcome.reused, outcome.failed) == (4, 0, [])
    groups = grouped([read(path) for path in outcome.paths])
    assert [(group.label, group.seeds) for group in groups] == [("lru", [1, 2]), ("ttl", [1, 2])]
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    study(tmp_path, [1]).run(silent, 0)
    outcome = study(tmp_path, [1, 2]).run(silent, 0)
    assert (len(outcome.paths), outcome.reused) == (4, 2)
    assert study(tmp_path, [1, 2]).missing() == []


def test_one_that_fails_does_not_take_the_others_with_it_and_is_tried_again(tmp_path: Path) -> None:
    outcome = study(tmp_path, [1, BROKEN_SEED]).run(silent, 0)
    assert len(outcome.paths) == 2
    assert [(failed.cell.scenario.seed, failed.why) for failed in outcome.failed] == [
        (BROKEN_SEED, "RuntimeError: it broke")
    ] * 2
    assert len(study(tmp_path, [1, BROKEN_SEED]).missing()) == 2


def test_records_are_kept_on_request(tmp_path: Path) -> None:
    outcome = study(tmp_path, [1], keep_records=True).run(silent, 0)
    assert all(list(path.glob("records/part-*")) for path in outcome.paths)
    assert read(outcome.paths[0]).info.seed == 1


def test_other_code_is_refused_where_it_would_be_mixed_with_ours() -> None:
    with pytest.raises(Conflict, match="another attacca"):
        perform(Job(SCENARIO, f"{__name__}:simulate", "another mark"))


def test_addresses_of_clusters() -> None:
    assert address("dask://10.0.0.5:8786") == "tcp://10.0.0.5:8786"
    for wrong in ("10.0.0.5:8786", "dask://10.0.0.5", "dask://:8786", "tcp://a:1"):
        with pytest.raises(BadConfig):
            address(wrong)

from pathlib import Path

import msgspec
import pytest

from attacca.load.report.digest import Digest
from attacca.load.report.groups import (
    grouped,
    is_swept,
    load,
    paired,
    quantile_distance,
    seeds_for,
    share_below,
    twins,
)
from attacca.load.report.tables import comparison, upright, with_interval
from attacca.load.report.validation import against_itself, gaps, mean_gap
from attacca.load.report.verdicts import verdicts
from attacca.load.statistics.samples import Interval
from tests.load.report.play import digest, scenario


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Digest]]:
    base: Path = tmp_path_factory.mktemp("runs")
    how = {"lru": 60.0, "ttl": 4.0}
    made = {
        policy: [digest(base / f"{policy}-{seed}", scenario(seed, policy, 40.0), idle_s=idle_s) for seed in range(1, 7)]
        for policy, idle_s in how.items()
    }
    made["live"] = [digest(base / "live", scenario(1, "ttl", 40.0), "live", slow=1.3, idle_s=4.0)]
    return made


def test_runs_that_differ_in_their_seed_are_one_configuration(runs: dict[str, list[Digest]]) -> None:
    groups = grouped([*runs["lru"], *runs["ttl"]])
    assert [group.label for group in groups] == ["lru", "ttl"]
    assert groups[0].seeds == [1, 2, 3, 4, 5, 6]


def test_live_and_simulated_are_told_apart_and_found_as_twins(runs: dict[str, list[Digest]]) -> None:
    groups = grouped([runs["ttl"][0], *runs["live"]])
    assert [group.label for group in groups] == ["simulated", "live"]
    live, simulated = twins(groups)[0]
    assert (live.kind, simulated.kind) == ("live", "simulated")
    assert twins(groups[:1]) == []
    mean = next(gap for gap in gaps(live, simulated) if gap.metric == "mean_ms")
    assert mean.gap < -15
    assert not mean.is_near
    assert quantile_distance(live, simulated) > 0.1
    assert quantile_distance(live, live) < 0.002  # kept to a thousandth


def test_too_many_differences_are_not_a_name(runs: dict[str, list[Digest]]) -> None:
    one = runs["lru"][0]
    info = msgspec.structs.replace(one.info, scenario={**one.info.scenario, "system": {"cores": 3}})
    groups = grouped([one, msgspec.structs.replace(one, info=info)])
    assert len({group.label for group in groups}) == 2


def test_over_seeds_a_metric_has_an_interval_of_means(runs: dict[str, list[Digest]]) -> None:
    found = grouped(runs["lru"])[0].metric("mean_ms")
    assert found is not None
    assert found.samples == 6
    assert found.half is not None
    assert grouped(runs["lru"])[0].metric("nothing") is None


def test_a_policy_that_keeps_longer_has_fewer_cold_starts_surely(runs: dict[str, list[Digest]]) -> None:
    lru, ttl = grouped([*runs["lru"], *runs["ttl"]])
    found = paired(lru, ttl, "cold_share")
    assert found is not None
    assert found.verdict == "worse"
    sentences = list(verdicts([lru, ttl], ["cold_share", "memory_gb"]))
    assert sentences[0].startswith("cold share: lru is best: less by ")
    assert sentences[1].startswith("memory held: ttl is best: less by ")
    table = comparison([lru, ttl], "cold_share")
    assert table.rows[1][-1] == "worse"
    assert table.head[-1] == "than lru"


def test_one_seed_proves_nothing(runs: dict[str, list[Digest]]) -> None:
    groups = grouped([runs["lru"][0], runs["ttl"][0]])
    assert "too few samples" in next(verdicts(groups, ["cold_share"]))
    assert comparison(groups, "cold_share").rows[1][-1] == "too few samples"


def test_loads_that_rise_are_a_sweep(runs: dict[str, list[Digest]]) -> None:
    one = runs["lru"][0]

    def at(rate: float) -> Digest:
        info = msgspec.structs.replace(one.info, scenario={**one.info.scenario, "rate": rate})
        return msgspec.structs.replace(one, info=info, metrics={**one.metrics, "throughput": rate})

    assert is_swept(grouped([at(10.0), at(40.0), at(20.0)]))
    assert not is_swept(grouped([at(10.0), at(40.0)]))
    assert not is_swept(grouped([*runs["lru"], *runs["ttl"]]))

    def from_(clients: int) -> Digest:
        workload = {"clients": {"count": clients}}
        return msgspec.structs.replace(one, info=msgspec.structs.replace(one.info, scenario={"workload": workload}))

    ladder = grouped([from_(1), from_(4), from_(2)])
    assert is_swept(ladder), "throughput stands still and the load does not"
    assert [load(group) for group in ladder] == [1.0, 4.0, 2.0]


def test_values_carry_their_interval_in_one_unit() -> None:
    assert with_interval("mean_ms", Interval(12.345, 12.0, 12.69, 10)) == "12.3 ± 0.345 ms"
    assert with_interval("p99_ms", Interval(12.345, 12.0, 13.9, 5000)) == "12.3 (12.0 … 13.9) ms"
    assert with_interval("cold_share", Interval(0.5, None, None, 1)) == "50.0 %"
    assert with_interval("cold_share", None) == "–"


def test_a_single_row_stands_up(runs: dict[str, list[Digest]]) -> None:
    table = comparison(grouped(runs["lru"]), "mean_ms")
    assert [row[0] for row in upright(table).rows] == table.head[1:]


def test_share_below() -> None:
    found = [float(index) for index in range(1122)]
    assert share_below(found, -1.0) == 0.0
    assert share_below(found, 500.0) == 0.5


def test_two_lines_apart() -> None:
    assert mean_gap([2.0, None, 2.0], [1.0, 9.0, 3.0]) == 0.5
    assert mean_gap([], []) is None


def test_a_simulation_that_was_run_twice_counts_once_and_a_live_run_twice(runs: dict[str, list[Digest]]) -> None:
    one, live = runs["lru"][0], runs["live"][0]
    newer = msgspec.structs.replace(one, info=msgspec.structs.replace(one.info, started_at=2e9), span_s=1.0)
    assert [digest.span_s for digest in grouped([newer, one])[0].digests] == [1.0]
    assert len(grouped([live, live])[0].digests) == 2


def test_how_many_seeds_it_takes_is_judged_by_those_there_are(runs: dict[str, list[Digest]]) -> None:
    groups = grouped(runs["lru"])
    found = groups[0].metric("mean_ms")
    assert found is not None
    assert found.half is not None
    ratio = found.half / found.value
    assert seeds_for(groups, "mean_ms", 1.01 * ratio) == 6
    assert seeds_for(groups, "mean_ms", ratio / 2) == 24
    assert seeds_for(grouped(runs["lru"][:1]), "mean_ms", 0.05) == 2
    assert seeds_for(groups, "no such", 0.05) == 0


def test_live_runs_are_held_against_one_another_before_a_simulation_is(runs: dict[str, list[Digest]]) -> None:
    live, simulated = runs["live"][0], grouped(runs["ttl"])[0]
    slower = msgspec.structs.replace(live, metrics={**live.metrics, "mean_ms": 1.5 * live.metrics["mean_ms"]})
    apart, alone = grouped([live, slower])[0], grouped([live])[0]
    told = {row[0]: row for row in against_itself(apart).rows}
    assert told["mean response"][2:] == ["40.0 %", "further apart than the bar, 5 %"]
    assert told["median response"][2:] == ["0.0 %", "enough alike"]
    assert "one live run" in against_itself(alone).note
    found = {one.metric: one.verdict for one in gaps(apart, simulated)}
    assert found["mean_ms"].startswith("no verdict")
    assert found["p50_ms"].startswith(("within", "beyond"))
    assert not any(one.verdict.startswith("no") for one in gaps(alone, simulated))

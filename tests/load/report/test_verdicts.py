from pathlib import Path

import msgspec
import pytest

from attacca.load.report import style
from attacca.load.report.curves import curves, tradeoff
from attacca.load.report.digest import Digest
from attacca.load.report.groups import Group, grouped
from attacca.load.report.page import page
from attacca.load.report.sections import report
from attacca.load.report.verdicts import lines_of, verdicts
from tests.load.report.play import digest, scenario

MEMORY = (1024, 2048, 4096)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> list[Digest]:
    """Two policies over three sizes of memory, two seeds; what memory buys is made up."""
    base: Path = tmp_path_factory.mktemp("runs")
    made = {
        (policy, seed): digest(base / f"{policy}-{seed}", scenario(seed, policy, 20.0))
        for policy in ("lru", "ttl")
        for seed in (1, 2)
    }

    def at(one: Digest, memory_mb: int, better: float) -> Digest:
        system = {**one.info.scenario["system"], "memory_mb": memory_mb}  # type: ignore[dict-item]
        info = msgspec.structs.replace(one.info, scenario={**one.info.scenario, "system": system})
        share = better * 100 / memory_mb * (1.0 + one.info.seed / 1000)
        metrics = {**one.metrics, "cold_share": share, "memory_gb": memory_mb / 1024}
        return msgspec.structs.replace(one, info=info, metrics=metrics)

    return [
        at(one, memory_mb, 0.5 if policy == "lru" else 1.0) for memory_mb in MEMORY for (policy, _), one in made.items()
    ]


@pytest.fixture(scope="module")
def groups(grid: list[Digest]) -> list[Group]:
    return grouped(grid)


def test_a_number_that_is_varied_makes_a_line_for_each_policy(groups: list[Group]) -> None:
    found = lines_of(groups)
    assert found is not None
    assert found.key == "system.memory_mb"
    assert [line.label for line in found.lines] == ["lru", "ttl"]
    assert [[x for x, _ in line.points] for line in found.lines] == [[1024.0, 2048.0, 4096.0]] * 2
    assert [(x, [group.label for group in some]) for x, some in found.at()] == [(x, ["lru", "ttl"]) for x in MEMORY]


def test_two_points_are_no_line(groups: list[Group]) -> None:
    assert lines_of(groups[:2]) is None
    assert lines_of(groups[:4]) is None


def test_verdicts_are_given_at_each_value(groups: list[Group]) -> None:
    told = list(verdicts(groups, ["cold_share"]))
    assert [sentence.split(":")[0] for sentence in told] == [f"cold share at memory_mb {x}" for x in MEMORY]
    assert all("lru is best: less by 50.0 % (50.0 … 50.0) than ttl" in sentence for sentence in told)


def test_the_grid_comes_first_and_one_value_of_it_in_detail(grid: list[Digest]) -> None:
    made = report(grid)
    assert [section.key for section in made.sections[:3]] == ["tradeoff", "curves", "summary"]
    assert [group.label for group in made.detailed] == ["lru", "ttl"]
    assert "at system.memory_mb = 2048" in " ".join(made.sections[1].says)
    assert "Memory against cold starts" in page(made)


def test_both_figures_have_a_line_for_each_policy(groups: list[Group]) -> None:
    found = lines_of(groups)
    assert found is not None
    with style.drawing():
        assert len(tradeoff(found).axes[0].containers) == 2
        assert len(curves(found, ["cold_share", "p99_ms", "slowdown"]).axes) == 4

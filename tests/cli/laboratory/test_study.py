import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attacca.cli.app import app
from attacca.cli.laboratory.study import goal_of, metric_names, seeds_of
from attacca.errors import BadConfig

RUNNER = CliRunner()
SCENARIO = 'name = "s"\n[workload]\nduration_s = 30\n[[functions]]\nname = "f"\nshape = { rate = 5 }\n'


def test_seeds_are_a_number_or_a_list() -> None:
    assert seeds_of("3", 7) == [7, 8, 9]
    assert seeds_of("3,5,3", 1) == [3, 5]
    for wrong in ("0", "-1", "many", "1,x"):
        with pytest.raises(BadConfig):
            seeds_of(wrong, 1)


def test_a_metric_that_is_not_known_is_named() -> None:
    assert metric_names("p99_ms, cold_share") == ["p99_ms", "cold_share"]
    with pytest.raises(BadConfig, match="p98_ms"):
        metric_names("p98_ms")


def test_a_comparison_of_nothing_is_a_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SCENARIO)
    shown = RUNNER.invoke(app, ["sim", "compare", str(path)])
    assert shown.exit_code == 2
    assert "nothing is varied" in shown.stderr


def test_one_cell_is_run_reported_and_found_again(tmp_path: Path) -> None:
    path, page = tmp_path / "s.toml", tmp_path / "s.html"
    path.write_text(SCENARIO)
    words = ["sim", "sweep", str(path), "--seeds", "1", "--out", str(tmp_path / "study")]
    shown = RUNNER.invoke(app, [*words, "--report", str(page)])
    assert shown.exit_code == 0, shown.output
    assert "mean response" in shown.stdout
    assert page.read_text().startswith("<!doctype html>")
    assert re.search(r"<footer>.* · code [0-9a-f]{12}</footer>", page.read_text())
    assert re.search("0 runs in .*, 1 were there already", RUNNER.invoke(app, words).stderr)
    shown = RUNNER.invoke(app, ["report", str(tmp_path / "study")])
    assert "Response by percentile" in shown.stdout


def test_a_directory_without_a_run_is_said_to_have_none(tmp_path: Path) -> None:
    shown = RUNNER.invoke(app, ["report", str(tmp_path)])
    assert shown.exit_code == 1
    assert "there is no run in" in shown.stderr


def test_a_goal_is_a_metric_and_a_percentage() -> None:
    assert goal_of("") is None
    assert goal_of("mean_ms=5") == ("mean_ms", 0.05)
    for wrong in ("mean_ms", "mean_ms=0", "mean_ms=x", "mine=5"):
        with pytest.raises(BadConfig):
            goal_of(wrong)


def test_seeds_are_added_until_the_interval_is_narrow_enough(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SCENARIO)
    words = ["sim", "sweep", str(path), "--seeds", "2", "--out", str(tmp_path / "study"), "--json"]
    shown = RUNNER.invoke(app, [*words, "--until", "throughput=50"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["configurations"][0]["seeds"] == [1, 2]
    shown = RUNNER.invoke(app, [*words, "--until", "throughput=0.001"])
    assert len(json.loads(shown.stdout)["configurations"][0]["seeds"]) == 20
    assert "is not reached" in shown.stderr

import json
from pathlib import Path

from typer.testing import CliRunner

from attacca.cli.app import app
from attacca.cli.laboratory.knee import Knee

RUNNER = CliRunner()


def test_a_sweep_has_a_row_for_each_rate_and_school(tmp_path: Path) -> None:
    words = ["lab", "rps", "--from", "2", "--to", "5", "--seconds", "9", "--workers", "2", "--processes", "1"]
    shown = RUNNER.invoke(app, [*words, "--out", str(tmp_path / "runs")])
    assert shown.exit_code == 0, shown.output
    rows = [line.split()[:2] for line in shown.stdout.splitlines() if line[:1].isdigit()]
    assert "4 runs of 126 invocations in virtual time, 1 at once: about 0.1s." in shown.stderr
    assert shown.stdout.splitlines()[-2:] == [
        "worker: 5 cold starts a second are carried, and no more were measured.",
        "cluster: 5 cold starts a second are carried, and no more were measured.",
    ]
    assert rows == [["2", "worker"], ["2", "cluster"], ["5", "worker"], ["5", "cluster"]]
    cold = [line for line in shown.stdout.splitlines() if line[:1].isdigit()]
    assert all("100" in line for line in cold), "each of them was a cold start"
    again = RUNNER.invoke(app, [*words, "--out", str(tmp_path / "runs")])
    assert "0 runs" in again.stderr
    assert again.stdout == shown.stdout
    told = json.loads(RUNNER.invoke(app, [*words, "--out", str(tmp_path / "runs"), "--json"]).stdout)
    assert told["knees"][0] == {"mode": "worker", "most": 5.0, "beyond": None, "why": ""}


def test_a_knee_is_the_last_rate_that_is_carried() -> None:
    assert Knee("worker", 50.0, 100.0, "2 % failed").sentence == (
        "worker: 50 cold starts a second are carried; at 100, 2 % failed."
    )
    assert Knee("worker", 0.0, 2.0, "it was late").sentence == (
        "worker: none of these rates is carried; at 2, it was late."
    )


def test_a_replay_of_a_trace_that_is_made_up_compares_the_schools(tmp_path: Path) -> None:
    words = ["lab", "azure", "--functions", "12", "--minutes", "3", "--workers", "2", "--processes", "1"]
    page = tmp_path / "azure.html"
    shown = RUNNER.invoke(app, [*words, "--out", str(tmp_path / "runs"), "--report", str(page), "--json"])
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert {name.rpartition("=")[2] for name in map(str, labels(told))} == {"worker", "cluster"}
    assert page.stat().st_size > 10_000
    assert (tmp_path / "runs" / "trace-12-3").exists()


def labels(told: dict[str, object]) -> list[object]:
    configurations = told["configurations"]
    assert isinstance(configurations, list)
    return [one["label"] for one in configurations]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)]
    for words, said in (
        (["rps", "--from", "5", "--to", "2"], "is less than --from"),
        (["rps", "--mode", "both"], "neither worker nor cluster"),
        (["azure", "--seeds", "many"], "neither a number"),
    ):
        shown = RUNNER.invoke(app, ["lab", *words, *out])
        assert shown.exit_code == 2
        assert said in shown.stderr

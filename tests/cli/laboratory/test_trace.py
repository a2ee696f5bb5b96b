import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from attacca.cli.app import app
from tests.cli.golden import same
from tests.load.traces.made import azure, events, write_lines, written

RUNNER = CliRunner()
ROWS = [("a", f"function-{number % 5}", number * 1.2, 10.0 * (number % 7 + 1)) for number in range(100)]


def run(*words: object, code: int = 0) -> Any:
    shown = RUNNER.invoke(app, ["trace", *map(str, words)])
    assert shown.exit_code == code, shown.output
    return shown


def answer(*words: object) -> Any:
    return json.loads(run(*words, "--json").stdout)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return written(events(ROWS), tmp_path / "trace", "attacca")


def test_info(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    same("trace_info", run("info", trace, "--top", 3).stdout)
    found = answer("info", trace, "--minutes", 1)
    assert (found["functions"], found["invocations"], found["length_s"]) == (5, 50, 60.0)


def test_convert_slice_and_scale(trace: Path, tmp_path: Path) -> None:
    assert answer("convert", trace, tmp_path / "x.csv", "--to", "azure2021")["invocations"] == 100
    assert answer("info", tmp_path / "x.csv")["invocations"] == 100
    assert answer("slice", trace, tmp_path / "part", "--start", 1)["invocations"] == 50
    assert answer("scale", trace, tmp_path / "twice", "--rate", 2, "--time", 0.5)["length_s"] == 60
    assert answer("info", tmp_path / "twice")["invocations"] == 200
    assert "Written to" in run("convert", trace, tmp_path / "again", "--to", "iluvatar").stderr


def test_samples_are_nested(trace: Path, tmp_path: Path) -> None:
    found = answer("sample", trace, tmp_path / "sweep", "-n", 4, "-n", 2)
    assert [row["functions"] for row in found] == [2, 4]
    names = [{one["function"] for one in answer("info", row["path"])["top"]} for row in found]
    assert names[0] < names[1]
    assert "functions" in run("sample", trace, tmp_path / "one", "-n", 3).stdout


def test_made_up_traces_say_how_well_they_fit(tmp_path: Path) -> None:
    found = answer("synth", tmp_path / "made", "-n", 50, "--minutes", 10, "--target-rps", 2)
    assert {fit["measure"] for fit in found["fits"]} == {"KS", "W1", "gap"}
    assert answer("info", tmp_path / "made")["invocations"] == found["invocations"]
    shown = run("synth", tmp_path / "more", "-n", 50, "--minutes", 1, "--to", "azure2019")
    assert "durations, to the fit" in shown.stdout
    assert answer("info", tmp_path / "more")["functions"] == 50


def test_plot(trace: Path, tmp_path: Path) -> None:
    assert answer("plot", trace, tmp_path / "x.svg") == {"path": str(tmp_path / "x.svg")}
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")


def test_malformed_rows_are_refused_or_left_out_and_said(tmp_path: Path) -> None:
    folder = azure(tmp_path, {("a", "f"): [1, 2]})
    path = folder / "invocations.csv"
    write_lines(path, [*path.read_text().splitlines(), "o,a,g,http,1"])
    shown = run("info", folder, code=1)
    assert f"{path}:3: 5 fields, where there are 6 columns" in shown.stderr
    assert "--skip-bad" in shown.stderr
    shown = run("info", folder, "--skip-bad", "--json")
    assert json.loads(shown.stdout)["invocations"] == 3
    assert f"{path}:3" in shown.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["info", "TRACE", "--spread", "never"], "there is no spread 'never'"),
        (["scale", "TRACE", "x", "--rate", "0"], "--rate 0 is not above 0"),
        (["sample", "TRACE", "x", "-n", "9"], "the trace has 5 functions"),
        (["synth", "x", "--target-rps", "-1"], "--target-rps -1 is not above 0"),
        (["plot", "TRACE", "x.doc"], "the ending says which form"),
        (["convert", "TRACE", "x", "--to", "gcp"], "there is no format 'gcp'"),
    ],
)
def test_wrong_use(trace: Path, words: list[str], why: str) -> None:
    shown = run(*[str(trace) if word == "TRACE" else word for word in words], code=2)
    assert why in shown.stderr
    assert not Path("x").exists()


def test_nothing_is_written_over(trace: Path) -> None:
    assert "is there already" in run("convert", trace, trace, code=1).stderr

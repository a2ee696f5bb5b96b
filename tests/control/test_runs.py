"""Runs that lie in a directory: which are found, and what is no run of ours."""

import json
from pathlib import Path

import pytest

from attacca.control.runs import DEPTH, RUN_MOST, Runs
from attacca.errors import NotFound

TOLD = {
    "version": 1, "name": "quiet", "kind": "simulated", "seed": 3, "hash": "x", "started_at": 12.5, "wall_s": 2.0,
    "scenario": {"about": "little goes on", "seed": 3}, "versions": {"attacca": "0.1.0"}, "totals": {"p50_ms": 1.5},
}  # fmt: skip


def put(at: Path, **changed: object) -> Path:
    at.mkdir(parents=True)
    (at / "run.json").write_text(json.dumps({**TOLD, **changed}))
    return at


def test_the_latest_is_first_and_each_is_known_by_where_it_lies(tmp_path: Path) -> None:
    put(tmp_path / "one")
    put(tmp_path / "lab" / "two", started_at=13.0)
    (tmp_path / "lab" / "both.html").write_text("<!doctype html>")
    runs = Runs(tmp_path)
    assert repr(runs) == f"<Runs in {tmp_path}>"
    told = runs.all()
    assert [(one.id, one.name, one.about) for one in told.runs] == [
        ("lab/two", "quiet", "little goes on"), ("one", "quiet", "little goes on"),
    ]  # fmt: skip
    assert [(one.id, one.bytes) for one in told.reports] == [("lab/both.html", 15)]
    assert runs.one("lab/two").scenario == TOLD["scenario"]
    assert runs.report("lab/both.html") == b"<!doctype html>"


def test_where_there_is_no_directory_there_are_no_runs(tmp_path: Path) -> None:
    told = Runs(tmp_path / "runs").all()
    assert (told.runs, told.reports) == ((), ())


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../one",
        "one/../one",
        "/one",
        "one/run.json",
        "link",
        "o\0ne",
        "large",
        "odd",
        "late",
        "list",
        "half",
    ],
)
def test_what_is_no_run_in_there_is_not_found(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "runs"
    put(inside / "one")
    put(tmp_path / "one")
    (inside / "link").symlink_to(tmp_path / "one")
    put(inside / "large", totals={"more": "x" * RUN_MOST})
    put(inside / "odd", seed="three")
    put(inside / "late", started_at=1e300)
    (inside / "half").mkdir()
    (inside / "half" / "run.json").write_text('{"name": ')
    runs = Runs(inside)
    assert [one.id for one in runs.all().runs] == ["one"]
    with pytest.raises(NotFound):
        runs.one(name)


@pytest.mark.parametrize("name", ["run.json", "../out.html", "one/run.json", "out.txt", "link.html", ""])
def test_what_is_no_report_in_there_is_not_sent(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "runs"
    put(inside / "one")
    (tmp_path / "out.html").write_text("secret")
    (inside / "out.txt").write_text("secret")
    (inside / "link.html").symlink_to(tmp_path / "out.html")
    with pytest.raises(NotFound):
        Runs(inside).report(name)


def test_what_lies_too_deep_is_not_looked_for(tmp_path: Path) -> None:
    put(tmp_path.joinpath(*"abcdef"[: DEPTH + 1]))
    put(tmp_path.joinpath(*"xyz"[:DEPTH]))
    assert [one.id for one in Runs(tmp_path).all().runs] == ["x/y/z"]

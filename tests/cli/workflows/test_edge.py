"""`attacca edge`: what it writes is taken by who reads it, and a box differs from a server in two settings."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attacca.cli.serve.configuration import load
from attacca.cli.workflows.edge import WRITTEN_FOR, app, greeted, unsaid

pytestmark = pytest.mark.long  # files are written and read

RUNNER = CliRunner()
VERBS = {kind: verb.split()[1] for kind, verb in WRITTEN_FOR.items()}


@pytest.mark.parametrize(("kind", "verb"), VERBS.items())
def test_a_template_is_taken_by_the_verb_that_reads_it_also_when_all_of_it_is_said(
    kind: str, verb: str, tmp_path: Path
) -> None:
    file = tmp_path / "my.toml"
    assert RUNNER.invoke(app, ["template", kind, str(file)]).exit_code == 0
    load({}, str(file), plane=verb)
    text = file.read_text()
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert file.read_text().count("\n# ") < text.count("\n# ")
    config = load({}, str(file), plane=verb).value
    assert config.resources.hosts == (() if kind == "federation" else ("localhost",))


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("mine")
    refused = RUNNER.invoke(app, ["template", "node", str(file)])
    assert (refused.exit_code, file.read_text()) == (1, "mine")
    assert "exists already; nothing was written" in refused.output
    assert RUNNER.invoke(app, ["template", "node", str(tmp_path / "none" / "x")]).exit_code == 2
    assert RUNNER.invoke(app, ["template", "planet", str(file)]).exit_code == 2


def test_what_nobody_has_said_is_as_suits_a_try(tmp_path: Path) -> None:
    found = load({}, assignments=unsaid(load({}).origins, tmp_path)).value
    assert (found.resources.directory, found.worker.telemetry.performance_samples) == (str(tmp_path), True)
    said = load({}, assignments=["resources.directory=mine", "telemetry.performance_samples=false"])
    assert unsaid(said.origins, tmp_path) == []


class Box:
    url, restored = "http://127.0.0.1:9000", 0

    def info(self) -> dict[str, object]:
        return {"planes": {"control": 1, "worker-1": 2}, "state_dir": "/state"}


def test_its_screen_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    greeted(Box(), 1, "/files", as_json=False, quiet=False)  # type: ignore[arg-type]  # looks like one
    shown = capsys.readouterr().out
    for part in ("1 node at http://127.0.0.1:9000", "worker-1", "/files", "$ export ATTACCA_URL", "workflow start"):
        assert part in shown
    greeted(Box(), 1, "/files", as_json=False, quiet=True)  # type: ignore[arg-type]  # looks like one
    assert capsys.readouterr().out == ""

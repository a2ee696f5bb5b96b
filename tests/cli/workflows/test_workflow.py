from pathlib import Path

import msgspec
import pytest

from attacca.cli.workflows import workflow
from attacca.errors import BadConfig
from attacca.model.events import InstanceView
from attacca.model.workflow import Component, InstanceRow, WorkflowSpec, WorkflowView
from tests.cli.golden import same


def test_a_workflow_is_shown_with_what_its_workers_told(capsys: pytest.CaptureFixture[str]) -> None:
    busy = InstanceView(
        "w1.a.1", "w1", "a", is_up=True, waiting=6000, handled=1200, failed=2, dropped=1, handled_s=2.4, is_behind=True
    )
    calm = InstanceView("w1.b.3", "w1", "b", is_up=True, is_paused=True)
    rows = (
        InstanceRow("a", "w1.a.1", "n1", "up", 1, seen=busy),
        InstanceRow("b", "w1.b.3", "n2", "up", 3, "its process ended", calm),
        InstanceRow("c", "", "", "waiting", 0, "no worker has room"),
    )
    spec = WorkflowSpec(name="demo", components=(Component(name="a", resource="x"),))
    view = WorkflowView("w1", "demo", 0.0, rows, spec)
    workflow.show(msgspec.json.decode(msgspec.json.encode(view)), width=150)
    same("workflow", capsys.readouterr().out)


def test_of_one_that_is_in_several_domains_it_is_said_where(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        InstanceRow("a", "w1.a.1", "n1", "up", 1, domain="home"),
        InstanceRow("b~2", "w1.b~2.1", "n1", "up", 1, domain="garden"),
    )
    spec = WorkflowSpec(name="demo", components=(Component(name="a", resource="x"),))
    view = msgspec.json.decode(
        msgspec.json.encode(WorkflowView("w1", "demo", 0.0, rows, spec, domain="home", stage="up"))
    )
    assert workflow.domains(view) == {"a": "home", "b": "garden"}
    workflow.show(view, width=150)
    workflow.show_rows([view], width=150)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2][:3] == ["component", "state", "domain"]
    assert lines[4][:4] == ["b~2", "up", "garden", "n1"]
    assert lines[6] == ["demo", "w1", "2", "2", "garden,", "home"]


def test_a_picture_is_kept_or_it_is_said_why_not(tmp_path: Path) -> None:
    workflow.keep(str(tmp_path / "a.svg"), {"a": False}, [("a", "self", "a")])
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    with pytest.raises(BadConfig, match="cannot be written: No such file"):
        workflow.keep(str(tmp_path / "no" / "a.svg"), {}, [])

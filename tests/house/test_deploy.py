"""What lies in deploy/ is what attacca takes."""

import configparser
import os
import re
from pathlib import Path

import pytest

from attacca.cli.serve.configuration import load
from tests.house.test_docs import complaint
from tests.trees import ROOT

DEPLOY = ROOT / "deploy"


@pytest.mark.parametrize("plane", ["control", "gateway", "worker"])
def test_units_start_what_their_settings_are_for(plane: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / f"attacca-{plane}.service")
    command = unit["Service"]["ExecStart"]
    assert complaint(command.replace("/usr/local/bin/", "")) == ""
    config = load({"HOME": os.environ["HOME"]}, str(DEPLOY / Path(command.split()[-1]).name), plane=plane).value
    assert str(config.control.state_dir) == f"/var/lib/{unit['Service']['StateDirectory']}"
    assert config.cluster.certs is not None


def test_what_the_compose_file_runs_are_commands_of_ours() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    commands = re.findall(r"^\s+(?:command: )?(attacca (?:certs|token|control|gateway|worker) .*)$", text, re.MULTILINE)
    assert len(commands) == 11
    assert {command: why for command in commands if (why := complaint(command.partition(" >")[0]))} == {}

"""What lies in deploy/ is what attacca takes."""

import configparser
import json
import os
import re
from pathlib import Path

import pytest

from attacca.cli.serve.configuration import load
from attacca.cli.serve.planes.delivering import TOLD as OF_DELIVERIES
from attacca.worker.device_metrics import TOLD as OF_DEVICES
from attacca.worker.metrics import DISK, NETWORK
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


def test_alerts_and_dashboards_ask_for_what_is_on_the_pages() -> None:
    pages = [f"attacca/{plane}/metrics.py" for plane in ("gateway", "worker", "control")]
    pages += ["attacca/worker/energy_metrics.py", "attacca/cli/serve/planes/delivering.py"]
    there = set(re.findall(r'"((?:faas|attacca)_[a-z0-9_]+)"', "".join((ROOT / page).read_text() for page in pages)))
    there |= {f"attacca_machine_disk_{name}" for name in DISK} | {f"attacca_machine_network_{name}" for name in NETWORK}
    there |= {f"attacca_device_{name}" for name, _, _ in OF_DEVICES}
    there |= {f"attacca_telemetry_{name}" for name in OF_DELIVERIES}
    for file in ("prometheus/alerts.yml", "grafana/attacca.json"):
        text = (DEPLOY / file).read_text()
        asked = set(re.findall(r"\b(?:faas|attacca)_[a-z0-9_]+", text)) - {"faas_name"}
        assert {name for name in asked if re.sub(r"_(total|bucket)$", "", name) not in there} == set(), file
    panels = json.loads((DEPLOY / "grafana/attacca.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 14

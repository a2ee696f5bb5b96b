"""What lies in deploy/, as systemd and Docker read it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trees import ROOT

DEPLOY = ROOT / "deploy"
MOST = {"attacca-control.service": 25, "attacca-gateway.service": 25}  # of systemd's points for exposure, ten to each


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: scripts/debian.sh {package}")
    return found


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Such as start what is here, so that it is found."""
    made = []
    for unit in sorted((DEPLOY / "systemd").iterdir()):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("/usr/local/bin/attacca", f"{sys.executable} -m attacca.cli.app"))
        made.append(copy)
    return made


def test_systemd_has_nothing_to_say_against_its_units(units: list[Path]) -> None:
    words = [tool("systemd-analyze", "systemd"), "verify", "--man=no", "--recursive-errors=no"]
    told = subprocess.run([*words, *map(str, units)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert len(units) == 4


def test_control_and_gateways_are_shut_in(units: list[Path]) -> None:
    words = [tool("systemd-analyze", "systemd"), "security", "--no-pager", "--offline=yes"]
    for unit in units:
        if unit.name in MOST:
            asked = [*words, f"--threshold={MOST[unit.name]}", str(unit)]
            told = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert told.returncode == 0, told.stdout


def test_docker_compose_reads_its_file() -> None:
    words = [tool("docker-compose", "docker-compose"), "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")

"""The page is run as it is written: its files in an empty directory, its commands one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from attacca.lab.local_server import server
from attacca.load.workload.scenario import Choice, System

PAGE = Path(__file__).parents[2] / "docs/write-a-policy.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UP = "attacca up "


def written(place: Path) -> list[str]:
    """The commands; files, which begin with their name, are there."""
    commands = []
    for language, block in FENCE.findall(PAGE.read_text()):
        name = re.match(r"# (\S+\.\w+)\n", block)
        if name:
            (place / name[1]).write_text(block)
        elif language == "sh":
            commands += [line for line in block.splitlines() if line.startswith("attacca ")]
    return commands


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


def run(command: str, place: Path) -> str:
    words = [sys.executable, "-m", "attacca.cli.app", *command.split()[1:]]
    environment = {**os.environ, "PYTHONPATH": ".", "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_all_that_the_page_says_can_be_done(place: Path) -> None:
    commands = [command for command in written(place) if not command.startswith(UP)]
    said = {command: run(command, place) for command in commands}
    assert len(said) == 6
    compared = [text for command, text in said.items() if "sim compare" in command]
    assert all("patient:Patient" in text or "backlog:Backlog" in text for text in compared)


def test_a_live_server_takes_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(command == f"{UP}--keepalive patient:Patient" for command in written(place))
    monkeypatch.setenv("PYTHONPATH", str(place))
    with server(System(keepalive=Choice(policy="patient:Patient"))) as url:
        assert url.startswith("http://")

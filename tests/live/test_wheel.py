"""What is published: a wheel that works where nothing of this checkout is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from attacca.dashboard.files import HERE

ROOT = Path(__file__).resolve().parents[2]
HELLO = 'def hello(name="world"):\n    return {"greeting": f"Hello, {name}!"}\n'
KEPT = (
    "CORES_OPTIMISED",
    "HOME",
    "LANG",
    "PATH",
    "TMPDIR",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONFIG_FILE",
    "PIP_CERT",
)
CLEAN = {name: value for name, value in os.environ.items() if name in KEPT}
TAKES_S = 900  # to compile the cores, on a slow machine beside other tests


def ran(command: list[str], at: Path, url: str = "") -> str:
    """What it printed; its errors are in the assertion."""
    environ = {**CLEAN, "ATTACCA_URL": url} if url else CLEAN
    done = subprocess.run(command, cwd=at, env=environ, capture_output=True, text=True, timeout=TAKES_S, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("built")
    ran([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built), str(ROOT)], built)
    return next(built.glob("attacca-*.whl"))


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"attacca"}
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "attacca").rglob("*.py")}
    assert there == {name for name in names if name.endswith(".py")}
    shown = {path.relative_to(ROOT).as_posix() for path in HERE.rglob("*") if path.is_file()}
    assert shown <= set(names)


def test_from_an_empty_directory_it_serves_a_function(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    ran([sys.executable, "-m", "venv", str(tmp_path / "venv")], place)
    ran([str(tmp_path / "venv/bin/pip"), "install", "--quiet", str(wheel)], place)
    attacca = str(tmp_path / "venv/bin/attacca")
    version = re.search(r"attacca-([0-9][^-]*)-", wheel.name)
    assert version is not None
    assert ran([attacca, "--version"], place).split()[-1] == version[1]
    (place / "hello.py").write_text(HELLO)
    up = [attacca, "up", "--port", "0", "--json", "--temporary", "--lifeline", "--memory-limits", "watch"]
    with subprocess.Popen(up, cwd=place, env=CLEAN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = json.loads(server.stdout.readline())["url"]
        ran([attacca, "deploy", "hello.py"], place, url)
        assert json.loads(ran([attacca, "invoke", "hello", "-a", "name=bob"], place, url))["greeting"] == "Hello, bob!"
        server.stdin.close()  # its lifeline
    assert server.returncode == 0

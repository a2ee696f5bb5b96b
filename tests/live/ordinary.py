"""An interpreter and a user that is not root, for tests that root runs on behalf of everybody else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UID = 54321
NEEDED = "import litestar, msgspec, pytest, subprocess, sys, uvloop; subprocess.check_call([sys.executable, '-c', ''])"


def python() -> str | None:
    """An interpreter that an ordinary user may run and that has what we need, when we are root."""
    for one in dict.fromkeys((os.path.realpath(sys.executable), "/usr/bin/python3")):
        if Path(one).exists() and shutil.which("setpriv"):
            ran = subprocess.run([*command(one), "-c", NEEDED], env=environment(), check=False, capture_output=True)
            if ran.returncode == 0:
                return one
    return None


def command(one: str) -> list[str]:
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", one, "-P"]


def environment() -> dict[str, str]:
    import msgspec

    paths = f"{ROOT}:{Path(msgspec.__file__).parents[1]}"
    return {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}


def run_again(*files: str | Path) -> None:
    """The tests of these files, by somebody who is not root."""
    one = python()
    if one is None:
        pytest.skip("no interpreter that an ordinary user may run has our packages")
    setting = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    ran = subprocess.run(
        [*command(one), "-m", "pytest", *setting, *map(str, files)],
        env=environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]

"""An interpreter and a user that is not root, for tests that root runs on behalf of everybody else."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UID = 54321
NEEDED = "import litestar, msgspec, pytest, subprocess, sys, uvloop; subprocess.check_call([sys.executable, '-c', ''])"


@functools.cache
def python() -> str:
    """An interpreter that an ordinary user may run and that has what we need, when we are root; fails without one."""
    if shutil.which("setpriv") is None:
        pytest.fail("nothing makes us an ordinary user: apt-get install util-linux")
    said = ""
    for interpreter in dict.fromkeys((os.path.realpath(sys.executable), "/usr/bin/python3")):
        if Path(interpreter).exists():
            words = [*command(interpreter), "-c", NEEDED]
            ran = subprocess.run(words, env=environment(), check=False, capture_output=True, text=True)
            if ran.returncode == 0:
                return interpreter
            said += f"{interpreter}: {ran.stderr.strip()[-200:]}\n"
    pytest.fail(
        f"an ordinary user may run no interpreter that has our packages: make test PYTHON=/usr/bin/python3\n{said}"
    )


def command(interpreter: str, user: int = UID) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", interpreter, "-P"]


def environment() -> dict[str, str]:
    import msgspec

    paths = f"{ROOT}:{Path(msgspec.__file__).parents[1]}"
    kept = {name: os.environ[name] for name in ("PATH", "PATIENCE") if name in os.environ}
    return {**kept, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}


def run_again(*files: str | Path, user: int = UID) -> None:
    """The tests of these files, by somebody who is not root."""
    setting = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    ran = subprocess.run(
        [*command(python(), user), "-m", "pytest", *setting, *map(str, files)],
        env={**environment(), "LOGNAME": f"user-{user}"},  # whose directory of pytest it is
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]

"""Directories of a bench's own, of which nothing is left: not when it is told to end, and what one that was killed left
behind, daemons, their containers and mounts, is removed by the next."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from attacca.worker.runtime.process.lineage import children

PREFIX = "attacca-bench-"
RUNC = "runc"  # whose containers are known to the machine


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Everybody may look into it, as programs in containers do."""
    for one in abandoned(Path(tempfile.gettempdir())):
        clear(one)
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    made.chmod(0o755)
    with _ending():
        try:
            yield made
        finally:
            clear(made)


def abandoned(below: Path) -> list[Path]:
    """Of those whose bench is no more."""
    found = []
    for one in sorted(below.glob(f"{PREFIX}*-*")):
        pid = one.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            found.append(one)
    return found


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Who is told to end does so by what `finally` says."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def clear(place: Path) -> None:
    """Whatever runs from there, or lies there, is gone."""
    for pid in _running(str(place)):
        _kill(pid)
    if os.geteuid() == 0 and shutil.which(RUNC) is not None:
        for name in _kept(str(place)):
            subprocess.run([RUNC, "delete", "-f", name], check=False, capture_output=True)
    for point in mounts(Path("/proc/self/mountinfo").read_text(), str(place)):
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    shutil.rmtree(place, ignore_errors=True)


def mounts(mountinfo: str, below: str) -> list[str]:
    """What is mounted there, what lies upon others first."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    return [one for one in reversed(points) if one.startswith(f"{below}/")]


def _running(place: str) -> list[int]:
    """Daemons, and what they keep."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if f"{place}/".encode() in Path(f"/proc/{name}/cmdline").read_bytes() and int(name) != os.getpid():
                found.append(int(name))
    return found


def _kill(pid: int) -> None:
    """With its children, which would be nobody's."""
    with contextlib.suppress(OSError):
        for child in children(pid):
            _kill(child)
        os.kill(pid, signal.SIGKILL)


def _kept(place: str) -> list[str]:
    """Containers of the machine's own runc whose bundles lie there."""
    told = subprocess.run([RUNC, "list", "--format", "json"], check=False, capture_output=True, text=True).stdout
    return [one["id"] for one in json.loads(told or "null") or () if one["bundle"].startswith(f"{place}/")]

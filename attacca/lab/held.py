"""The memory that the sandboxes of a server hold, as the kernel divides what several share: PSS."""

import contextlib
import os
from pathlib import Path

SHIM = "containerd-shim"  # beside each container that a daemon runs


def held_mb(server: int, proc: Path = Path("/proc")) -> float:
    """Of the processes below `server`, of those in cgroups that it made, and of what a daemon runs beside each."""
    return sum(_pss_kb(proc / str(pid)) for pid in _processes(server, proc)) / 1024


def _processes(server: int, proc: Path) -> set[int]:
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    found: set[int] = set()
    mark = f"attacca-{server}-"
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()):
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = (proc / str(pid) / "stat").read_text(errors="replace")
            names[pid], _, rest = stat.partition("(")[2].rpartition(")")
            parents[pid] = int(rest.split()[1])
            if mark in (proc / str(pid) / "cgroup").read_text(errors="replace"):
                found.add(pid)
    found |= {parents[pid] for pid in found if names.get(parents[pid], "").startswith(SHIM)}
    below = {server}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return found | below - {server}


def _pss_kb(place: Path) -> int:
    """Of who is gone, or is not shown to us, it is 0."""
    with contextlib.suppress(OSError):
        for line in (place / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0

"""How much memory this machine can still give."""

import os
from pathlib import Path

from attacca.worker.host.hierarchy import UNIFIED, places

PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
BOUNDS = {  # of a cgroup: its limit, and what it uses
    UNIFIED: ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def available_mb() -> int:
    """What this machine, or the tightest of the cgroups that we are in, can still give without swapping."""
    free = [_machine_mb()]
    found = places(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    for name, (limit, used) in BOUNDS.items():
        for group in found[name].upwards() if name in found else []:
            try:
                room = int(Path(group, limit).read_text()) - int(Path(group, used).read_text())
            except (OSError, ValueError):  # no such controller here, or "max"
                continue
            free.append(room // 2**20)
    return max(min(free), 0)


def _machine_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return os.sysconf("SC_PHYS_PAGES") * PAGE_KB // 1024

"""How much memory this machine can still give, and how much of it a process and its descendants hold."""

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


def resident_kb(pid: int) -> int:
    """Resident memory of a process and all below it; 0 when it is gone. Shared pages count for each."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            total = int(file.read().split()[1]) * PAGE_KB
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                total += sum(resident_kb(int(child)) for child in file.read().split())
    except OSError:
        return 0
    return total

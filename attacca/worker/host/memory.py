"""How much memory this machine has, and how much of it a process and its descendants hold."""

import os
from pathlib import Path

PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def available_mb() -> int:
    """What could be given to sandboxes now without swapping (MemAvailable)."""
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


def load_per_core() -> float:
    """The 1-minute load average divided by the cores this process may use."""
    return os.getloadavg()[0] / len(os.sched_getaffinity(0))

"""gVisor as an engine: its kernel is a process, which we put into cgroups of ours before it begins. Which hierarchies
it would want for groups of its own depends on its version."""

import contextlib
import os
from typing import Any, NoReturn

NAME = "runsc"
CONTROLLERS = ("memory", "cpu", "pids", "freezer", "")  # the last is version 2's
LOOKS = 60  # each some milliseconds after the other: it ends a while after the first process in it
PROCESSES = 512  # and threads, of gVisor itself
PERIOD_US = 100_000


def is_it(engine: str) -> bool:
    return os.path.basename(engine) == NAME


def options(engine: str) -> list[str]:
    """Its sockets are those of the network namespace that it is in: we ask it from there, and rules are kept there."""
    return ["--ignore-cgroups", "--network=host"] if is_it(engine) else []


def limits(resources: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What is written where, by controller; from what OCI's specification says."""
    size, cpu = resources["memory"]["limit"], resources["cpu"]
    processes = str(resources["pids"]["limit"] + PROCESSES)
    quota, period = cpu.get("quota", -1), cpu.get("period", PERIOD_US)
    weight = 1 + (cpu["shares"] - 2) * 9999 // 262_142
    return {
        "memory": [("memory.limit_in_bytes", str(size)), ("memory.memsw.limit_in_bytes", str(size))],
        "cpu": [("cpu.shares", str(cpu["shares"])), ("cpu.cfs_period_us", str(period)),
                ("cpu.cfs_quota_us", str(quota))],
        "pids": [("pids.max", processes)],
        "freezer": [],
        "": [("memory.max", str(size)), ("memory.swap.max", "0"), ("pids.max", processes),
             ("cpu.weight", str(weight)), ("cpu.max", f"{quota if quota > 0 else 'max'} {period}")],
    }  # fmt: skip


def made_groups(points: dict[str, str], group: str, resources: dict[str, Any]) -> list[str]:
    """Where one that is to be within writes its number.

    Raises:
        OSError: the limit of memory cannot be set.
    """
    found = []
    for controller, files in limits(resources).items():
        if controller not in points:
            continue
        place = f"{points[controller]}{group}"
        if not controller:
            _enable(points[controller], group)
        os.makedirs(place, exist_ok=True)
        for name, value in files:
            is_needed = name in ("memory.limit_in_bytes", "memory.max")
            with contextlib.nullcontext() if is_needed else contextlib.suppress(OSError):
                _write(f"{place}/{name}", value)
        found.append(f"{place}/cgroup.procs")
    return found


def _enable(point: str, group: str) -> None:
    """Version 2 has in a group what the one above hands on."""
    above = point
    for name in ["", *group.strip("/").split("/")[:-1]]:
        above = f"{above}/{name}" if name else above
        os.makedirs(above, exist_ok=True)
        for controller in ("memory", "cpu", "pids"):
            with contextlib.suppress(OSError):
                _write(f"{above}/cgroup.subtree_control", f"+{controller}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def begin(command: list[str], output: int, members: list[str]) -> NoReturn:
    """In a new process, which becomes the engine."""
    try:
        for path in members:
            _write(path, "0")
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execve(command[0], command, os.environ)
    finally:
        os._exit(127)

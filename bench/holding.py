"""What idle sandboxes hold, and whether it matters how many there are already."""

import contextlib
import math
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from bench.result import Result, Round
from bench.server import FUNCTIONS, Attacca, attacca

SANDBOX_MB = 32  # that each reserves; it holds far less
STALL_S = 90.0  # in which no sandbox comes: no more will (one that failed is tried again after 64 s at most)
SPARE_MB = 3072  # of the machine's memory, which others are left
STEPS = 20  # in which many are made
LOOK_S, LOOK_SHARE = 0.02, 30  # between two looks at how many there are, of which each takes the server a while
DESCRIPTORS, OTHERS = 4, 1000  # of a worker for each sandbox, at most; and for all else


def memory(rounds: int, count: int) -> Iterator[Result]:
    """What `count` idle sandboxes hold, with zygote, template and supervisor, divided by their number (PSS)."""
    found = []
    for _ in range(rounds):
        with _room_for(count) as server:
            held, _ = _more(server, count)
            if held < count:
                raise RuntimeError(f"only {held} of {count} sandboxes were ready in time")
            found.append(Round(_each_mb(server, held), 1.0))
    yield Result(f"memory of an idle sandbox, {count} held", "MB", "", 2.0, found)


def crowd(rounds: int, most: int) -> Iterator[Result]:
    """Idle sandboxes of one function, as many as memory holds: starts per second of the last against the first.

    As many workers hold them as it takes for each to have descriptors enough.
    """
    held, rates, each = [], [], []
    for _ in range(rounds):
        with _room_for(most) as server:
            free_mb, per_s, first_mb = _free_mb(), list[float](), 0.0
            there, ordered = 0, 0
            while there == ordered < most and _free_mb() > SPARE_MB:
                ordered += most // STEPS
                there, rate = _more(server, most // STEPS)
                per_s.append(rate)
                first_mb = first_mb or _each_mb(server, there)
            taken_mb = (free_mb - _free_mb()) / there
            few = max(1, len(per_s) // 4)
            rates += [Round(late, early) for early, late in zip(per_s[:few], per_s[-few:], strict=True)]
            held.append(Round(there, min(most, (free_mb - SPARE_MB) / taken_mb)))
            each.append(Round(_each_mb(server, there), first_mb))
    many = f"{most:,} idle sandboxes of one function"
    yield Result(many, "held", "as memory has room for", 0.95, held, at_least=True)
    yield Result(f"{many}: starts, the last", "/s", "the first", 0.7, rates, at_least=True)
    yield Result(f"{many}: memory of each, at the end", "MB", "after a twentieth", 1.1, each)


@contextlib.contextmanager
def _room_for(count: int) -> Iterator[Attacca]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(DESCRIPTORS * count + OTHERS, before[1])
    with contextlib.suppress(OSError, ValueError):  # who may not raise it keeps what there is
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    workers = math.ceil(DESCRIPTORS * count / (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OTHERS))
    options = ["--memory", str(SANDBOX_MB * (count + 64) * workers), "--set", "worker.keepalive.idle_s=3600"]
    if workers > 1:  # each with a part of them
        options += ["--workers", str(workers)]
    try:
        with attacca(*options) as server:
            server.deploy(FUNCTIONS / "cold", "--name", "cold", "--memory", str(SANDBOX_MB))
            yield server
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _more(server: Attacca, count: int) -> tuple[int, float]:
    """How many are idle once so many more were ordered and no more come; and how many came per second."""
    before = there = server.idle("cold")
    began = came = time.perf_counter()
    server.api("POST", "/api/functions/cold/prewarm", {"count": count})
    looked_s = 0.0
    while there < before + count and time.perf_counter() - came < STALL_S:
        time.sleep(max(LOOK_S, LOOK_SHARE * looked_s))
        at = time.perf_counter()
        if (now := server.idle("cold")) > there:
            there, came = now, at
        looked_s = time.perf_counter() - at
    if there == before:
        raise RuntimeError(f"no more than {there} sandboxes come")
    return there, (there - before) / (came - began)


def _free_mb() -> float:
    """Of the machine."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def _each_mb(server: Attacca, count: int) -> float:
    """All processes below the planes, by their share of what they share."""
    planes = [child for child in _children(server.process.pid) if _is_plane(child)] or [server.process.pid]
    return sum(_pss_mb(one) for plane in planes for one in _below(plane)) / count


def _is_plane(pid: int) -> bool:
    return b"--lifeline" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _below(pid: int) -> Iterator[int]:
    """All descendants of a process."""
    for child in _children(pid):
        yield child
        yield from _below(child)


def _children(pid: int) -> list[int]:
    """Of all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0

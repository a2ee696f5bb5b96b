"""Runs faults one after the other and prints a table; fails when one does not stay within its bar."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos.cluster import GATEWAYS, STORE, Cluster, Signal, cluster, until
from tests.chaos.faults import BARS, FAULTS, Bar, Fault
from tests.chaos.load import Load, Told, failed, recovered_s

SETTLE_S = 4.0  # before a fault, and after all is well again
HELD_S, TRIES = 0.5, 3  # who stood still for longer has measured the machine, and tries again
NEEDED = {
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "redis-server": "redis-server",
    "etcd": "etcd-server",
}


class Row(NamedTuple):
    fault: str
    sent: int
    failed: int
    slowest_s: float
    calls_s: float
    acts_s: float
    held_s: float  # the machine stood still, whatever was done to the cluster
    verdict: str


class Acting(threading.Thread):
    """Asks whether control acts, again and again, and notes when it did and when it did not."""

    def __init__(self, made: Cluster) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, bool]] = []
        self._cluster = made
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.1):
            acts = self._cluster.acts()
            self.seen.append((time.monotonic(), acts))

    def end(self) -> list[tuple[float, bool]]:
        self._is_over.set()
        self.join()
        return self.seen


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--faults", default="", help=f"some of {', '.join(FAULTS)}, with commas between them")
    parser.add_argument("--store", default="redis", choices=["redis", "etcd"])
    parser.add_argument("--rate", type=float, default=100.0, help="invocations a second")
    parser.add_argument("--logs", default="", help="a directory that is made, for what all processes have logged")
    asked = parser.parse_args()
    names = [name for name in asked.faults.split(",") if name] or list(FAULTS)
    unknown = [name for name in names if name not in FAULTS]
    missing = [package for name, package in NEEDED.items() if shutil.which(name) is None]
    if unknown or missing or os.geteuid() != 0:
        sys.stderr.write(_refusal(unknown, missing))
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whatever ends it, nothing is left running
    with tempfile.TemporaryDirectory(prefix="attacca-chaos-") as at, cluster(Path(at), asked.store) as made:
        sys.stdout.write(line("fault", "sent", "failed", "slowest s", "calls s", "acts s", "") + "\n")
        rows = [steadily(made, FAULTS[name], asked.rate) for name in names]
        if asked.logs:
            shutil.copytree(at, asked.logs, ignore=lambda _, names: [one for one in names if not one.endswith(".log")])
    return int(any(row.verdict.startswith("over") for row in rows))


def steadily(made: Cluster, fault: Fault, rate: float) -> Row:
    """As often as it takes until the machine did not stand still meanwhile; every try is shown."""
    for _ in range(TRIES):
        row = show(suffer(made, fault, rate))
        if row.held_s <= HELD_S:
            break
    return row


def suffer(made: Cluster, fault: Fault, rate: float) -> Row:
    """Load, the fault, its end; then until all is as it was."""
    until(made.acts, "control acts")
    whom = [{"leader": made.leader(), "gateway": "g1", "worker": "w1", "store": "store"}[one] for one in fault.whom]
    load, acting = Load([f"{made.address[name]}:8080" for name in GATEWAYS], "echo", rate), Acting(made)
    load.start()
    acting.start()
    time.sleep(SETTLE_S)
    at = time.monotonic()
    do(made, fault, whom)
    time.sleep(fault.hold_s)
    undo(made, fault, whom)
    until(lambda: acting.seen and acting.seen[-1][1], "control acts again")
    time.sleep(SETTLE_S)
    return judged(fault, load.end(), acting.end(), at, load.held_s)


def do(made: Cluster, fault: Fault, whom: Sequence[str]) -> None:
    for name in whom:
        match fault.how:
            case "kill":
                made.kill(name)
            case "stop":
                made.signal(name, Signal.SIGSTOP)
            case "fill":
                made.fill()
            case "slow":
                made.slow_down()
            case how:
                made.net.cut(name, how)


def undo(made: Cluster, fault: Fault, whom: Sequence[str]) -> None:
    """A supervisor would start anew what was killed; the store first."""
    made.net.heal()
    if fault.how == "fill":
        made.empty()
    made.speed_up()
    for name in sorted(whom, key=lambda name: name != STORE):
        if fault.how == "kill":
            made.begin(name)
        elif fault.how == "stop":
            with contextlib.suppress(ProcessLookupError):
                made.signal(name, Signal.SIGCONT)


def judged(fault: Fault, told: Sequence[Told], seen: Sequence[tuple[float, bool]], at: float, held_s: float) -> Row:
    slowest_s = max((one.ended - one.sent for one in told), default=0.0)
    calls_s, acts_s, bad = recovered_s(told, at), acts_again_s(seen, at), failed(told)
    bar = BARS.get(fault.name, Bar())
    bars = ((bad, bar.failed, "failed"), (calls_s, bar.calls_s, "calls"), (acts_s, bar.acts_s, "acts"))
    over = [f"{what} > {most:g}" for found, most, what in bars if most is not None and found > most]
    verdict = f"over the bar: {', '.join(over)}" if over else "holds" if fault.name in BARS else ""
    counts = Counter(one.status for one in told if one.status != 200)
    answers = [
        f"{count} without an answer" if not status else f"{count} with {status}" for status, count in counts.items()
    ]
    held = [f"the machine stood still for {held_s:.1f} s"] if held_s > HELD_S else []
    verdict = " ".join([verdict, *answers, *held]).strip()
    return Row(fault.name, len(told), bad, slowest_s, calls_s, acts_s, held_s, verdict)


def acts_again_s(seen: Sequence[tuple[float, bool]], at: float) -> float:
    """After the fault, until control acts for good; 0: it has never done otherwise."""
    failed_at = max((when for when, acts in seen if when > at and not acts), default=at)
    return next((when - at for when, acts in seen if acts and when > failed_at > at), 0.0)


def show(row: Row) -> Row:
    numbers = [f"{row.sent}", f"{row.failed}", *(f"{one:.1f}" for one in (row.slowest_s, row.calls_s, row.acts_s))]
    sys.stdout.write(line(row.fault, *numbers, row.verdict) + "\n")
    sys.stdout.flush()
    return row


def line(*cells: str) -> str:
    widths = (20, 7, 7, 10, 9, 9)
    head, *rest = cells
    numbers = [cell.rjust(width) for cell, width in zip(rest[:-1], widths[1:], strict=True)]
    return " ".join([head.ljust(widths[0]), *numbers, f" {rest[-1]}"]).rstrip()


def _refusal(unknown: Sequence[str], missing: Sequence[str]) -> str:
    if unknown:
        return f"there is no fault {unknown[0]!r}: {', '.join(FAULTS)}\n"
    if missing:
        return f"needed, and not here: scripts/debian.sh {' '.join(missing)}\n"
    return "only root can make the namespaces that it takes place in\n"


if __name__ == "__main__":
    sys.exit(main())

"""Where the time of a start goes: what a sandbox of a template does from its fork to its first answer.

python bench/starts.py [heavy|web|cold] [STARTS]

Needs `perf` and the right to trace the whole machine. For each step: pages that had to be copied or mapped (which does
not depend on what else the machine does), system calls, and microseconds on a processor. Medians.
"""

import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.client import Client
from bench.server import FUNCTIONS, attacca

EVENTS = (
    *("exceptions:page_fault_user", "exceptions:page_fault_kernel", "raw_syscalls:sys_enter"),
    *("sched:sched_switch", "sched:sched_process_fork"),
)
LINE = re.compile(r"^\s*.+?\s+(?P<thread>-?\d+)\s+(?P<at>[\d.]+):\s+\S*?(?P<name>[^:\s]+):\s+(?P<words>.*)$")
CALL = re.compile(r"NR (\d+) \((\w+)")
SWITCH = re.compile(r"prev_pid=(\d+).* next_pid=(\d+)")
CHILD = re.compile(r"child_pid=(\d+)")
READ, WRITE, SIGPROCMASK, DUP3 = 0, 1, 14, 292  # of x86_64
STEPS = (  # each until this call of the child, with this first word
    ("fork, and its hooks", SIGPROCMASK, ""),
    ("into its place", DUP3, ""),
    ("descriptors, limits, rights", READ, "3"),
    ("until it is ready", WRITE, "4"),
    ("its first answer", WRITE, "4"),
)
PAUSE_S = 0.03  # between starts, so that the next place is there


class Seen(NamedTuple):
    at: float  # seconds
    name: str
    words: str


def trace(function: str, starts: int) -> str:
    """What perf has to say of so many starts."""
    with attacca() as server, tempfile.TemporaryDirectory() as place:
        handler = () if function == "cold" else ("--handler", "main:app", "--memory", "512")
        server.deploy(FUNCTIONS / function, "--name", function, *handler)
        client, file = Client(server.port), f"{place}/perf.data"

        def start() -> None:
            server.evict(function)
            time.sleep(PAUSE_S)
            client.post(f"/function/{function}")

        for _ in range(5):
            start()
        events = [word for event in EVENTS for word in ("-e", event)]
        perf = subprocess.Popen(["perf", "record", "-q", "-a", "-m", "16M", "-o", file, *events])
        time.sleep(1.0)
        for _ in range(starts):
            start()
        perf.send_signal(signal.SIGINT)
        perf.wait()
        client.close()
        told = ["perf", "script", "-i", file, "-F", "comm,tid,time,event,trace"]
        return subprocess.run(told, capture_output=True, text=True, check=True).stdout


def read(text: str) -> tuple[dict[int, list[Seen]], dict[int, float]]:
    """What each thread did, with when it went on and off a processor; and when each was forked."""
    seen, born = defaultdict(list), {}
    for line in text.splitlines():
        if (found := LINE.match(line)) is None:
            continue
        thread, at, name, words = int(found["thread"]), float(found["at"]), found["name"], found["words"]
        if name == "sched_process_fork" and (child := CHILD.search(words)):
            born[int(child[1])] = at
        elif name == "sched_switch" and (switch := SWITCH.search(words)):
            seen[int(switch[1])].append(Seen(at, "off", ""))
            seen[int(switch[2])].append(Seen(at, "on", ""))
        else:
            seen[thread].append(Seen(at, name, words))
    return seen, born


def steps(life: list[Seen]) -> Iterator[tuple[int, int, float]]:
    """Faults, calls and microseconds of each step; it ends early for who is no sandbox."""
    ends = iter(STEPS)
    _, number, word = next(ends)
    faults = calls = 0
    on, spent = 0.0, 0.0
    for one in life:
        if one.name == "on":
            on = one.at
        elif one.name == "off":
            spent, on = spent + (one.at - on if on else 0.0), 0.0
        elif one.name.startswith("page_fault"):
            faults += 1
        elif (call := CALL.match(one.words)) is not None:
            calls += 1
            if int(call[1]) == number and word in ("", call[2]):
                yield faults, calls, (spent + (one.at - on if on else 0.0)) * 1e6
                faults, calls, spent, on = 0, 0, 0.0, one.at
                if (following := next(ends, None)) is None:
                    return
                _, number, word = following


def main() -> None:
    function, starts, *_ = [*sys.argv[1:], *("heavy", "30")[len(sys.argv) - 1 :]]
    seen, born = read(trace(function, int(starts)))
    lives = [found for child in born if len(found := list(steps(seen[child]))) == len(STEPS)]
    if not lives:
        sys.exit("perf saw no start")
    print(f"{len(lives)} starts of {function} from its template\n")
    for (name, _, _), each in zip(STEPS, zip(*lives, strict=True), strict=True):
        faults, calls, spent = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"{name:30} {faults:5.0f} faults {calls:4.0f} calls {spent:8.0f} us")


if __name__ == "__main__":
    main()

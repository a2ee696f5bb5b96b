"""An open loop against any server: each request is sent when it is due, and how long it took is counted from then.

python bench/open_loop.py PORT PATH PER_S SECONDS SEED      prints what became of them, as JSON

It takes as little of the machine's processors as Python can, since the server needs the same ones: `attacca load run`,
which records each invocation, takes three times as much.
"""

import gc
import json
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.client import BODY

LINKS = 256  # connections; who finds none free waits for one, and its time runs
DRAIN_S = 1.0  # for which answers are awaited after the last was due
WARM_UP = 0.2  # of the time, which is not counted
LEAD_S = 0.1
LATE_S = 0.01
ENOUGH = 0.95  # of what is asked
HEAD_END, SIZE = b"\r\n\r\n", b"content-length:"


class Offered(NamedTuple):
    """What was asked of a server, and what became of it, without the warm-up."""

    asked_per_s: float
    fine_per_s: float  # answered with 200 before the last was due; the rest is a queue
    p50_ms: float
    p99_ms: float
    late: float  # share that came to its turn 10 ms late or later, by the client's own fault

    @property
    def is_fine(self) -> bool:
        """Whether the server keeps up."""
        return self.fine_per_s >= ENOUGH * self.asked_per_s


def offer(port: int, path: str, per_s: float, seconds: float, seed: int = 1) -> Offered:
    """By a process of its own. Of one seed, the schedule is the same for each server."""
    command = [sys.executable, __file__, str(port), path, str(per_s), str(seconds), str(seed)]
    return Offered(*json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


class Loop:
    """Connections, what is due on them, and what has been answered."""

    def __init__(self, port: int, path: str, due: list[float]) -> None:
        self.took: list[tuple[float, float, bool]] = []  # when it was due, when it was answered, whether with 200
        self.late: list[float] = []  # when they were due
        self._port, self._due = port, due
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        self._request = f"{head}{len(BODY)}\r\n\r\n".encode() + BODY
        self._epoll = select.epoll()
        self._links: dict[int, socket.socket] = {}
        self._asked: dict[int, float] = {}  # when what each connection carries was due
        self._parts: dict[int, bytes] = {}
        self._idle = [self._link() for _ in range(LINKS)]

    def __repr__(self) -> str:
        return f"<Loop {len(self.took)} of {len(self._due)} answered, {len(self._idle)} connections idle>"

    def _link(self) -> int:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(0.0)
        self._epoll.register(sock, select.EPOLLIN)
        self._links[sock.fileno()] = sock
        return sock.fileno()

    def run(self, seconds: float) -> None:
        """Until all is answered, or nothing more is awaited."""
        due, idle, links, asked, request = self._due, self._idle, self._links, self._asked, self._request
        waiting, place, many = deque[float](), 0, len(self._due)
        clock, origin = time.perf_counter, time.perf_counter() + LEAD_S
        while (now := clock() - origin) < seconds + DRAIN_S and len(self.took) < many:
            while place < many and due[place] <= now:
                if now - due[place] > LATE_S:
                    self.late.append(due[place])
                waiting.append(due[place])
                place += 1
            while waiting and idle:
                descriptor = idle.pop()
                asked[descriptor] = waiting.popleft()
                links[descriptor].send(request)
            rest = (due[place] if place < many else seconds + DRAIN_S) - (clock() - origin)
            if rest > 0:
                select.select([self._epoll], (), (), rest)  # epoll's own time is in whole milliseconds
            for descriptor, _ in self._epoll.poll(0):
                self._receive(descriptor, clock, origin)

    def _receive(self, descriptor: int, clock: Callable[[], float], origin: float) -> None:
        try:
            data = self._links[descriptor].recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self._reopen(descriptor, clock, origin)
            return
        data = self._parts.pop(descriptor, b"") + data
        end = data.find(HEAD_END)
        if end < 0 or len(data) < end + 4 + _size(data[:end]):
            self._parts[descriptor] = data
            return
        self.took.append((self._asked.pop(descriptor), clock() - origin, data[9:12] == b"200"))
        self._idle.append(descriptor)

    def _reopen(self, descriptor: int, clock: Callable[[], float], origin: float) -> None:
        """The server has closed it: as servers do with those that rest, or with what it carried."""
        self._links.pop(descriptor).close()
        self._parts.pop(descriptor, None)
        if descriptor in self._asked:
            self.took.append((self._asked.pop(descriptor), clock() - origin, False))
        else:
            self._idle.remove(descriptor)
        self._idle.insert(0, self._link())


def _size(head: bytes) -> int:
    return int(head.lower().split(SIZE, 1)[1].split(b"\r\n", 1)[0])


def schedule(per_s: float, seconds: float, seed: int) -> list[float]:
    """When they are due: by chance, independently of one another."""
    chance = random.Random(seed)
    due, at = [], chance.expovariate(per_s)
    while at < seconds:
        due.append(at)
        at += chance.expovariate(per_s)
    return due


def counted(due: list[float], took: list[tuple[float, float, bool]], late: list[float], seconds: float) -> Offered:
    """What has no answer counts as if it had come when it was no longer awaited."""
    begin = seconds * WARM_UP
    fine = [(asked, answered) for asked, answered, is_fine in took if is_fine and asked >= begin]
    many = sum(one >= begin for one in due)
    each = sorted(answered - asked for asked, answered in fine)
    each += [seconds + DRAIN_S] * (many - len(each))
    return Offered(
        asked_per_s=many / (seconds - begin),
        fine_per_s=sum(answered <= seconds for _, answered in fine) / (seconds - begin),
        p50_ms=each[many // 2] * 1e3,
        p99_ms=each[int(many * 0.99)] * 1e3,
        late=sum(one >= begin for one in late) / many,
    )


def main() -> None:
    port, path, per_s, seconds, seed = sys.argv[1:]
    due = schedule(float(per_s), float(seconds), int(seed))
    loop = Loop(int(port), path, due)
    gc.collect()
    gc.freeze()
    gc.disable()
    loop.run(float(seconds))
    print(json.dumps(counted(due, loop.took, loop.late, float(seconds))))


if __name__ == "__main__":
    main()

"""A worker is killed while it runs some invocations and holds others: which of them fail, and which run twice.

Each marks its beginning by a datagram, which outlives the worker.
"""

import socket
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.live.apart import cluster
from tests.live.whole import Answer, until

MARKS = """
    import socket, time

    def marks(n, port, s=0.05):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            to.sendto(str(n).encode(), ("127.0.0.1", port))
        time.sleep(s)
        return n
"""
CALLERS, BEFORE, AFTER = 16, 100, 200


class Marks:
    """How often each has begun."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while (word := self._socket.recv(64)) != b"end":
            self.begun[int(word)] += 1

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            to.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()


@pytest.mark.parametrize("scheduling", ["worker", "cluster"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_only_what_had_begun_fails_and_only_what_is_idempotent_begins_twice(
    tmp_path: Path, *, scheduling: str, idempotent: bool
) -> None:
    marks, answers, lock = Marks(), dict[int, Answer](), threading.Lock()
    with cluster(tmp_path, workers=2) as planes:
        gateway = planes.gateways["g1"]
        more = {"scaling": {"policy": "fixed", "count": 4}} if scheduling == "cluster" else {"max_sandboxes": 2}
        planes.control.function(
            "marks", MARKS, scheduling=scheduling, idempotent=idempotent, network="host", queue=100, **more
        )
        until(lambda: gateway.call("marks", {"n": -1, "port": marks.port}).status == 200, "it is known")
        numbers = iter(range(1 << 30))

        def call() -> None:
            while len(answers) < BEFORE + AFTER:
                with lock:
                    number = next(numbers)
                answer = gateway.call("marks", {"n": number, "port": marks.port})
                with lock:
                    answers[number] = answer

        callers = [threading.Thread(target=call, daemon=True) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        until(lambda: len(answers) >= BEFORE, "both have work")
        planes.workers.pop("w1").kill()
        for caller in callers:
            caller.join(60)
    marks.close()
    failed = {number: answer for number, answer in answers.items() if answer.status != 200}
    assert len(answers) >= BEFORE + AFTER, "nobody waits for ever"
    assert all(marks.begun[number] for number in answers.keys() - failed.keys())
    if idempotent:
        assert failed == {}
        return
    assert {answer.code for answer in failed.values()} <= {"sandbox_lost"}
    assert all("x-attacca-start" in answer.headers for answer in failed.values()), "each had been given to a sandbox"
    assert [number for number, times in marks.begun.items() if times > 1 and number >= 0] == []

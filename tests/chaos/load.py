"""Calls at a steady rate, as clients of several gateways make them: what one does not answer, another is asked."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

ANSWER_S = 8.0  # then a client turns to another gateway
SLOW_S = 1.0
AGAIN = 503  # another gateway may have what this one lacks


class Told(NamedTuple):
    """When it was sent and when it had its last word (seconds of `time.monotonic`); `status` 0: nobody answered."""

    sent: float
    ended: float
    status: int


class Load(threading.Thread):
    def __init__(self, gateways: Sequence[str], function: str, per_s: float) -> None:
        """`gateways`: HOST:PORT of each."""
        super().__init__(daemon=True)
        self.told: list[Told] = []
        self.held_s = 0.0  # the longest that this process itself stood still
        self._gateways = gateways
        self._per_s = per_s
        self._is_over = threading.Event()
        self._request = (
            f"POST /function/{function} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        ).encode()

    def run(self) -> None:
        asyncio.run(self._send())

    def end(self) -> list[Told]:
        self._is_over.set()
        self.join()
        return self.told

    async def _send(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        begin = time.monotonic()
        for number in itertools.count(1):
            early_s = begin + number / self._per_s - time.monotonic()
            self.held_s = max(self.held_s, -early_s)
            if self._is_over.is_set():
                break
            begin += max(0.0, -early_s)  # whoever was held up does not make up for it with a crowd
            await asyncio.sleep(max(0.0, early_s))
            task = asyncio.create_task(self._call(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _call(self, number: int) -> None:
        sent, status = time.monotonic(), 0
        for turn in range(2 * len(self._gateways)):
            status = await self._ask(self._gateways[(number + turn) % len(self._gateways)])
            if status not in (0, AGAIN):
                break
        self.told.append(Told(sent, time.monotonic(), status))

    async def _ask(self, gateway: str) -> int:
        host, _, port = gateway.rpartition(":")
        with contextlib.suppress(OSError, ValueError, IndexError):
            async with asyncio.timeout(ANSWER_S):
                async with asyncio.timeout(1.0):
                    reader, writer = await asyncio.open_connection(host, int(port))
                try:
                    writer.write(self._request)
                    return int((await reader.read()).split(b" ", 2)[1])
                finally:
                    writer.transport.abort()
        return 0


def failed(told: Sequence[Told]) -> int:
    return sum(one.status != 200 for one in told)


def recovered_s(told: Sequence[Told], fault: float) -> float:
    """After the fault, until whatever is sent is answered well within SLOW_S; 0: it was never otherwise."""
    bad = [one.sent for one in told if one.status != 200 or one.ended - one.sent > SLOW_S]
    return max(0.0, max(bad) - fault) if bad else 0.0

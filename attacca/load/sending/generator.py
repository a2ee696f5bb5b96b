"""A process that sends: what it is told to when it is due (open loop), or as a number of clients (closed loop).

python -m attacca.load.sending.generator FD

It does nothing else: planning, recording and talking to people happen in the process at the other end of FD.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Coroutine
from typing import assert_never, cast

from attacca.load.sending.alarm import alarm
from attacca.load.sending.connection import NOT_SENT, Pool, now
from attacca.load.sending.frames import (
    Begin,
    Buffer,
    Done,
    Finish,
    FromSender,
    GiveUp,
    More,
    Planned,
    Ready,
    Results,
    Sent,
    Setup,
    ToSender,
    frame,
    to_sender,
)
from attacca.load.sending.pacing import FINE_SPIN_S, SPIN_S, Pacer
from attacca.load.workload.clients import Client

ROWS_AT_ONCE = 64
TELL_S = 0.1

Token = tuple[int, float, int, float, int, float, Client | None]
"""idx, due_s, function, duration_ms, bytes in, turn, client"""


class Sender(asyncio.Protocol):
    """The end of the pipe, the pool of connections, and what connects them."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._rows: list[Sent] = []
        self._pacer: Pacer[Planned] = Pacer()
        self._origin = 0.0
        self._in_flight = 0
        self._until_s = 0.0
        self._is_all_sent = self._is_done = False
        self.ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Sender {self._in_flight} in flight, {len(self._rows)} rows, {self._pacer!r}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        for body in self._buffer.feed(data):
            self._hear(to_sender.decode(body))

    def _hear(self, message: ToSender) -> None:
        match message:
            case Setup():
                self._setup, self._until_s = message, message.until_s
                self._pool = Pool(message.host, message.port, self._answered)
                self._start(self._open())
            case Begin(origin=origin):
                self._origin = origin
                self._start(self._take_turns() if self._setup.clients is not None else self._pace())
            case More(items=items):
                self._pacer.plan([(item[1], item) for item in items])
            case Finish(now=at_once):
                if at_once:
                    self._stop()
                self._pacer.end()
            case GiveUp():
                self._pool.give_up()
                self._is_all_sent = True
                asyncio.get_running_loop().call_later(TELL_S, self._end)  # once what was cut off has been told
            case _:
                assert_never(message)

    def _stop(self) -> None:
        """What is due and did not get out is told as not sent; what is not due yet never was."""
        at = now() - self._origin
        while (item := self._pacer.take(at)) is not None:
            idx, due_s, function, duration_ms = item[1]
            self._rows.append((idx, function, due_s, at, at, 0, b"", NOT_SENT, 0, 0, duration_ms, at))
        self._pacer.stop()
        self._pool.refuse(NOT_SENT)
        self._until_s = 0.0
        if self._setup.clients is not None:
            self._all_sent()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _open(self) -> None:
        try:
            await self._pool.open(self._setup.links)
        except OSError as error:
            self._tell(Ready(error.strerror or str(error)))
        else:
            gc.collect()
            gc.freeze()
            gc.disable()  # nothing here makes cycles, and a collection would be lateness
            self._tell(Ready())

    async def _pace(self) -> None:
        """Open loop: on an absolute schedule, in short sleeps and, close to the moment, none."""
        pacer, origin, clock = self._pacer, self._origin, alarm()
        pacer.spin_s = SPIN_S if clock is None else FINE_SPIN_S
        sleep = asyncio.sleep if clock is None else clock.sleep
        while not (pacer.is_all and not len(pacer)):
            at = now() - origin
            while (item := pacer.take(at)) is not None:
                idx, due_s, function, duration_ms = item[1]
                self._send(idx, due_s, function, duration_ms, None)
                at = now() - origin
            wait_s = pacer.wait_s(at)
            await (sleep(wait_s) if wait_s > 0 else asyncio.sleep(0))
        self._all_sent()

    async def _take_turns(self) -> None:
        """Closed loop: every client sends, waits for its answer, thinks, and sends again."""
        setup, loop = self._setup, asyncio.get_running_loop()
        assert setup.clients is not None
        await asyncio.sleep(max(0.0, self._origin - now()))
        clients = [Client(number, setup.clients, setup.plans, setup.seed) for number in setup.numbers]
        for client in clients:
            self._think(client)
        loop.call_later(max(0.0, self._origin + self._until_s - now()), self._all_sent)

    def _think(self, client: Client) -> None:
        think_s = client.think_s()
        due_s = now() - self._origin + think_s
        if due_s >= self._until_s:
            return
        if think_s > 0:
            asyncio.get_running_loop().call_later(think_s, self._turn, client, due_s)
        else:
            self._turn(client, due_s)

    def _turn(self, client: Client, due_s: float) -> None:
        if due_s >= self._until_s:
            return
        assert self._setup.clients is not None
        function, duration_ms = client.choose()
        idx = client.turns * self._setup.clients.count + client.number
        client.turns += 1
        self._send(idx, due_s, function, duration_ms, client)

    def _send(self, idx: int, due_s: float, function: int, duration_ms: float, client: Client | None) -> None:
        request, size = self._setup.calls[function].request(duration_ms)
        self._in_flight += 1
        self._pool.send(request, (idx, due_s, function, duration_ms, size, now(), client))

    def _answered(
        self, token: Token, sent: float, received: float, status: int, head: bytes, error: str, size: int
    ) -> None:
        idx, due_s, function, duration_ms, bytes_in, turn, client = token
        origin, rows = self._origin, self._rows
        times = (due_s, sent - origin, received - origin)
        rows.append((idx, function, *times, status, head, error, bytes_in, size, duration_ms, turn - origin))
        self._in_flight -= 1
        if len(rows) >= ROWS_AT_ONCE:
            self._tell_rows()
        if client is not None and not self._is_all_sent:
            asyncio.get_running_loop().call_soon(self._think, client)  # not deeper: an answer may be there at once
        elif self._is_all_sent and self._in_flight == 0:
            self._end()

    def _all_sent(self) -> None:
        self._is_all_sent = True
        if self._in_flight == 0:
            self._end()

    def _end(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._tell_rows()
            self._tell(Done())

    async def tell(self) -> None:
        """Rows that are too few to be told at once are told after a while."""
        while not self.ended.is_set():
            await asyncio.sleep(TELL_S)
            self._tell_rows()

    def _tell_rows(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._tell(Results(tuple(rows)))

    def _tell(self, message: FromSender) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame(message))


async def send(sock: socket.socket) -> None:
    """Until the other end of the socket is closed."""
    sender = Sender()
    await asyncio.get_running_loop().create_unix_connection(lambda: sender, sock=sock)
    telling = asyncio.get_running_loop().create_task(sender.tell())
    await sender.ended.wait()
    telling.cancel()


def main() -> None:
    import uvloop

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for whoever started this process to say when it ends
    uvloop.run(send(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()

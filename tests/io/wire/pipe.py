"""A pair of transports in memory, which hand bytes over in uneven pieces and hold as much unsent as they are let."""

import asyncio
from collections.abc import Iterator
from itertools import cycle
from typing import Any

PIECES = (1, 2, 3, 5, 8, 4000, 70_000)


class PipeTransport(asyncio.Transport):
    """What is written waits in `unsent` until the other side reads."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.peer: PipeTransport
        self.unsent = bytearray()
        self.wants = True
        self.has_closed = False
        self._has_eof = False
        self._is_gone = False
        self._is_pumping = False
        self._is_full = False
        self._high = 65_536
        self._sizes: Iterator[int] = cycle(PIECES)

    def write(self, data: Any) -> None:
        if self.has_closed or self._is_gone:
            return
        self.unsent += data
        if len(self.unsent) > self._high and not self._is_full:
            self._is_full = True
            self.protocol.pause_writing()
        self._pump()

    def write_eof(self) -> None:
        self._has_eof = True
        self._pump()

    def close(self) -> None:
        self.has_closed = True
        self.wants = False
        self._pump()

    def abort(self) -> None:
        for side in (self, self.peer):
            side.unsent.clear()
            asyncio.get_running_loop().call_soon(side._lose, ConnectionResetError("reset"))

    def is_closing(self) -> bool:
        return self.has_closed or self._is_gone

    def pause_reading(self) -> None:
        self.wants = False

    def resume_reading(self) -> None:
        self.wants = True
        self.peer._pump()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 65_536

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def _pump(self) -> None:
        if not self._is_pumping:
            self._is_pumping = True
            asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        self._is_pumping = False
        if self._is_gone:
            return
        reads = self.peer.wants or self.peer.has_closed  # who closes reads no more, and what comes is lost
        if self.unsent and reads:
            size = next(self._sizes)
            piece = bytes(self.unsent[:size])
            del self.unsent[:size]
            if not self.peer.has_closed:
                self.peer.protocol.data_received(piece)
            if self._is_full and len(self.unsent) <= self._high // 4:
                self._is_full = False
                self.protocol.resume_writing()
            self._pump()
        elif not self.unsent and (self.has_closed or self._has_eof) and reads:
            self._finish()

    def _finish(self) -> None:
        if not self.peer.has_closed:
            self.peer.protocol.eof_received()
            self.peer.close()
        if self.has_closed:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_gone:
            self._is_gone = True
            self.protocol.connection_lost(error)


def joined(left: asyncio.Protocol, right: asyncio.Protocol) -> tuple[PipeTransport, PipeTransport]:
    one, other = PipeTransport(left), PipeTransport(right)
    one.peer, other.peer = other, one
    left.connection_made(one)
    right.connection_made(other)
    return one, other


class PipeHand(asyncio.Protocol):
    """The hand that writes bytes."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()
        self._ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data

    def connection_lost(self, error: Exception | None) -> None:
        self._ended.set()

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def write_eof(self) -> None:
        assert self._transport is not None
        self._transport.write_eof()

    async def read(self) -> bytes:
        await self._ended.wait()
        return bytes(self._came)

"""Answers become bytes: heads, pieces, and how each ends; and what the client has not read of them."""

import asyncio
import socket
import struct
from enum import Enum
from typing import Protocol

from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import pace, response
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Whole
from attacca.gateway.http.room import Room
from attacca.kernel.budget import Budget
from attacca.model.invocation import Ok

RESET = struct.pack("ii", 1, 0)  # linger for no time: what is unsent is dropped, and the client told so
NO_LENGTH = -1


class Ending(Enum):
    """What an answer's end means for its connection."""

    WHOLE = "whole"
    BROKEN = "broken"  # it has to look like that: the connection ends before its end
    RESET = "reset"  # it ends with the connection, whose plain end would look like its own


class Moment(Protocol):
    """What the server knows without being asked for it each time."""

    date: bytes
    is_ending: bool  # every answer is the last of its connection
    prefixes: dict[str, bytes]  # by content type: how a warm answer begins

    def prefix(self, content_type: str) -> bytes:
        """How it begins with this one, which is remembered.

        Raises:
            BadResponse: it would break out of its header.
        """


class Writer:
    """`keep`: the connection is for others behind this answer. It may turn out not to be."""

    __slots__ = (
        "_draining", "_is_bodiless", "_is_chunked", "_left", "_moment", "is_choked", "is_head", "is_old",
        "keep", "transport", "unread", "unwritten",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, moment: Moment) -> None:
        self.transport = transport
        self.keep = True
        self.is_old = self.is_head = False
        self.is_choked = False  # the client does not read what we write
        self.unwritten = 0  # bytes that it had not read when that was looked at last
        self._moment = moment
        self._is_bodiless = False  # an answer without a body, whatever the function sends
        self._is_chunked = False
        self._left = NO_LENGTH  # bytes that the answer's Content-Length still promises
        self.unread: Room | None = None  # for large answers that are not read
        self._draining: pace.Pace | None = None  # of these

    def __repr__(self) -> str:
        room = 0 if self.unread is None else self.unread.size
        return f"<Writer {self.unwritten} bytes unread in a room of {room}, {self._left} to come, keep {self.keep}>"

    def begin(self, head: Head) -> None:
        """What follows answers this request."""
        self.keep, self.is_old, self.is_head = head.keep, head.is_old, head.is_head

    # Whole answers.

    def warm(self, outcome: Ok, taken: Inflight) -> None:
        """The shortest of them all: of a warm invocation, about which nobody asks more.

        Raises:
            BadResponse: its content type is nothing that can be sent.
        """
        kind, body, spent = outcome.content_type, outcome.body, taken.timing
        prefix = self._moment.prefixes.get(kind) or self._moment.prefix(kind)
        name, run_ms, total_ms = taken.id.encode(), taken.run_ms, taken.total_ms
        if spent.queued or spent.placed:
            text = response.WARM % (prefix, len(body), name, spent.queued, spent.placed, run_ms, total_ms, body)
        else:
            text = response.WARM_AT_ONCE % (prefix, len(body), name, run_ms, total_ms, body)
        self.transport.write(text)

    def whole(self, answer: Whole) -> None:
        moment = self._moment
        if moment.is_ending:
            self.keep = False
        self.transport.writelines(
            response.whole(answer, moment.date, keep=self.keep, is_old=self.is_old, is_head=self.is_head)
        )

    def refusal(self, answer: Whole) -> None:
        """To what cannot be understood, or comes without being asked for: the last word."""
        self.keep = self.is_head = self.is_old = False
        self.whole(answer)

    def invite(self) -> None:
        """Ask for the body."""
        self.transport.write(response.CONTINUE)

    # Streamed answers.

    def start(self, status: int, fields: Fields) -> None:
        """Write the head of an answer that follows in pieces.

        Raises:
            BadResponse: the status or the length make no sense.
        """
        response.check_status(status)
        length = response.declared_length(fields)
        self._is_bodiless = is_bodiless = self.is_head or status in response.BODILESS
        self._left = NO_LENGTH if length is None or is_bodiless else length
        self._is_chunked = length is None and not is_bodiless and not self.is_old
        if self._moment.is_ending or (length is None and self.is_old and not is_bodiless):
            self.keep = False
        if self._is_chunked:
            fields = [*fields, (b"transfer-encoding", b"chunked")]
        if status == 204:
            fields = [field for field in fields if field[0] != b"content-length"]
        if not any(name == b"date" for name, _ in fields):
            fields = [*fields, (b"date", self._moment.date)]
        if not self.keep:
            fields = [*fields, (b"connection", b"close")]
        elif self.is_old:
            fields = [*fields, (b"connection", b"keep-alive")]
        self.transport.write(response.head(status, fields))

    def piece(self, data: bytes) -> None:
        if self._is_bodiless or not data:
            return
        if self._is_chunked:
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if self._left >= 0:
            if len(data) > self._left:
                data = data[: self._left]
                self.keep = False  # it wrote more than it had promised
            self._left -= len(data)
        self.transport.write(data)

    def end(self, *, is_whole: bool) -> Ending:
        """The last piece is out."""
        if self._is_bodiless:
            return Ending.WHOLE
        if self._is_chunked:
            if is_whole:
                self.transport.write(b"0\r\n\r\n")
            return Ending.WHOLE if is_whole else Ending.BROKEN
        if self._left > 0:
            return Ending.BROKEN
        return Ending.WHOLE if is_whole or self._left == 0 else Ending.RESET

    def reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    # What is not read.

    def make_room(self, budget: Budget, owner: str, size: int) -> bool:
        """Until its client has read it, or nearly. What is larger than a share takes all of that."""
        room = self.unread or Room(budget, owner)
        if not room.take(min(room.size + size, budget.share)):
            return False
        self.unread = room
        return True

    def is_read(self) -> None:
        """All that was written, or nearly."""
        if self.unread is not None:
            self.unread.leave()
            self.unread = None

    def has_moved(self) -> bool:
        """Has the client read anything since that was asked last?"""
        unwritten, self.unwritten = self.unwritten, self.transport.get_write_buffer_size()
        return unwritten != self.unwritten

    def drains(self, now: float, stretch_s: float) -> bool:
        """Are large answers read as fast as a body has to come? The less is unwritten, the more has been."""
        if self.unread is None:
            self._draining = None
            return True
        before = self._draining or pace.begin(now, -self.unwritten)
        is_pressed = self.unread.is_crowded
        self._draining = pace.go_on(before, now, -self.unwritten, stretch_s, is_pressed=is_pressed)
        return self._draining is not None

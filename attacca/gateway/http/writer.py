"""The half of a connection that answers: whole answers, streamed ones, and the end of the connection."""

import asyncio
import socket
import struct
from typing import cast

from attacca.errors import AttaccaError, BadResponse, Overloaded
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import cors, response
from attacca.gateway.http.room import Room, overloaded
from attacca.gateway.http.server import Front
from attacca.gateway.http.upload import Sink
from attacca.model.invocation import Ok, Outcome, Start

WARM_START = Start.WARM
TURNED_AWAY_MOST = 128  # connections that are told that they are one too many; more are just closed
LARGE = 64 * 1024  # bytes of an answer that do not count
RESET = struct.pack("ii", 1, 0)  # linger for no time: what is unsent is dropped, and the client told so


class Answering(asyncio.Protocol):
    """Answers the one request that is being served. What follows an answer is decided in `finish`."""

    transport: asyncio.Transport

    def __init__(self, front: Front) -> None:
        self.front = front
        self.taken: Inflight | None = None
        self.upload: Sink | None = None  # who gets the rest of the request's body
        self.is_busy = False  # an answer is owed
        self.is_arriving = False  # and the request that it is owed for still arrives
        self.is_passing_by = False  # and nobody wants the rest of it: it was refused, and the answer is out
        self.is_streaming = False  # the answer's head is out
        self.is_choked = False  # the client does not read what we write
        self.unread: Room | None = None  # for the large answers among that
        self.is_turned_away = False  # it is one too many
        self.is_closing = False  # nothing that arrives matters any more
        self.is_bodiless = False  # an answer without a body, whatever the function sends
        self.is_chunked = False
        self.left = -1  # bytes that the answer's Content-Length still promises; -1: it promised none
        self.since = 0.0  # the coarse time of the last change
        # Of the request that is being served.
        self.keep = True
        self.is_old = False  # HTTP/1.0
        self.is_head = False
        self.cors: response.Fields = []  # what a page of another site is told beside the answer
        self.is_plain = True  # HTTP/1.1, kept alive, not HEAD, no details asked for: the warm road

    # What the gateway says (core.inflight.Client).

    def ended(self, taken: Inflight, outcome: Outcome) -> None:
        if self.is_streaming:
            self.finish_stream(is_whole=type(outcome) is Ok)
            return
        if (
            type(outcome) is Ok
            and len(outcome.body) > LARGE
            and not self._make_room_for_answer(taken, len(outcome.body))
        ):
            self.refuse_answer(overloaded("the answer"), taken)
            return
        if self.is_arriving:
            self.keep = self.is_plain = False  # the rest of the body has nowhere to go
        if (
            self.is_plain
            and type(outcome) is Ok
            and taken.start is WARM_START
            and outcome.status == 200
            and not outcome.headers
            and not outcome.streamed
            and outcome.content_type
            and not taken.lost
            and not self.front.is_ending
        ):
            try:
                kind = response.content_type(outcome.content_type)
            except BadResponse as error:
                self.refuse_answer(error, taken)
                return
            spent, body, date, name = taken.timing, outcome.body, self.front.date, taken.id
            if spent.queued or spent.placed:
                text = response.WARM % (
                    kind, len(body), date, name.encode(), spent.queued, spent.placed,
                    taken.run_ms, taken.total_ms, body,
                )  # fmt: skip
            else:
                text = response.WARM_AT_ONCE % (
                    kind,
                    len(body),
                    date,
                    name.encode(),
                    taken.run_ms,
                    taken.total_ms,
                    body,
                )
            self.transport.write(text)
            self.finish()
            return
        try:
            whole = response.of_outcome(outcome)
        except BadResponse as error:
            self.refuse_answer(error, taken)
        else:
            self.answer_whole(whole, taken)

    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        taken = self.taken
        assert taken is not None
        try:
            self.start_stream(status, response.clean(headers) + response.trace(taken))
        except BadResponse as error:
            taken.client = None
            self.front.gateway.give_up(taken, error)
            self.answer_error(error, taken)

    def body(self, data: bytes) -> None:
        if self.is_bodiless or not data:
            return
        if self.is_chunked:
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if self.left >= 0:
            if len(data) > self.left:
                data = data[: self.left]
                self.keep = False  # it wrote more than it had promised
            self.left -= len(data)
        self.transport.write(data)

    def started(self) -> None:
        if self.upload is not None:
            self.upload.open()
            self.update_reading()
            self.resume()

    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        if self.upload is not None:
            self.upload.flow(paused=paused)
            self.update_reading()
            self.resume()

    # Whole answers.

    def _make_room_for_answer(self, taken: Inflight, size: int) -> bool:
        """Until its client has read it, or nearly. What is larger than a share takes all of that."""
        answers = self.front.rooms.answers
        room = self.unread or Room(answers, taken.function.name)
        if not room.take(min(room.size + size, answers.share)):
            return False
        self.unread = room
        return True

    def leave_answers(self) -> None:
        if self.unread is not None:
            self.unread.leave()
            self.unread = None

    def refuse_answer(self, error: AttaccaError, taken: Inflight) -> None:
        self.front.gateway.amend(taken, error)
        self.answer_error(error, taken)

    def answer_error(self, error: AttaccaError, taken: Inflight | None = None) -> None:
        self.answer_whole(response.of_error(error), taken)

    def answer_whole(self, whole: response.Whole, taken: Inflight | None = None) -> None:
        if (self.is_arriving and not self.is_passing_by) or self.front.is_ending:
            self.keep = False
        if taken is not None:
            whole = response.Whole(whole.status, whole.fields + response.trace(taken), whole.body)
        if self.cors:
            whole = response.Whole(whole.status, cors.added(whole.fields, self.cors), whole.body)
        self.transport.writelines(
            response.whole(whole, self.front.date, keep=self.keep, is_old=self.is_old, is_head=self.is_head)
        )
        self.finish()

    # Streamed answers.

    def start_stream(self, status: int, fields: response.Fields) -> None:
        """Write the head of an answer that follows in pieces.

        Raises:
            BadResponse: the status or the length make no sense.
        """
        response.check_status(status)
        if self.cors:
            fields = cors.added(fields, self.cors)
        length = response.declared_length(fields)
        self.is_bodiless = self.is_head or status in response.BODILESS
        self.left = -1 if length is None or self.is_bodiless else length
        self.is_chunked = length is None and not self.is_bodiless and not self.is_old
        if self.front.is_ending or (length is None and self.is_old and not self.is_bodiless):
            self.keep = False
        if self.is_chunked:
            fields.append((b"transfer-encoding", b"chunked"))
        if status == 204:
            fields = [field for field in fields if field[0] != b"content-length"]
        if not any(name == b"date" for name, _ in fields):
            fields.append((b"date", self.front.date))
        if not self.keep:
            fields.append((b"connection", b"close"))
        elif self.is_old:
            fields.append((b"connection", b"keep-alive"))
        self.is_streaming = True
        self.transport.write(response.head(status, fields))
        if self.is_choked:
            self.tell_flow()

    def finish_stream(self, *, is_whole: bool) -> None:
        """The last piece is out. An answer that broke off has to look like it: the connection ends before its end."""
        if self.is_bodiless:
            pass
        elif self.is_chunked:
            if is_whole:
                self.transport.write(b"0\r\n\r\n")
            else:
                self.break_off()
                return
        elif self.left > 0:
            self.break_off()
            return
        elif self.left < 0 and not is_whole:
            self.reset()
            return
        self.finish()

    def break_off(self) -> None:
        self.is_closing = True
        self.since = self.front.now
        self.transport.close()

    def reset(self) -> None:
        """For an answer that ends with the connection: a plain end would look like its own."""
        self.is_closing = True
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    # After an answer.

    def finish(self) -> None:
        """The answer is out: on to the next request, or to the end of the connection."""
        self.is_busy = self.is_streaming = False
        self.taken = None
        self.upload = None
        if self.unread is not None and not self.is_choked:
            self.leave_answers()
        if self.is_arriving:
            if self.is_passing_by:
                self.is_busy = True
            else:
                self.is_arriving = False
                self.linger()
            return
        self.since = self.front.now
        if self.keep:
            self.resume()
        else:
            self.break_off()

    def turn_away(self) -> None:
        """It is one too many, and told so before it has said anything."""
        front = self.front
        self.is_closing = self.is_turned_away = True
        front.turned_away += 1
        if front.turned_away > TURNED_AWAY_MOST:
            self.transport.abort()
            return
        most = front.config.max_connections
        error = Overloaded(f"there are {most} connections already", "come back later, or raise gateway.max_connections")
        self.transport.writelines(
            response.whole(response.of_error(error), front.date, keep=False, is_old=False, is_head=False)
        )
        self.linger()

    def linger(self) -> None:
        """Let the client read its answer before its unread request makes the kernel reset the connection."""
        self.is_closing = True
        self.since = self.front.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.update_reading()

    def resume(self) -> None:
        """Take what waits behind the request that was answered."""
        raise NotImplementedError

    def update_reading(self) -> None:
        """Read, or stop reading, as the state of things asks."""
        raise NotImplementedError

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self.is_choked = True
        self.since = self.front.now
        self.tell_flow()

    def resume_writing(self) -> None:
        self.is_choked = False
        self.leave_answers()
        self.tell_flow()
        self.resume()

    def tell_flow(self) -> None:
        if self.taken is not None:
            if self.is_streaming:
                self.front.gateway.flow(self.taken, paused=self.is_choked)
        elif self.is_busy and self.upload is not None:
            self.upload.choke(paused=self.is_choked)
        self.update_reading()

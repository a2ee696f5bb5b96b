"""One client's connection: bytes become requests, one at a time, and what comes behind is held back.

    nothing ──first byte──▶ head ──blank line──▶ body ──last byte──▶ nothing
                              │                   │
                              ▼                   ▼
                        408, 431, 400       408, 413, 400, or streamed on to whoever wants it

A request that arrives in one piece passes through `data_received`, the parser's callbacks, `open` and `serve`, and
nothing else. Everything slower is done in `_unfinished`, after a piece that left a request unfinished: there its
sender, its function and the queue are looked at before its body is, and the body has to find room (see room).
"""

import asyncio
from collections import deque
from typing import NamedTuple

import httptools

from attacca.errors import AttaccaError, BadRequest, HeadersTooLarge
from attacca.gateway.http import pace, rtsp
from attacca.gateway.http.access import FIELDS_MOST, too_many_fields
from attacca.gateway.http.handler import Fields, refuse_upgrade, too_large
from attacca.gateway.http.reader import SLICE, Collecting, too_slow
from attacca.gateway.http.server import Front

NOTHING, HEAD, BODY = 0, 1, 2  # how much of the next request has come
METHOD_MOST = 20  # bytes
RTSP_HINT = rtsp.HINT
HELD_MOST = 64 * 1024  # bytes held back before the socket is left unread
NOT_HTTP = "send HTTP/1.1, with one length for each body"
NO_TRAILERS = frozenset(  # too late for them, and the parser would follow them all the same
    (b"connection", b"proxy-connection", b"upgrade", b"content-length", b"transfer-encoding")
)


class Behind(NamedTuple):
    """A whole request that came while another was being served."""

    method: bytes
    url: bytes
    fields: Fields
    body: bytes
    version: str
    keep: bool


class Connection(Collecting):
    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.parser = httptools.HttpRequestParser(self)
        self.slice = min(SLICE, front.max_head)
        # Of the request that is being parsed.
        self.phase = NOTHING
        self.url = b""
        self.coming: Fields = []
        self.head_size = 0  # bytes of a head that is not complete yet
        self.line = b""  # what has come of its first line, until a field has
        self.framing_size = 0  # bytes of a body's framing since it last brought something
        self.seen_size = 0  # of a body that is being collected, when it was looked at last
        self.is_opened = False
        self.misplaced: BadRequest | None = None  # a trailer that the parser was stopped at
        # Behind it.
        self.behind: deque[Behind] = deque()
        self.broken: AttaccaError | None = None  # what came after the last good request
        self.is_advancing = False
        self.has_peer_ended = False
        self.unwritten = 0  # bytes that the client had not read at the last sweep

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.since = self.front.now
        front = self.front
        is_too_many = len(front.connections) - front.turned_away >= front.config.max_connections
        front.connections[self] = None
        if is_too_many:
            self.turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.turned_away -= self.is_turned_away
        self.front.leave(self)
        self.is_closing = True
        self.drop_collected()
        self.leave_answers()
        self.is_busy = False
        taken, upload = self.taken, self.upload
        self.taken = self.upload = None
        self.behind.clear()
        self.held.clear()
        self.make_room_behind()
        del self.parser  # it holds this connection's methods: a circle that the garbage collector would have to find
        if upload is not None:
            upload.lost()
        if taken is not None:
            gateway = self.front.gateway
            if self.is_streaming and self.is_choked:
                gateway.flow(taken, paused=False)  # it may finish, although nobody listens
            gateway.leave(taken, can_finish=not self.is_arriving)

    def eof_received(self) -> bool:
        """A client that leaves looks just like one that has only finished sending. So what still waits is withdrawn,
        and what runs is answered. The admin API takes it as leaving: a log is followed until then."""
        self.has_peer_ended = True
        if self.is_closing or self.is_arriving or self.taken is None:
            return self.is_choked and bool(self.behind)
        self.front.gateway.hint_leaving(self.taken)
        return self.taken.start is not None

    def data_received(self, data: bytes) -> None:
        if self.is_busy or self.held or self.is_closing or len(data) > self.slice:
            if not self.is_closing:
                self.held += data
                self._advance()
        else:
            self._parse(data)

    # What the parser says.

    def on_url(self, url: bytes) -> None:
        if self.url:
            self.url += url
        else:
            self.url = url
            self.phase = HEAD
            self.head_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase == HEAD:
            self.coming.append((name.lower(), value))
        elif name.lower() in NO_TRAILERS:  # of the others nobody asked for any
            self.misplaced = BadRequest(f"{name.decode('latin-1')} is no field behind a body", "send it in the head")
            raise self.misplaced

    def on_headers_complete(self) -> None:
        self.phase = BODY

    def on_body(self, data: bytes) -> None:
        body = self.request_body
        if not body:
            self.request_body = data
        elif type(body) is bytearray:
            body += data
        else:
            self.request_body = bytearray(body) + data

    def on_message_complete(self) -> None:
        self.phase = NOTHING
        body, url, fields = self.request_body, self.url, self.coming
        if not isinstance(body, bytes):
            body = bytes(body)
        self.request_body, self.url, self.coming = b"", b"", []
        if self.is_arriving:
            self.is_arriving = self.is_opened = False
            if self.is_passing_by:
                self.is_passing_by = False
                self.finish()
            else:
                self.pass_on(body, last=True)
            return
        if self.is_busy or self.behind or self.is_closing:
            parser = self.parser
            keep, version = parser.should_keep_alive(), parser.get_http_version()
            self.behind.append(Behind(parser.get_method(), url, fields, body, version, keep))
            return
        if self.is_opened:
            self.is_opened = False
            self.serve_collected(body)
        else:
            parser = self.parser
            error = self.open(parser.get_method(), url, fields, "", keep=parser.should_keep_alive())
            if error is None and b"upgrade" in self.head_of:
                error = refuse_upgrade(self.head_of, body)
            if error is None:
                self.serve(body)
            else:
                self.fail(error)

    def spoken(self) -> str:
        return self.parser.get_http_version()

    # Piece by piece.

    def _parse(self, data: bytes) -> None:
        if self.line or RTSP_HINT in data:
            data = self._before_rtsp(data)
            if not data:
                return
        if self.phase == NOTHING:
            self.phase = HEAD
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.held[:0] = data[upgrade.args[0] :]  # it goes on in HTTP/1.1
            if self.held:
                self.resume()
            return
        except httptools.HttpParserCallbackError as error:
            if self.misplaced is None:
                raise error.__context__ or error from None
            self.fail(self.misplaced)
            return
        except httptools.HttpParserError as error:
            self.fail(BadRequest(f"the request is not HTTP: {error}", NOT_HTTP))
            return
        if self.phase != NOTHING:
            self._unfinished(data)

    def _before_rtsp(self, data: bytes) -> bytes:
        """As much as is not RTSP. Only when all before it is parsed one knows whether a request begins there."""
        place = rtsp.place(data)
        if place < len(data) and not self.is_advancing:
            self.held[:0] = data
            self._advance()
            return b""
        is_line = self.phase == HEAD and not self.coming
        if (self.phase == NOTHING and rtsp.is_asked(data)) or (is_line and rtsp.is_going_on(self.line, data)):
            self.held[:0] = data  # unread, so that nothing overtakes the refusal
            self.fail(BadRequest("RTSP is not spoken here", NOT_HTTP))
            return b""
        if b"\n" in data:
            self.line = b""
        self.held[:0] = data[place:]
        return data[:place]

    def _unfinished(self, piece: bytes) -> None:
        """A piece has been parsed, and the request that it began or continued is not complete."""
        if self.phase == HEAD:
            self._unfinished_head(piece)
            return
        if self.is_closing or (self.is_busy and not self.is_arriving) or self.behind:
            return
        data = self.request_body
        self.framing_size = 0 if len(data) > self.seen_size else self.framing_size + len(piece)
        self.seen_size = len(data)
        if self.framing_size > self.front.max_head:
            self.fail(BadRequest("the request's body is framing without content", NOT_HTTP))
        elif self.is_arriving:
            if data:
                self.request_body = b""
                self.seen_size = 0
                self.pass_on(bytes(data), last=False)
        elif self.is_opened:
            limit = self.limit(is_large=False)
            if len(data) > limit:
                self.fail(too_large(limit))
            else:
                self.make_room()
        else:
            self._open_early()

    def _unfinished_head(self, piece: bytes) -> None:
        size = len(piece)
        if self.head_size == 0:
            self.since = self.front.now
            size -= max(piece.rfind(self.url) - METHOD_MOST, 0)  # other requests may have come before it
        self.head_size += size
        self.line = b"" if self.coming else self.line + piece[piece.rfind(b"\n") + 1 :]
        if self.head_size >= self.front.max_head:
            limit_kb = self.front.config.max_head_kb
            self.fail(HeadersTooLarge(f"the request's head is over {limit_kb} KB", "send fewer or shorter headers"))
        elif len(self.coming) > FIELDS_MOST:
            self.fail(too_many_fields())

    def _open_early(self) -> None:
        self.is_opened = True
        self.pace = pace.begin(self.front.now)
        self.framing_size = self.seen_size = 0
        url, fields = self.url, self.coming
        self.url, self.coming = b"", []
        error = self.open(self.parser.get_method(), url, fields, "", keep=self.parser.should_keep_alive())
        if error is None and b"upgrade" in self.head_of:
            error = refuse_upgrade(self.head_of, b"it comes")
        if error is not None:
            self.fail(error)
            return
        self.serve_early(bytes(self.request_body))
        if self.is_arriving:
            self.request_body = b""  # it was passed on
        elif not self.is_closing:
            self.make_room()
        if not self.is_waiting:
            self.invite()
        self.update_reading()

    def _advance(self) -> None:
        """Serve what came behind, as far as it can be served now."""
        self.is_advancing = True
        while not self.is_closing and (self.is_arriving or not (self.is_busy or self.is_choked)):
            if self.is_arriving:
                if not self.held or (self.upload is not None and self.upload.is_full):
                    break
            elif self.behind:
                self._serve_behind(self.behind.popleft())
                continue
            elif self.broken is not None:
                self.fail(self.broken)
                break
            elif self.phase == BODY and not self.is_opened:
                self._unfinished(b"")
                continue
            if not self.held:
                break
            piece = bytes(self.held[: self.slice])
            del self.held[: self.slice]
            self._parse(piece)
        self.is_advancing = False
        if self.has_peer_ended and not (self.is_busy or self.is_closing or (self.is_choked and self.behind)):
            self.break_off()
        self.make_room_behind()
        self.update_reading()

    def _serve_behind(self, request: Behind) -> None:
        error = self.open(request.method, request.url, request.fields, request.version, keep=request.keep)
        if error is None and b"upgrade" in self.head_of:
            error = refuse_upgrade(self.head_of, request.body)
        if error is None:
            self.serve(request.body)
        else:
            self.behind.clear()
            self.fail(error)

    def fail(self, error: AttaccaError) -> None:
        """Nothing after this can be understood: answer what is owed, then this, and close."""
        if self.is_closing:
            return
        if self.is_arriving:
            self.break_upload(error)
        elif self.is_busy or self.behind:
            self.broken = error
        else:
            self.drop_collected()
            self.is_busy = self.is_arriving = True
            self.keep = self.is_head = self.is_old = False
            self.answer_error(error)

    # Reading on.

    def resume(self) -> None:
        has_more = self.behind or self.held or self.phase != NOTHING or self.broken is not None or self.has_peer_ended
        if has_more and not self.is_advancing:
            asyncio.get_running_loop().call_soon(self._advance)

    def update_reading(self) -> None:
        if self.is_closing:
            wants = True  # to see the end of it
        elif self.is_choked or self.is_waiting:
            wants = False
        elif self.is_arriving:
            wants = self.upload is None or not self.upload.is_full
        else:
            wants = not self.is_busy or len(self.held) <= HELD_MOST
        if wants != self.is_reading and not self.transport.is_closing():
            self.is_reading = wants
            if wants:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # Slow clients.

    def sweep(self, now: float, *, is_ending: bool) -> None:
        config = self.front.config
        spent_s = now - self.since
        if self.is_closing or self.is_choked:
            self._sweep_writing(now)
        elif self.is_waiting:
            self.sweep_waiting(spent_s)
        elif self.is_busy:
            self.sweep_arriving(now)
        elif self.phase == NOTHING:
            if (is_ending and not self.held) or spent_s > config.idle_timeout_s:
                self.break_off()
        elif self.phase == HEAD:
            if spent_s > config.head_timeout_s:
                self.fail(too_slow("head", config.head_timeout_s))
        elif not self.keeps_pace(now, len(self.request_body)):
            self.fail(too_slow("body", config.body_timeout_s))

    def abandon(self) -> None:
        self.is_closing = True
        self.transport.abort()

    def _sweep_writing(self, now: float) -> None:
        """Wait as long as the client reads at all."""
        unwritten = self.transport.get_write_buffer_size()
        if unwritten != self.unwritten:
            self.unwritten, self.since = unwritten, now
        patience_s = self.front.config.body_timeout_s if unwritten else self.front.config.linger_s
        if now - self.since > patience_s or not self.drains(now, unwritten):
            self.abandon()

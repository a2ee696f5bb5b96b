"""HTTP/2 without TLS, begun with prior knowledge: each stream is a request of HTTP/1.1 on a connection of its own.

So everything that is seen to there, from who may ask to how much may wait, is seen to here. `h2` speaks the protocol;
what it costs, a client pays who asked for it: one that speaks HTTP/1.1 is only looked at once, at its first bytes.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httptools

from attacca.gateway.http.connection import Connection
from attacca.gateway.http.server import HttpServer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAMS = 250  # at once, of one client
BROKEN = 1000  # streams that a client gives up, beyond those that were answered, before it is let go of
WINDOW = 1 << 20  # bytes of all bodies of a connection on their way to us
HIGH, LOW = 65_536, 16_384  # bytes of one answer that wait for the client: above, whoever writes waits; below, goes on
UNREAD = 4 << 20  # bytes of frames that a client has not read, after which it is let go of
NOT_PASSED = {b"connection", b"transfer-encoding", b"keep-alive", b"proxy-connection", b"upgrade", b"te"}
BODILESS = (b"GET", b"HEAD", b"DELETE", b"OPTIONS")


class Greeting(asyncio.Protocol):
    """Waits for the first bytes of a connection, and gives it to who speaks that."""

    transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self._server, self._first = server, b""

    def __repr__(self) -> str:
        return f"<Greeting {len(self._first)} bytes>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections[self] = None
        self._since = self._server.now

    def data_received(self, data: bytes) -> None:
        self._first += data
        if len(self._first) < len(PREFACE) and PREFACE.startswith(self._first):
            return
        self._server.connections.pop(self, None)
        spoken: Connection | Session
        spoken = Session(self._server) if self._first.startswith(PREFACE) else Connection(self._server)
        self.transport.set_protocol(spoken)
        spoken.connection_made(self.transport)
        spoken.data_received(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.leave(self)

    def sweep(self, now: float, *, is_ending: bool) -> None:
        config = self._server.config
        if now - self._since > (config.linger_s if is_ending else config.head_timeout_s):
            self.transport.close()

    def abandon(self) -> None:
        self.transport.abort()


class Session(asyncio.Protocol):
    """One client's HTTP/2 connection."""

    transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self._h2 = h2.connection.H2Connection(config)
        self._h2.local_settings.update(
            {
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: server.max_head,
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
            }
        )
        self.streams: dict[int, Stream] = {}
        self._since = server.now
        self._broken = 0
        self._is_over = False

    def __repr__(self) -> str:
        return f"<Session {len(self.streams)} streams, {self._broken} broken>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections[self] = None
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        for stream in list(self.streams.values()):
            stream.lose()
        self._server.leave(self)

    def data_received(self, data: bytes) -> None:
        self._since = self._server.now
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError:  # `h2` has written what it was
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._hear(event)
            if self._is_over:
                return
        self.flush()

    def _hear(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=number, headers=headers, stream_ended=ended):
                self._begin(number, cast(Iterable[tuple[bytes, bytes]], headers), has_body=ended is None)
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=size):
                if number in self.streams:
                    self.streams[number].bring(data, size)
                else:
                    self._h2.acknowledge_received_data(size, number)
            case h2.events.StreamEnded(stream_id=number):
                if number in self.streams:
                    self.streams[number].bring_end()
            case h2.events.StreamReset(stream_id=number):
                self._break(number)
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for stream in list(self.streams.values()):
                    stream.pour()
            case h2.events.ConnectionTerminated():
                self._end()
            case _:
                pass

    def _begin(self, number: int, headers: Iterable[tuple[bytes, bytes]], *, has_body: bool) -> None:
        stream = self.streams[number] = Stream(self, self._server, number, self.transport)
        stream.begin(*written(headers, has_body=has_body))

    def _break(self, number: int) -> None:
        """A client may give up what it likes, but not for a pastime."""
        stream = self.streams.pop(number, None)
        if stream is not None:
            stream.lose()
        self._broken += 1
        if self._broken > BROKEN:
            self._h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
            self._end()

    def _end(self) -> None:
        self.flush()
        self._is_over = True
        self.transport.close()

    # What the streams say.

    def flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
            if self.transport.get_write_buffer_size() > UNREAD:
                self.transport.abort()

    def head(self, number: int, status: int, fields: list[tuple[bytes, bytes]], *, is_whole: bool) -> None:
        self._h2.send_headers(number, [(b":status", b"%d" % status), *fields], end_stream=is_whole)
        self.flush()

    def send(self, number: int, data: bytearray, *, is_last: bool) -> bool:
        """As much as the client lets us, out of `data`. True: that was the end."""
        while data:
            size = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size, len(data))
            if size <= 0:
                self.flush()
                return False
            self._h2.send_data(number, bytes(data[:size]))
            del data[:size]
        if is_last:
            self._h2.end_stream(number)
        self.flush()
        return is_last

    def taken(self, number: int, size: int) -> None:
        if size and not self._is_over:
            self._h2.acknowledge_received_data(size, number)
            self.flush()

    def left(self, number: int, *, is_whole: bool) -> None:
        """The server is done with this stream."""
        if self.streams.pop(number, None) is None or self._is_over:
            return
        if is_whole:
            self._broken = max(self._broken - 1, 0)
        else:
            try:
                self._h2.reset_stream(number, h2.errors.ErrorCodes.INTERNAL_ERROR)
            except h2.exceptions.ProtocolError:  # it is closed
                return
        self.flush()

    # Slow clients (server.Swept); of a stream its own connection is swept.

    def sweep(self, now: float, *, is_ending: bool) -> None:
        config = self._server.config
        if any(now - stream.moved_at > config.body_timeout_s for stream in self.streams.values() if stream.is_waiting):
            self.transport.abort()
        elif not self.streams and (is_ending or now - self._since > config.idle_timeout_s):
            self._h2.close_connection()
            self._end()

    def abandon(self) -> None:
        self.transport.abort()


def written(headers: Iterable[tuple[bytes, bytes]], *, has_body: bool) -> tuple[bytes, bool]:
    """A request's head as HTTP/1.1 has it, and whether its body goes in chunks. `h2` has seen to it that the names are
    in lower case and that nothing breaks out of its line."""
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    cookies: list[bytes] = []
    has_length = False
    for name, value in headers:
        if name.startswith(b":"):
            pseudo[name] = value
        elif name == b"cookie":
            cookies.append(value)
        elif name not in NOT_PASSED and not (name == b"host" and b":authority" in pseudo):
            has_length = has_length or name == b"content-length"
            lines.append(name + b": " + value)
    if b":authority" in pseudo:
        lines.insert(0, b"host: " + pseudo[b":authority"])
    if cookies:
        lines.append(b"cookie: " + b"; ".join(cookies))
    method = pseudo.get(b":method", b"GET")
    is_chunked = has_body and not has_length
    if is_chunked:
        lines.append(b"transfer-encoding: chunked")
    elif not has_body and not has_length and method not in BODILESS:
        lines.append(b"content-length: 0")
    head = b" ".join((method, pseudo.get(b":path", b"/"), b"HTTP/1.1"))
    return b"\r\n".join((head, *lines, b"connection: close", b"", b"")), is_chunked


class Stream(asyncio.Transport):
    """The transport of one stream's connection: what that writes is parsed and goes out as frames."""

    def __init__(self, session: Session, server: HttpServer, number: int, below: asyncio.Transport) -> None:
        super().__init__()
        self._session, self._number, self._below = session, number, below
        self._server = server
        self._connection = Connection(server)
        self.moved_at = server.now  # when the client took some of the answer, or there was nothing that it could take
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._out = bytearray()
        self._unread = 0  # bytes that have come while nobody reads, of which the client is told later
        self._is_chunked = self._is_reading = False
        self._has_head = self._has_all = self._is_done = self._is_closing = self._is_full = self._is_head = False

    def __repr__(self) -> str:
        state = "done" if self._is_done else "answering" if self._has_head else "asked"
        return f"<Stream {self._number} {state}, {len(self._out)} bytes wait>"

    @property
    def is_waiting(self) -> bool:
        """For its client to take the rest of an answer, which nobody else waits for."""
        return self._is_closing and not self._is_done

    # From the client.

    def begin(self, head: bytes, is_chunked: bool) -> None:  # noqa: FBT001 - what `written` returns
        self._is_chunked, self._is_reading, self._is_head = is_chunked, True, head.startswith(b"HEAD ")
        self._connection.connection_made(self)
        self._connection.data_received(head)

    def bring(self, data: bytes, size: int) -> None:
        if self._is_closing:
            self._session.taken(self._number, size)
            return
        if data:
            self._connection.data_received(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        if self._is_reading or self._is_closing:
            self._session.taken(self._number, size)
        else:
            self._unread += size

    def bring_end(self) -> None:
        if self._is_chunked and not self._is_closing:
            self._connection.data_received(b"0\r\n\r\n")

    def lose(self) -> None:
        """The client is gone, or has given this up."""
        if not self._is_closing:
            self._is_closing = self._is_done = True
            self._connection.connection_lost(None)

    def pour(self) -> None:
        """Send what waits, as far as the client lets us."""
        if self._is_done or not self._has_head:
            return
        before = len(self._out)
        is_over = self._session.send(self._number, self._out, is_last=self._has_all)
        if not before or len(self._out) < before:
            self.moved_at = self._server.now
        if is_over:
            self._finish()
        if self._is_full and len(self._out) < LOW and not self._is_closing:
            self._is_full = False
            self._connection.resume_writing()

    def _finish(self) -> None:
        self._is_done = True
        self._session.left(self._number, is_whole=True)

    # What the parser finds in the answer.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in NOT_PASSED:
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        fields, self._fields = self._fields, []
        if status < 200:
            return  # it is invited to send, which it does anyway
        self._has_head, self._has_all = True, self._is_head
        self._session.head(self._number, status, fields, is_whole=False)

    def on_body(self, data: bytes) -> None:
        self._out += data

    def on_message_complete(self) -> None:
        self._has_all = self._has_all or self._has_head

    # asyncio.Transport, as the connection sees it.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or self._is_done:
            return
        self._parser.feed_data(bytes(data))
        self.pour()
        if len(self._out) > HIGH and not self._is_full:
            self._is_full = True
            self._connection.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)
        if not self._is_done and not self._has_all:
            self._is_done = True
            self._session.left(self._number, is_whole=False)

    def abort(self) -> None:
        self._has_all = self._has_all and not self._out
        self.close()

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        size, self._unread = self._unread, 0
        self._session.taken(self._number, size)

    def get_write_buffer_size(self) -> int:
        return len(self._out)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return None if name == "socket" else self._below.get_extra_info(name, default)

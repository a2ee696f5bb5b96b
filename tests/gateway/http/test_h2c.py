"""HTTP/2 as clients speak it, with `h2` on their side, over a connection in memory."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from hpack import Encoder
from hyperframe.frame import HeadersFrame, RstStreamFrame
from hypothesis import given
from hypothesis import strategies as st

from attacca.gateway.http import h2c
from attacca.gateway.http.h2c import PREFACE, Greeting, Session, written
from tests.gateway.http.stage import Line, Stage
from tests.gateway.wire import post

ECHO = ((":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/function/echo"))


class Client:
    """A client of HTTP/2."""

    def __init__(self, stage: Stage) -> None:
        self.line = Line(stage, Greeting)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self._seen = 0
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.reset: dict[int, int] = {}
        self.is_told_to_go = False
        self.talk()

    def talk(self) -> None:
        """Until neither has anything more to say."""
        while True:
            self.line.send(self.h2.data_to_send())
            said, self._seen = bytes(self.line.out[self._seen :]), len(self.line.out)
            if not said:
                return
            for event in self.h2.receive_data(said):
                self._hear(event)

    def _hear(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=number, headers=headers):
                self.heads[number] = {str(name): str(value) for name, value in headers}
                self.bodies[number] = b""
            case h2.events.DataReceived(stream_id=number, data=data):
                self.bodies[number] += data
            case h2.events.StreamEnded(stream_id=number):
                self.ended.append(number)
            case h2.events.StreamReset(stream_id=number, error_code=code):
                self.reset[number] = code
            case h2.events.ConnectionTerminated():
                self.is_told_to_go = True
            case _:
                pass

    def ask(self, body: bytes, *more: tuple[str, str], ends: bool = True) -> int:
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, [*ECHO, *more], end_stream=not body and ends)
        if body:
            self.h2.send_data(number, body, end_stream=ends)
        self.talk()
        return number

    def read(self, number: int) -> None:
        """Let the rest of it come."""
        while number not in self.ended:
            self.h2.increment_flow_control_window(65_535)
            self.h2.increment_flow_control_window(65_535, number)
            self.talk()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_many_requests_share_a_connection_and_are_answered_each(stage: Stage) -> None:
    client = Client(stage)
    asked = {client.ask(b"%d" % count, ("content-type", "application/json")): count for count in range(5)}
    for number, count in asked.items():
        assert client.heads[number][":status"] == "200"
        assert client.bodies[number] == b"%d" % count
    assert client.ended == list(asked)
    assert "connection" not in client.heads[1]
    assert repr(client.line.connection) == "<Session 0 streams, 0 broken>"
    assert len(stage.server.connections) == 1


def test_who_speaks_the_older_protocol_is_answered_in_it(stage: Stage) -> None:
    line = Line(stage, Greeting)
    request = post("/function/echo", b"1")
    line.send(request[:1], request[1:])
    assert line.answer(b"POST").body == b"1"


def test_a_beginning_may_come_byte_by_byte(stage: Stage) -> None:
    line = Line(stage, Greeting)
    assert repr(line.connection) == "<Greeting 0 bytes>"
    for at in range(len(PREFACE) - 1):
        line.send(PREFACE[at : at + 1])
    assert repr(line.connection) == "<Greeting 23 bytes>"
    line.send(PREFACE[-1:])
    assert isinstance(line.connection, Session)


def test_a_body_comes_with_and_without_its_length(stage: Stage) -> None:
    client = Client(stage)
    body = b"[" + b"1," * 20_000 + b"1]"
    with_length = client.ask(b"", ("content-length", str(len(body))), ends=False)
    without = client.ask(b"", ends=False)
    for number in (with_length, without):
        for at in range(0, len(body), 8192):
            client.h2.send_data(number, body[at : at + 8192])
            client.talk()
        client.h2.end_stream(number)
        client.talk()
        client.read(number)
        assert client.bodies[number] == body


def test_what_a_client_does_not_read_waits_and_is_bounded(stage: Stage) -> None:
    client = Client(stage)
    body = b'"' + b"x" * 300_000 + b'"'
    number = client.ask(b"", ends=False)
    for at in range(0, len(body), 16_000):
        client.h2.send_data(number, body[at : at + 16_000])
        client.talk()
    client.h2.end_stream(number)
    client.talk()
    assert len(client.bodies[number]) == 65_535, "a client's window"
    [stream] = client.line.connection.streams.values()
    assert repr(stream) == f"<Stream {number} answering, {len(body) - 65_535} bytes wait>"
    client.read(number)
    assert client.bodies[number] == body


def test_no_body_is_told_of_by_a_head(stage: Stage) -> None:
    client = Client(stage)
    number = client.h2.get_next_available_stream_id()
    client.h2.send_headers(number, [(":method", "HEAD"), *ECHO[1:3], (":path", "/healthz")], end_stream=True)
    client.talk()
    assert (client.heads[number][":status"], client.bodies[number], client.ended) == ("200", b"", [number])


def test_errors_are_answers_of_their_stream_alone(stage: Stage) -> None:
    client = Client(stage)
    number = client.h2.get_next_available_stream_id()
    client.h2.send_headers(number, [*ECHO[:3], (":path", "/function/nothing")], end_stream=True)
    client.talk()
    assert client.heads[number][":status"] == "404"
    assert client.bodies[client.ask(b"1")] == b"1"


def test_what_its_client_gives_up_is_left_and_not_for_a_pastime(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h2c, "BROKEN", 50)
    client = Client(stage)
    head, why = Encoder().encode(ECHO), h2.errors.ErrorCodes.CANCEL
    for number in range(1, 2 * h2c.BROKEN + 3, 2):
        opened = HeadersFrame(number, head, flags=["END_HEADERS"])
        client.line.send(opened.serialize() + RstStreamFrame(number, why).serialize())
    client.talk()
    assert client.is_told_to_go
    assert client.line.is_closing()
    assert not stage.server.connections


def test_nonsense_ends_the_connection(stage: Stage) -> None:
    client = Client(stage)
    client.line.send(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x")  # data of no stream
    client.talk()
    assert client.is_told_to_go
    assert client.line.is_closing()


FRAME = st.builds(
    lambda size, kind, flags, number, data: size.to_bytes(3) + bytes((kind, flags)) + number.to_bytes(4) + data,
    *(st.integers(0, 40), st.integers(0, 10), st.integers(0, 255), st.integers(0, 7), st.binary(max_size=40)),
)


@given(st.lists(st.one_of(FRAME, st.just(b"\0\0\0\4\0\0\0\0\0"), st.binary(max_size=30)), max_size=6))
def test_any_bytes_are_frames_or_the_end(pieces: list[bytes]) -> None:
    stage = Stage()
    line = Line(stage, Greeting)
    line.send(PREFACE, *pieces)
    line.leave()
    assert not stage.server.connections
    assert stage.gateway.busy() == 0


def test_idle_ones_go_when_the_server_ends(stage: Stage) -> None:
    client = Client(stage)
    greeting = Line(stage, Greeting)
    stage.loop.do(stage.server.drain)
    for one in list(stage.server.connections):
        stage.loop.do(lambda one=one: one.sweep(stage.server.now, is_ending=True))
    client.talk()
    assert client.is_told_to_go
    assert not greeting.is_closing()  # what it has come for may be on its way
    for one in list(stage.server.connections):
        late = stage.server.now + stage.server.config.linger_s + 1
        stage.loop.do(lambda one=one, late=late: one.sweep(late, is_ending=True))
    assert greeting.is_closing()


def test_a_head_is_written_as_the_older_protocol_has_it() -> None:
    fields = (
        (b":method", b"PUT"),
        (b":path", b"/a?b"),
        (b":authority", b"h"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
    )
    head, is_chunked = written((*fields, (b"te", b"trailers")), has_body=True)
    assert head.split(b"\r\n") == [
        b"PUT /a?b HTTP/1.1", b"host: h", b"cookie: a=1; b=2", b"transfer-encoding: chunked", b"connection: close",
        b"", b"",
    ]  # fmt: skip
    assert is_chunked
    assert written(fields, has_body=False)[0].endswith(b"content-length: 0\r\nconnection: close\r\n\r\n")


BEHIND = "\r\nhost: localhost\r\n\r\nPOST /function/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1"


@pytest.mark.parametrize(
    "fields",
    [
        (*ECHO, ("x-a", f"b{BEHIND}")),
        (*ECHO, ("x-a", "b\nc: d")),
        (*ECHO, ("x-a\r\nb", "c")),
        (*ECHO, ("transfer-encoding ", "chunked")),
        (*ECHO, ("content-length", "5"), ("content-length", "5")),
        (*ECHO[:3], (":path", f"/function/echo HTTP/1.1{BEHIND}")),
        (*ECHO[:3], (":path", "/function/echo HTTP/1.1 x")),
        ((":method", f"POST /function/echo HTTP/1.1{BEHIND}"), *ECHO[1:]),
        (*ECHO[:2], (":authority", "localhost\r\nx: y"), ECHO[3]),
    ],
)
def test_nothing_breaks_out_of_its_line(stage: Stage, fields: tuple[tuple[str, str], ...]) -> None:
    client = Client(stage)
    client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
    client.h2.send_headers(1, fields, end_stream=True)
    client.talk()
    assert client.is_told_to_go or client.heads[1][":status"] == "400"
    assert not stage.worker.dispatched

"""RTSP is told from HTTP by its request line alone, however that is cut."""

from attacca.gateway.http.rtsp import is_asked, is_going_on, place
from tests.cases import each

LINE = b"GET /x RTSP/1.0\r\n"


@each("data", [LINE, b"\r\n\n" + LINE, b"POST  /x   RTSP/1.1\r\nHost: x", b"endOPTIONS * RTSP/1.1"])
def test_a_request_line_names_rtsp(data: bytes) -> None:
    for cut in range(data.index(b"RTSP")):
        assert is_going_on(data[:cut], data[cut:])


@each(
    "data",
    [
        b"GET /x HTTP/1.1\r\nX: GET /x RTSP/1.1\r\n",
        b"X: GET /x RTSP/1.1\r\n",
        b"GET /xRTSP/1.1 HTTP/1.1\r\n",
        b"GET /x?y=RTSP/1.1 HTTP/1.1\r\n",
        b"GET /x rtsp/1.1\r\n",
        b"",
    ],
)
def test_nothing_else_does(data: bytes) -> None:
    for cut in range(len(data) + 1):
        assert not is_going_on(data[:cut], data[cut:])


def test_of_a_method_the_beginning_may_have_come() -> None:
    for cut in range(len("GET ") + 1):
        assert is_asked(LINE[cut:])
    assert not is_asked(b"GET /x HTTP/1.1\r\nX: GET /x RTSP/1.1\r\n\r\n")


def test_the_place_is_behind_the_first_byte() -> None:
    assert place(LINE) == len(LINE)
    assert place(b"ab" + LINE) == 2
    assert place(LINE + LINE) == len(LINE)
    assert place(b"nothing") == 7

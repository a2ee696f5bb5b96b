"""However bytes are cut, the reader sees the same requests, stops at the same place, and keeps no more than it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import AttaccaError, Forbidden
from attacca.gateway.http.reader import HEADS_KEPT, HEADS_SEEN, MISSES_MOST, Heads, Part, Reader
from attacca.gateway.http.request import Head
from tests.cases import each
from tests.gateway.wire import CHUNKED, chunk, get, post

LIMIT = 4096


def judge(head: Head) -> AttaccaError | None:
    return None


def reader(heads: Heads | None = None) -> Reader:
    return Reader(LIMIT, heads or Heads(), judge)


def read(*pieces: bytes) -> tuple[list[tuple[bytes, bytes, bytes]], Reader]:
    one = reader()
    for piece in pieces:
        if one.error is None:
            one.feed(piece)
    return [(head.method, head.url, body) for head, body in one.requests], one


def code(one: Reader) -> str:
    return "" if one.error is None else one.error.code


def test_requests_wherever_they_are_cut() -> None:
    data = (
        post("/a", b"first")
        + get("/b", CHUNKED, method="PUT")
        + b"3;x=y\r\nsec\r\n3\r\nond\r\n0\r\nT: 1\r\n\r\n"
        + get("/c")
    )
    whole = [(b"POST", b"/a", b"first"), (b"PUT", b"/b", b"second"), (b"GET", b"/c", b"")]
    assert read(data)[0] == whole
    assert read(*(data[at : at + 1] for at in range(len(data))))[0] == whole
    for at in range(1, len(data)):
        assert read(data[:at], data[at:])[0] == whole


def test_a_body_that_still_comes_is_taken_in_pieces() -> None:
    one = reader()
    one.feed(post("/a", b"abcdef")[:-4])
    assert one.coming is not None
    assert (one.coming.announced, bytes(one.body), one.part) == (6, b"ab", Part.BODY)
    assert one.take_head().url == b"/a"
    one.feed(b"cd")
    assert one.take_body() == b"abcd"
    one.feed(b"ef" + get("/b") + get("/c")[:5])
    assert one.take_rest() == b"ef"
    assert [head.url for head, _ in one.requests] == [b"/b"]
    assert one.part is Part.HEAD
    assert repr(one) == "<Reader head, head 21 bytes, body 0, 1 requests complete>"


def test_a_body_that_was_not_taken_is_whole_in_the_end() -> None:
    requests, one = read(post("/a", b"abcdef")[:-4], b"cd", b"ef")
    assert requests == [(b"POST", b"/a", b"abcdef")]
    assert one.coming is None


@each(
    "pieces, error",
    [
        ((b"nonsense\r\n\r\n",), "bad_request"),
        ((get("/", CHUNKED, "Content-Length: 3", method="POST"),), "bad_request"),
        ((get("/", CHUNKED, method="POST"), b"zz\r\n"), "bad_request"),
        ((get("/", CHUNKED, method="POST"), b"0\r\nConnection: close\r\n\r\n"), "bad_request"),
        ((get("/", "Upgrade: websocket", "Connection: upgrade"),), "unsupported"),
        ((get("/", "Upgrade: websocket", "Content-Length: 5"), b"x"), "unsupported"),
        ((get("/", "Upgrade: h2c", "Connection: upgrade", "Content-Length: 3") + b"abc",), "bad_request"),
        ((b"GET /" + b"x" * LIMIT,), "headers_too_large"),
        ((b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 250,), "headers_too_large"),
        ((get("/", version="RTSP/1.0"),), "bad_request"),
        ((b"GET / RT", b"SP/1.0\r\n\r\n"), "bad_request"),
        ((b"GET / HTTP/1.1\r\n", b"GET / RTSP/1.0\r\n\r\n"), "bad_request"),
    ],
)
def test_what_stops_it(pieces: tuple[bytes, ...], error: str) -> None:
    requests, one = read(*pieces)
    assert (requests, code(one)) == ([], error)
    requests, one = read(post("/a", b"x") + pieces[0], *pieces[1:])
    assert (requests, code(one)) == ([(b"POST", b"/a", b"x")], error), "what came before it is still answered"


def test_the_first_error_stands() -> None:
    _, one = read(b"nonsense\r\n\r\n")
    first = one.error
    assert first is not None
    one.stop(AttaccaError("another"))
    assert one.error is first


def test_framing_without_content_is_bounded() -> None:
    _, one = read(get("/", CHUNKED, method="POST") + b"1;" + b"e" * 2000, b"e" * 2000, b"e" * 2000, b"e" * 2000)
    assert code(one) == "bad_request"
    _, one = read(get("/", CHUNKED, method="POST"), *[b"1;" + b"e" * 2000 + b"\r\nx\r\n"] * 20)
    assert (code(one), len(one.body)) == ("", 20)


def test_a_head_is_measured_by_itself() -> None:
    small = post("/a", b"x" * 3000)
    assert code(read(small + get("/", "X: " + "y" * 2000)[:-4])[1]) == ""
    assert code(read(small + get("/", "X: " + "y" * 2000)[:-4], b"y" * 2100)[1]) == "headers_too_large"


def test_an_upgrade_is_read_on_in_http() -> None:
    asks = get("/a", "Upgrade: h2c", "Connection: upgrade")
    assert [url for _, url, _ in read(asks)[0]] == [b"/a"]
    assert [url for _, url, _ in read(asks + get("/b") + asks, get("/c"))[0]] == [b"/a", b"/b", b"/a", b"/c"]


def test_rtsp_may_be_spoken_of() -> None:
    text = get("/x", version="RTSP/1.1")
    requests, one = read(post("/a", text * 3, "X: GET /x RTSP/1.1") + get("/b"))
    assert ([url for _, url, _ in requests], one.error) == ([b"/a", b"/b"], None)
    requests, one = read(post("/a", text) + text + get("/b"))
    assert ([url for _, url, _ in requests], code(one)) == ([b"/a"], "bad_request")


def test_what_a_bug_raises_is_not_taken_for_bad_http() -> None:
    def broken(head: Head) -> AttaccaError | None:
        raise KeyError(head.url)

    with pytest.raises(KeyError):
        Reader(LIMIT, Heads(), broken).feed(get("/"))


# Heads that came before.


def seen(*requests: bytes) -> Heads:
    """Each of them twice."""
    heads = Heads()
    for data in requests:
        for _ in range(2):
            reader(heads).whole(data)
    return heads


def test_one_whole_request_is_given_at_once() -> None:
    one = reader()
    request = one.whole(post("/a", b"abc"))
    assert request is not None
    assert (request[0].url, request[1]) == (b"/a", b"abc")
    assert one.whole(post("/a", b"abc") * 2) is None
    assert len(one.requests) == 2
    assert reader().whole(post("/a", b"abc")[:-1]) is None
    assert reader().whole(b"nonsense\r\n\r\n") is None
    assert reader().whole(post("/a", b"GET /x RTSP/1.1")) is not None


def test_a_head_that_came_twice_is_known_by_its_bytes() -> None:
    data = post("/a", b"abc", "X-One: 1")
    heads = Heads()
    for number, text in enumerate(("<Heads 0 of 256, 0 seen once>", "<Heads 0 of 256, 1 seen once>")):
        assert repr(heads) == text
        assert len(heads.known) == 0, number
        assert reader(heads).whole(data) is not None
    [known] = heads.known.values()
    again = reader(heads).whole(data[:-3] + b"xyz")
    assert again is not None
    assert again[0] is known
    assert again[1] == b"xyz"
    assert reader(heads).whole(data[:-1]) is None, "not all of it is there"
    assert reader(heads).whole(data + b"G") is None, "more than it is there"
    other = reader(heads).whole(post("/a", b"abc", "X-One: 2"))
    assert other is not None
    assert other[0] is not known


KNOWN = [post("/a", b"abc"), get("/b"), post("/c", b"GET / HTTP/1.1\r\n\r\n", "X: y")]
PARTS = st.sampled_from(
    [*KNOWN, *KNOWN, b"G", b"\r\n", b"POST ", b"abc", post("/a", b"abc")[:-1], get("/b", "Connection: close")]
)


@pytest.mark.long
@given(st.lists(PARTS, max_size=6), st.lists(st.integers(0, 200), max_size=3))
def test_what_is_known_is_read_as_if_it_were_not(parts: list[bytes], cuts: list[int]) -> None:
    """Pieces end where parts do, or anywhere."""
    pieces = list(parts)
    for cut in cuts:
        pieces = [half for piece in pieces for half in (piece[:cut], piece[cut:]) if half]
    parsed = reader()
    for piece in pieces:
        if parsed.error is None:
            parsed.feed(piece)
    remembers = reader(seen(*KNOWN))
    requests: list[tuple[Head, bytes]] = []
    for piece in pieces:
        if remembers.error is not None:
            break
        if remembers.part is Part.NOTHING and not remembers.requests:
            request = remembers.whole(piece)
            requests += [] if request is None else [request]
        else:
            remembers.feed(piece)
        requests += remembers.requests
        remembers.requests.clear()
    assert [(head.url, head.fields, body) for head, body in requests] == [
        (head.url, head.fields, body) for head, body in parsed.requests
    ]
    assert (code(remembers), remembers.part) == (code(parsed), parsed.part)


def test_who_never_sends_the_same_is_looked_up_only_now_and_then() -> None:
    heads = seen(get("/known"))
    one = reader(heads)
    for number in range(5 * MISSES_MOST):
        one.whole(get(f"/{number}"))
    hits = [one.whole(get("/known")) for _ in range(MISSES_MOST)]
    [known] = heads.known.values()
    assert all(hit is not None for hit in hits)
    assert hits[-1] is not None
    assert hits[-1][0] is known


@each(
    "data",
    [
        get("/", "Connection: close"),
        get("/", "Connection: keep-alive", version="HTTP/1.0"),
        get("/", CHUNKED, method="POST") + b"0\r\n\r\n",
        get("/", CHUNKED, method="POST") + chunk(3) + b"0\r\n\r\n",
        get("/", "Upgrade: h2c", "Connection: upgrade"),
        get("/", "Authorization: Bearer x"),
        get("/", "Cookie: a=b"),
        get("/", "X: " + "y" * 2000),
        get("/", *(f"x{number}: y" for number in range(40))),
        get("/") + get("/"),
        b"\r\n\r\n" + get("/"),
        get("/")[:-1],
    ],
)
def test_heads_that_say_more_than_their_bytes_are_not_kept(data: bytes) -> None:
    assert not seen(data).known


def test_a_refused_head_is_not_kept() -> None:
    def refuse(head: Head) -> None:
        head.refusal = Forbidden("no", "")

    heads = Heads()
    for _ in range(3):
        assert Reader(LIMIT, heads, refuse).whole(get("/")) is not None
    assert not heads.known


@pytest.mark.long
def test_what_is_kept_is_bounded() -> None:
    heads = Heads()
    for number in range(3 * HEADS_SEEN):
        reader(heads).whole(get(f"/{number}"))
        if number % 2:
            reader(heads).whole(get(f"/{number}"))
    assert len(heads.known) <= HEADS_KEPT
    assert int(repr(heads).split()[4]) <= HEADS_SEEN

"""Bytes become requests: parsed once, bounded in every part, and kept until somebody takes them.

    nothing ──first byte──▶ head ──blank line──▶ body ──last byte──▶ nothing

What is complete waits in `requests`. Of one whose body still comes, the head is in `coming` until it is taken; from
then on the body is taken piece by piece, and its last piece is `rest`. Behind an `error` nothing more is read.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum

import httptools

from attacca.errors import AttaccaError, BadRequest, HeadersTooLarge
from attacca.gateway.http import rtsp
from attacca.gateway.http.access import FIELDS_MOST, too_many_fields
from attacca.gateway.http.request import Fields, Head, head, refuse_upgrade

SLICE = 16 * 1024  # bytes parsed at once: bounds the requests that pile up behind one that is being served
METHOD_MOST = 20  # bytes
NOT_HTTP = "send HTTP/1.1, with one length for each body"
END = b"\r\n\r\n"
NO_TRAILERS = frozenset(  # too late for them, and the parser would follow them all the same
    (b"connection", b"proxy-connection", b"upgrade", b"content-length", b"transfer-encoding")
)
HEADS_KEPT, HEADS_SEEN, HEAD_KEPT_MOST, FIELDS_KEPT_MOST = 256, 1024, 1024, 32
MISSES_MOST = 16
SECRET = (b"authorization", b"cookie", b"proxy-authorization")


class Part(IntEnum):
    """How much of the next request has come."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


NOTHING, HEAD, BODY = Part.NOTHING, Part.HEAD, Part.BODY


class Heads:
    """Heads that came before, as bytes: clients that ask again send the same, and need not be parsed again.

    Kept are those that came twice, and of which all is decided by their bytes: nobody's secrets, no framing but a
    length, no refusal.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}
        self._seen: set[int] = set()  # hashes of others that came lately

    def __repr__(self) -> str:
        return f"<Heads {len(self.known)} of {HEADS_KEPT}, {len(self._seen)} seen once>"

    def keep(self, text: bytes, one: Head, body: bytes) -> None:
        """`text` is the head's, and this body came with it, and nothing else."""
        key = hash(text)
        if key not in self._seen:
            if len(self._seen) >= HEADS_SEEN:
                self._seen.clear()
            self._seen.add(key)
            return
        named = one.named
        is_plain = one.keep and not one.is_old and one.refusal is None and b"upgrade" not in named
        is_small = len(text) <= HEAD_KEPT_MOST and len(one.fields) <= FIELDS_KEPT_MOST
        if is_plain and is_small and not one.is_chunked and not any(name in named for name in SECRET):
            one.length = len(body)
            if len(self.known) >= HEADS_KEPT:
                self.known.clear()
            self.known[text] = one


class Reader:
    """`judge` says what is wrong with a head, or notes in it why its sender may not call functions."""

    __slots__ = (
        "_fields",
        "_framing_size",
        "_heads",
        "_is_fresh",
        "_is_taken",
        "_judge",
        "_line",
        "_misplaced",
        "_misses",
        "_parser",
        "_seen_size",
        "_url",
        "body",
        "coming",
        "error",
        "head_size",
        "max_head",
        "part",
        "requests",
        "rest",
    )  # fmt: skip
    __deletable__ = ("_parser",)  # as mypyc wants to know

    def __init__(self, max_head: int, heads: Heads, judge: Callable[[Head], AttaccaError | None]) -> None:
        self.max_head = max_head
        self.requests: deque[tuple[Head, bytes]] = deque()
        self.coming: Head | None = None
        self.body: bytes | bytearray = b""  # what has come of the request that is being parsed, and was not taken
        self.rest: bytes | None = None
        self.error: AttaccaError | None = None
        self.part = NOTHING
        self.head_size = 0  # bytes of a head that is not complete yet
        self._heads = heads
        self._judge = judge
        self._parser = httptools.HttpRequestParser(self)
        self._misses = 0  # heads that were not known, in a row: who never sends the same is not looked up each time
        self._url = b""
        self._fields: Fields = []
        self._line = b""  # what has come of its first line, until a field has
        self._is_taken = False  # its head was taken before its body had come
        self._is_fresh = False  # its head has been completed by the latest piece
        self._framing_size = 0  # bytes of a body's framing since it last brought something
        self._seen_size = 0  # of its body, when that was looked at last
        self._misplaced: BadRequest | None = None  # a trailer that the parser was stopped at

    def __repr__(self) -> str:
        sizes = f"head {self.head_size} bytes, body {len(self.body)}"
        return f"<Reader {self.part.name.lower()}, {sizes}, {len(self.requests)} requests complete>"

    def whole(self, data: bytes) -> tuple[Head, bytes] | None:
        """The request, if just one is in these bytes, whole, and nothing came before. Otherwise they have been fed."""
        misses, text = self._misses, b""
        if misses < MISSES_MOST or misses % MISSES_MOST == 0:
            at = data.find(END) + 4
            text = data[:at]
            known = self._heads.known.get(text)
            if known is not None and known.length == len(data) - at:
                self._misses = 0
                return known, data[at:]
        self._misses = misses + 1
        if self._line or rtsp.HINT in data:
            self._feed_watchfully(data)
        else:
            self._parse(data)
        requests = self.requests
        if len(requests) != 1 or self.part is not NOTHING or self.error is not None:
            return None
        request = requests.popleft()
        if text and len(text) + len(request[1]) == len(data):
            self._heads.keep(text, *request)
        return request

    def feed(self, data: bytes) -> None:
        if self._line or rtsp.HINT in data:
            self._feed_watchfully(data)
        else:
            self._parse(data)

    def take_head(self) -> Head:
        """Of the request whose body still comes; from now on that is taken piece by piece."""
        opened, self.coming, self._is_taken = self.coming, None, True
        assert opened is not None
        return opened

    def take_body(self) -> bytes:
        body, self.body, self._seen_size = bytes(self.body), b"", 0
        return body

    def take_rest(self) -> bytes:
        rest, self.rest = self.rest, None
        assert rest is not None
        return rest

    def close(self) -> None:
        """The parser holds this reader's methods: a circle that the garbage collector would have to find."""
        del self._parser
        self.requests.clear()
        self.body, self.rest, self.coming = b"", None, None

    # What the parser says.

    def on_message_begin(self) -> None:
        self.part = HEAD
        self.head_size = 0

    def on_url(self, url: bytes) -> None:
        if self._url:
            self._url += url
        else:
            self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.part is HEAD:
            self._fields.append((name.lower(), value))
        elif name.lower() in NO_TRAILERS:  # of the others nobody asked for any
            self._misplaced = BadRequest(f"{name.decode('latin-1')} is no field behind a body", "send it in the head")
            raise self._misplaced

    def on_headers_complete(self) -> None:
        self.part = BODY
        self._is_fresh = True

    def on_body(self, data: bytes) -> None:
        body = self.body
        if not body:
            self.body = data
        elif type(body) is bytearray:
            body += data
        else:
            self.body = bytearray(body) + data

    def on_message_complete(self) -> None:
        self.part = NOTHING
        body, self.body = self.body, b""
        if not isinstance(body, bytes):
            body = bytes(body)
        if self._is_taken:
            self._is_taken = False
            self.rest = body
            return
        complete = self.coming
        if complete is None:
            complete = self._open(has_body=bool(body))
        else:
            self.coming = None
        if complete is not None:
            self.requests.append((complete, body))

    def _open(self, *, has_body: bool) -> Head | None:
        """The head that is complete; None where something is wrong with it, or with what came before."""
        if self.error is not None:
            return None
        url, fields = self._url, self._fields
        self._url, self._fields = b"", []
        parser, named = self._parser, dict(fields)
        keep = parser.should_keep_alive()
        if not keep:
            self._heads = Heads()  # nothing comes behind it, and what does is for the parser to refuse
        # Kept alive without a word about it: that is HTTP/1.1.
        version = "1.1" if keep and b"connection" not in named else parser.get_http_version()
        opened = head(parser.get_method(), url, fields, named, version, keep)
        error = self._judge(opened)
        if error is None and b"upgrade" in named:
            error = refuse_upgrade(opened, has_body=has_body)
        if error is None:
            return opened
        self.error = error
        return None

    # Piece by piece.

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]  # it goes on in HTTP/1.1
                if data and self.error is None:
                    continue
                return
            except httptools.HttpParserCallbackError as error:
                if self._misplaced is None:
                    raise error.__context__ or error from None
                self.stop(self._misplaced)
            except httptools.HttpParserError as error:
                self.stop(BadRequest(f"the request is not HTTP: {error}", NOT_HTTP))
            break
        if self.part is not NOTHING and self.error is None:
            self._measure(data)

    def stop(self, error: AttaccaError) -> None:
        """Nothing more is read; what is complete is still answered."""
        if self.error is None:
            self.error = error

    def _feed_watchfully(self, data: bytes) -> None:
        """There may be RTSP in it. Only when all before it is parsed one knows whether a request begins there."""
        while data and self.error is None:
            place = rtsp.place(data) if rtsp.HINT in data else len(data)
            is_line = self.part is HEAD and not self._fields
            if (self.part is NOTHING and rtsp.is_asked(data)) or (is_line and rtsp.is_going_on(self._line, data)):
                self.stop(BadRequest("RTSP is not spoken here", NOT_HTTP))
                return
            if b"\n" in data:
                self._line = b""
            self._parse(data[:place])
            data = data[place:]

    def _measure(self, piece: bytes) -> None:
        """A piece has been parsed, and the request that it began or continued is not complete."""
        if self.part is HEAD:
            self._measure_head(piece)
            return
        size = len(self.body)
        if self._is_fresh:
            self._is_fresh, self._framing_size = False, 0
            if not self._is_taken and self.coming is None:
                self.coming = self._open(has_body=True)
        elif size > self._seen_size:
            self._framing_size = 0
        else:
            self._framing_size += len(piece)
        self._seen_size = size
        if self._framing_size > self.max_head:
            self.stop(BadRequest("the request's body is framing without content", NOT_HTTP))

    def _measure_head(self, piece: bytes) -> None:
        size = len(piece)
        if self.head_size == 0:
            size -= max(piece.rfind(self._url) - METHOD_MOST, 0)  # other requests may have come before it
        self.head_size += size
        self._line = b"" if self._fields else self._line + piece[piece.rfind(b"\n") + 1 :]
        if self.head_size >= self.max_head:
            limit = f"{self.max_head // 1024} KB"
            self.stop(HeadersTooLarge(f"the request's head is over {limit}", "send fewer or shorter headers"))
        elif len(self._fields) > FIELDS_MOST:
            self.stop(too_many_fields())

"""The half of a connection that decides: what a request asks for, whether its body is wanted, who answers."""

import asyncio

from attacca.errors import AttaccaError, BadRequest, HeadersTooLarge, MethodNotAllowed, PayloadTooLarge, Unsupported
from attacca.gateway.http import cors, peer_uid, response, rtsp
from attacca.gateway.http.access import FIELDS_MOST
from attacca.gateway.http.asgi_adapter import Bridge, scope_of
from attacca.gateway.http.pages import page
from attacca.gateway.http.server import MB, Front
from attacca.gateway.http.target import Kind, Target
from attacca.gateway.http.upload import Upload
from attacca.gateway.http.writer import Answering
from attacca.kernel.access import Refusal
from attacca.model.invocation import Request

Fields = list[tuple[bytes, bytes]]
STREAM_OVER = 64 * 1024  # larger bodies go to ASGI functions in pieces, and are refused before they are read
METHODS = {name.encode(): name for name in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")}
FOREIGN: dict[bytes, AttaccaError] = {
    b"CONNECT": MethodNotAllowed("attacca is no proxy", "ask for /function/NAME"),
    **dict.fromkeys(rtsp.METHODS, BadRequest("RTSP and Icecast are not spoken here", "send HTTP/1.1")),
}
VERSIONS = ("1.0", "1.1")
LENGTH_DIGITS = 18  # of a Content-Length: more are no length
NO_FIELDS: Fields = []
NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()
FUNCTION, API = Kind.FUNCTION, Kind.API


class Serving(Answering):
    """Serves the request whose head was last given to `open`. `is_arriving` says that its body is not all there."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.method = b""
        self.target = Target(Kind.PAGE, "", "/", "")
        self.fields = NO_FIELDS
        self.head_of: dict[bytes, bytes] = {}  # the same, the last of each name
        self.refusal: Refusal | None = None  # why its sender may not call functions
        self.needs_token = front.access.needs_token
        self.known_hosts, self.known_names = front.access.hosts, front.access.names
        self.streamed_size = 0
        self.announced: int | None = None  # its Content-Length; None: it comes in chunks
        self.expects = False  # it waits for 100 Continue
        self._address: tuple[str, int] | None = None
        self._uid: int | None = None
        self._is_uid_known = False

    def open(self, method: bytes, url: bytes, fields: Fields, version: str, *, keep: bool) -> AttaccaError | None:
        """Make it the request that is being served. An empty `version` is asked for only where it makes a difference.

        Returns what is wrong with it; then the connection cannot be used for another.
        """
        front, head = self.front, dict(fields)
        self.method = method
        self.target = front.targets.find(url)
        self.fields = fields
        self.head_of = head
        self.cors = NO_FIELDS
        if not version:  # kept alive without a word about it: that is HTTP/1.1
            version = self.spoken() if not keep or b"connection" in head else "1.1"
        self.is_old = version == "1.0"
        self.keep = keep
        self.is_head = method == b"HEAD"
        self.is_plain = keep and not self.is_old and not self.is_head and b"x-attacca-detail" not in head
        if version not in VERSIONS:
            return BadRequest(f"HTTP/{version} is not spoken here", "send HTTP/1.1 or HTTP/1.0")
        if b"transfer-encoding" in head:
            if self.is_old:
                return BadRequest("HTTP/1.0 knows no Transfer-Encoding", "send HTTP/1.1, or a Content-Length")
            codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
            if codings != [b"chunked"]:
                return BadRequest("the only Transfer-Encoding understood is chunked", "send the body as it is")
        if method in FOREIGN:
            return FOREIGN[method]
        self.refusal = None
        if (
            len(head) != len(fields)
            or len(head) > FIELDS_MOST
            or head.get(b"host") not in self.known_hosts
            or not self.known_names.issuperset(head)
        ):
            found = front.access.examine(fields, is_old=self.is_old)
            if isinstance(found, BadRequest | HeadersTooLarge):
                return found
            self.refusal = found
        elif self.needs_token:
            self.refusal = front.access.refuse_stranger(head.get(b"authorization"))
        return None

    def spoken(self) -> str:
        """The HTTP version of the request that is being parsed."""
        raise NotImplementedError

    def serve(self, body: bytes) -> None:
        """The head is open; its body is here, or, when `is_arriving`, as much as has come."""
        front, target, more = self.front, self.target, self.is_arriving
        self.is_busy = True
        if target.kind is not FUNCTION:
            self._serve_others(body)
            return
        function = front.gateway.find(target.name)
        if function is not None and function.cors and b"origin" in self.head_of:
            self.cors = cors.fields(function.cors, self.head_of[b"origin"])
            self.is_plain = False
        if self.method == b"OPTIONS" and self._serve_options():
            return
        if self.refusal is not None:
            self.answer_error(self.refusal)
            return
        if len(body) > front.max_body and not more:
            self.answer_error(front.gateway.refused(target.name, too_large(front.max_body)))
            return
        method, kind = self.method, self.head_of.get(b"content-type")
        content_type = "" if kind is None else kind.decode("latin-1")
        named = METHODS.get(method) or method.decode("latin-1")
        if function is not None and function.takes_requests:
            origin = front.proxies.origin(self._peer(), self.fields)
            request = Request(
                *(body, content_type, named, target.path, target.query),
                _at_host(self.fields, origin.host),
                *(more, origin.client, origin.port, origin.scheme),
            )
        else:
            request = Request(body, content_type, named, target.path, target.query, NO_HEADERS, more)
        error = front.gateway.invoke(target.name, request, self)
        if error is not None:
            self.answer_error(error)

    def _serve_options(self) -> bool:
        """Answer it, unless it is the function's own. What a page may ask says nothing that not everybody may know."""
        function = self.front.gateway.find(self.target.name)
        if function is None:
            return False
        is_asked_for = cors.is_preflight(self.head_of) and bool(function.cors)
        if function.takes_requests and not is_asked_for:
            return False
        if self.refusal is not None and not (is_asked_for and cors.allows(function.cors, self.head_of[b"origin"])):
            return False
        self.answer_whole(cors.options(function.cors, self.head_of))
        return True

    def _peer(self) -> tuple[str, int] | None:
        if self._address is None:
            self._address = _address(self.transport, "peername")
        return self._address

    def _serve_others(self, body: bytes) -> None:
        front, target = self.front, self.target
        method = METHODS.get(self.method) or self.method.decode("latin-1")
        if target.kind is not API or front.admin is None:
            self.answer_whole(page(front, method, target.path, self.fields, self._peer_uid))
            return
        scope = scope_of(
            method=method,
            path=target.path,
            query=target.query,
            headers=self.fields,
            is_old=self.is_old,
            client=_address(self.transport, "peername"),
            server=_address(self.transport, "sockname"),
            peer_uid=self._peer_uid,
        )
        self.upload = Bridge(self, front.admin, scope)
        self.upload.feed(body, last=not self.is_arriving)

    # Requests whose body is still on its way.

    def serve_early(self, body: bytes) -> None:
        """Refuse it before its body has come, or start it without."""
        head, front = self.head_of, self.front
        announced = head.get(b"content-length", b"0")
        is_chunked = b"transfer-encoding" in head
        length = int(announced) if announced.isdigit() and len(announced) <= LENGTH_DIGITS else -1
        self.announced = None if is_chunked else length
        self.expects = head.get(b"expect", b"").lower() == b"100-continue" and not self.is_old
        is_large = is_chunked or length > STREAM_OVER
        limit = self.limit(is_large=is_large)
        error: AttaccaError | None = None
        if length < 0:
            error = BadRequest("the Content-Length is not a number of bytes", "send digits")
        elif length > limit:
            error = front.gateway.refused(self.target.name, too_large(limit))
        elif self.target.kind is FUNCTION:
            error = self.refusal or front.gateway.refusal(self.target.name)
        if error is not None:
            self.is_busy = self.is_arriving = True
            self.streamed_size = len(body)
            self._let_pass(length)
            self.answer_error(error)
        elif self.target.kind is not FUNCTION or (is_large and self._takes_streams()):
            if self.target.kind is Kind.PAGE:
                self._let_pass(length)
            self._stream(body)

    def _let_pass(self, length: int) -> None:
        """The answer does not wait for the body. What still comes of a small one passes by, and the connection goes on;
        who waits to be invited may never send it, and the rest of a large one would take too long."""
        is_small = 0 <= length <= STREAM_OVER
        self.is_passing_by = is_small and self.keep and not self.expects and not self.front.is_ending

    def invite(self) -> None:
        """Ask for the body, if its sender waits for that."""
        if self.expects and not self.is_closing and not self.is_streaming:
            self.transport.write(response.CONTINUE)
        self.expects = False

    def _stream(self, body: bytes) -> None:
        self.is_arriving = True
        self.streamed_size = len(body)
        self.serve(body)
        if self.taken is not None:
            self.upload = Upload(self.front.gateway, self.taken)

    def limit(self, *, is_large: bool) -> int:
        """How large the body of the open request may become."""
        if self.target.kind is not FUNCTION:
            return self.front.max_admin
        return self.front.max_stream if is_large and self._takes_streams() else self.front.max_body

    def pass_on(self, data: bytes, *, last: bool) -> None:
        """More of a streamed body."""
        self.streamed_size += len(data)
        limit = STREAM_OVER if self.is_passing_by else self.limit(is_large=True)
        if self.streamed_size > limit:
            self.break_upload(too_large(limit))
        elif self.upload is not None:
            self.upload.feed(data, last=last)

    def break_upload(self, error: AttaccaError) -> None:
        """A body that is being streamed turns out to be too large, or no HTTP: it cannot be finished."""
        if self.is_passing_by:
            self.is_passing_by = self.is_arriving = self.is_busy = False
            self.linger()
            return
        taken, upload = self.taken, self.upload
        self.taken = self.upload = None
        self.is_arriving = True  # whatever else comes of it is not read
        if upload is not None:
            upload.lost()
        if taken is not None:
            taken.client = None
            self.front.gateway.give_up(taken, error)
        if self.is_streaming:
            self.is_closing = True
            self.transport.abort()
        else:
            self.keep = False
            self.answer_error(error, taken)

    def _takes_streams(self) -> bool:
        function = self.front.gateway.find(self.target.name)
        return function is not None and function.takes_streams

    def _peer_uid(self) -> int | None:
        if not self._is_uid_known:
            self._is_uid_known = True
            theirs, ours = _address(self.transport, "peername"), _address(self.transport, "sockname")
            if theirs is not None and ours is not None:
                self._uid = peer_uid.uid(theirs, ours)
        return self._uid


def too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the request's body is over the limit of {limit / MB:g} MB",
        "send less; only ASGI and WSGI functions take large bodies, in pieces",
    )


def refuse_upgrade(head: dict[bytes, bytes], body: bytes) -> AttaccaError | None:
    """An upgrade is never made, and need not be: the request is served in HTTP/1.1. But a WebSocket is nothing without,
    and the parser leaves the body of such a request unread."""
    if head[b"upgrade"].strip().lower() == b"websocket":
        return Unsupported("WebSockets are not spoken here", "send requests, and stream answers: server-sent events")
    if body or (head.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in head):
        return None
    return BadRequest("a request that asks for another protocol cannot have a body", "leave out the Upgrade header")


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(which)
    return (found[0], found[1]) if isinstance(found, tuple) else None


def _at_host(fields: Fields, host: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The headers, with the host that the outermost proxy was asked for."""
    if not host:
        return tuple(fields)
    return tuple((name, host if name == b"host" else value) for name, value in fields)

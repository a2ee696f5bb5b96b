"""A request's head, decoded once: how its body is told apart from what follows, and who sent it."""

import msgspec

from attacca.errors import AttaccaError, BadRequest, MethodNotAllowed, Unsupported
from attacca.gateway.http import rtsp
from attacca.kernel.access import Refusal
from attacca.model.trace import FIELD

Fields = list[tuple[bytes, bytes]]
VERSIONS = ("1.0", "1.1")
VERBS = {name.encode(): name for name in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")}
LENGTH_DIGITS = 18  # of a Content-Length: more are no length
FOREIGN: dict[bytes, AttaccaError] = {
    b"CONNECT": MethodNotAllowed("attacca is no proxy", "ask for /function/NAME"),
    **dict.fromkeys(rtsp.METHODS, BadRequest("RTSP and Icecast are not spoken here", "send HTTP/1.1")),
}


class Head(msgspec.Struct, gc=False):
    """`fields` have lower-case names; `named` has the last of each name. It may stand for many requests whose heads
    are the same to the byte, so nothing in it belongs to one of them."""

    method: bytes
    url: bytes
    fields: Fields
    named: dict[bytes, bytes]
    version: str
    keep: bool  # the connection is for others behind it
    is_old: bool  # HTTP/1.0
    is_head: bool
    is_plain: bool  # HTTP/1.1, kept alive, not HEAD, no details asked for: the warm road
    refusal: Refusal | None = None  # why its sender may not call functions
    plan: object = None  # what a handler has made of it, so that it is made once
    length: int = 0  # bytes of its body, where that came with it

    def __repr__(self) -> str:
        return f"<Head {self.verb} {self.url[:60].decode('latin-1')}, {len(self.fields)} fields>"

    @property
    def verb(self) -> str:
        return VERBS.get(self.method) or self.method.decode("latin-1")

    @property
    def content_type(self) -> str:
        kind = self.named.get(b"content-type")
        return "" if kind is None else kind.decode("latin-1")

    @property
    def traceparent(self) -> str:
        """Empty only where there is none."""
        found = self.named.get(FIELD)
        return "" if found is None else found.decode("latin-1") or " "

    @property
    def is_chunked(self) -> bool:
        return b"transfer-encoding" in self.named

    @property
    def announced(self) -> int:
        """Its Content-Length; -1 when that is no number."""
        text = self.named.get(b"content-length", b"0")
        return int(text) if text.isdigit() and len(text) <= LENGTH_DIGITS else -1

    @property
    def expects(self) -> bool:
        """Does its sender wait for 100 Continue before it sends the body?"""
        return self.named.get(b"expect", b"").lower() == b"100-continue" and not self.is_old


def head(
    method: bytes,
    url: bytes,
    fields: Fields,
    named: dict[bytes, bytes],
    version: str,
    keep: bool,  # noqa: FBT001 - one is made for every request
) -> Head:
    is_old, is_head = version == "1.0", method == b"HEAD"
    is_plain = keep and not is_old and not is_head and b"x-attacca-detail" not in named
    return Head(method, url, fields, named, version, keep, is_old, is_head, is_plain)


def misframed(head: Head) -> AttaccaError | None:
    """Why one cannot tell where this request ends, or that it is a request at all."""
    if head.version not in VERSIONS:
        return BadRequest(f"HTTP/{head.version} is not spoken here", "send HTTP/1.1 or HTTP/1.0")
    if head.is_chunked:
        if head.is_old:
            return BadRequest("HTTP/1.0 knows no Transfer-Encoding", "send HTTP/1.1, or a Content-Length")
        codings = [value.strip().lower() for name, value in head.fields if name == b"transfer-encoding"]
        if codings != [b"chunked"]:
            return BadRequest("the only Transfer-Encoding understood is chunked", "send the body as it is")
    return FOREIGN.get(head.method)


def refuse_upgrade(head: Head, *, has_body: bool) -> AttaccaError | None:
    """An upgrade is never made, and need not be: the request is served in HTTP/1.1. But a WebSocket is nothing without,
    and the parser leaves the body of such a request unread."""
    if head.named[b"upgrade"].strip().lower() == b"websocket":
        return Unsupported("WebSockets are not spoken here", "send requests, and stream answers: server-sent events")
    if has_body or (head.named.get(b"content-length", b"0") == b"0" and not head.is_chunked):
        return None
    return BadRequest("a request that asks for another protocol cannot have a body", "leave out the Upgrade header")

"""One HTTP request from a thread that may wait, with one deadline for all of it, whatever the other side does."""

import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from attacca.errors import StateUnavailable

HEAD_BYTES = 64 * 1024
PIECE = 64 * 1024
FIELD_FEED = ("\r", "\n", "\0")


class Posted(NamedTuple):
    status: int
    body: bytes
    retry_after_s: float = 0.0  # 0: it did not say


class Silent(StateUnavailable):
    """The other side cannot be reached, says nothing in time, or nothing that is HTTP; trying again may help."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}", "see that it is up, and that the address is right")


def checked(url: str) -> str:
    """An address that can be asked, without its last slash.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right or parts.username or any(one in url for one in FIELD_FEED) or not url.isascii() or " " in url:
        raise ValueError("a url is http://HOST:PORT or https://HOST:PORT, without a password in it")
    return url.rstrip("/")


def post(
    url: str, body: bytes, fields: Mapping[str, str], timeout_s: float, most: int = 1 << 20, method: str = "POST"
) -> Posted:
    """At most `most` bytes of the answer are kept.

    Raises:
        Silent: there is no whole answer within `timeout_s`.
    """
    until = time.monotonic() + timeout_s  # noqa: TID251 - a deadline of one request, of which nothing is decided
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc}"
    try:
        with contextlib.closing(_connected(parts, until)) as link:
            link.sendall(_head(parts, len(body), fields, method))
            link.settimeout(_left(until))
            link.sendall(body)
            return _answer(link, until, most, shown)
    except (OSError, ValueError, LookupError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)[:200] or type(error).__name__
        raise Silent(shown, why) from None


def _connected(parts: SplitResult, until: float) -> socket.socket:
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    link = socket.create_connection((parts.hostname, port), _left(until))
    try:
        link.settimeout(_left(until))
        if parts.scheme == "https":
            return ssl.create_default_context().wrap_socket(link, server_hostname=parts.hostname)
    except BaseException:
        link.close()
        raise
    return link


def _head(parts: SplitResult, size: int, fields: Mapping[str, str], method: str) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}", "connection: close", f"content-length: {size}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if any(feed in line for line in lines for feed in FIELD_FEED):
        raise ValueError("a field has a line feed in it")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _left(until: float) -> float:
    left = until - time.monotonic()  # noqa: TID251 - as above
    if left <= 0:
        raise TimeoutError
    return left


def _more(link: socket.socket, until: float) -> bytes:
    link.settimeout(_left(until))
    return link.recv(PIECE)


def _answer(link: socket.socket, until: float, most: int, shown: str) -> Posted:
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            piece = _more(link, until)
            if not piece or len(held) > HEAD_BYTES:
                raise Silent(shown, "what it answered is no HTTP")
            held += piece
        head, _, held = held.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or len(words[1]) != 3 or not words[1].isdigit():
            raise Silent(shown, "what it answered is no HTTP")
        if int(words[1]) >= 200:
            break
    named = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    wait = named.get("retry-after", "")
    retry_after_s = float(wait) if wait.isdigit() and len(wait) < 6 else 0.0
    return Posted(int(words[1]), _body(link, until, most, named, held), retry_after_s)


def _body(link: socket.socket, until: float, most: int, named: dict[str, str], held: bytes) -> bytes:
    pieces = [held]
    size = len(held)
    length = named.get("content-length", "")
    is_chunked = "chunked" in named.get("transfer-encoding", "").lower()
    enough = min(int(length), most) if length.isdigit() and len(length) < 16 and not is_chunked else most
    while size < enough:
        piece = _more(link, until)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if is_chunked and b"".join(pieces[-2:]).endswith(b"0\r\n\r\n"):
            break
    whole = b"".join(pieces)[:enough]
    return _unchunked(whole) if is_chunked else whole


def _unchunked(data: bytes) -> bytes:
    """As far as it goes."""
    found, at = [], 0
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:end].split(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        found.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(found)

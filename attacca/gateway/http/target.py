"""What a request target asks for: a function, the admin API, or one of the gateway's own pages."""

from enum import IntEnum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

KEPT = 1024  # targets remembered, so that a busy function's is taken apart once
KEPT_LENGTH = 256


class Kind(IntEnum):
    FUNCTION = 0
    API = 1
    PAGE = 2


class Target(NamedTuple):
    """Text is one character per byte, so that nothing a client sends can fail to decode."""

    kind: Kind
    name: str  # of the function, percent-decoded
    path: str  # below the function's address, or the whole path; percent-encoded as it came
    query: str


def parse(url: bytes) -> Target:
    """Origin form (`/path?query`) and absolute form (`http://host/path?query`); anything else is a page not found."""
    if not url.startswith(b"/"):
        url = _without_host(url)
    path, _, query = url.partition(b"#")[0].decode("latin-1").partition("?")
    if path.startswith("/function/"):
        name, slash, rest = path[10:].partition("/")
        if "%" in name:
            name = unquote_to_bytes(name).decode("latin-1")
        return Target(Kind.FUNCTION, name, slash + rest if slash else "/", query)
    if path == "/api" or path.startswith("/api/"):
        return Target(Kind.API, "", path, query)
    return Target(Kind.PAGE, "", path, query)


def is_registry(path: str) -> bool:
    """Is it of the registry of images, whose addresses are the same in every one?"""
    return path == "/v2" or path.startswith("/v2/")


def is_dashboard(path: str) -> bool:
    """Is it of the pages that people look at?"""
    return path == "/ui" or path.startswith("/ui/")


def _without_host(url: bytes) -> bytes:
    scheme, mark, rest = url.partition(b"://")
    if mark and scheme.lower() in (b"http", b"https"):
        for at, byte in enumerate(rest):
            if byte in b"/?#":
                return rest[at:] if byte == 0x2F else b"/" + rest[at:]
        return b"/"
    return url


class Targets:
    """Remembers how the latest targets came apart."""

    def __init__(self) -> None:
        self.known: dict[bytes, Target] = {}

    def __repr__(self) -> str:
        return f"<Targets {len(self.known)} known>"

    def find(self, url: bytes) -> Target:
        target = self.known.get(url)
        if target is None:
            target = parse(url)
            if len(url) <= KEPT_LENGTH:
                if len(self.known) >= KEPT:
                    self.known.clear()
                self.known[url] = target
        return target

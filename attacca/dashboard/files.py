"""What the dashboard's pages are made of, read once and served from memory.

Everything but the first page lies below a name made of its contents, so that a browser keeps it until it changes.
"""

import gzip
import hashlib
from pathlib import Path

from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Whole

HERE = Path(__file__).with_name("static")
INDEX = "index.html"
TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}
POLICY = b"; ".join(
    (
        *(b"default-src 'none'", b"script-src 'self'", b"style-src 'self'", b"img-src 'self'", b"connect-src 'self'"),
        *(b"base-uri 'none'", b"form-action 'none'", b"frame-ancestors 'none'", b"require-trusted-types-for 'script'"),
    )
)
GUARDS: Fields = [
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
FOR_GOOD = (b"cache-control", b"public, max-age=31536000, immutable")
NOT_KEPT = (b"cache-control", b"no-store")
ZIPPED_LEAST = 512  # bytes: below, a head costs more than is won


class Files:
    def __init__(self, directory: Path = HERE) -> None:
        found = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*"))}
        contents = {name: path.read_bytes() for name, path in found.items() if path.suffix in TYPES}
        digest = hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in contents.items()))
        self.release = digest.hexdigest()[:12]
        self.index = contents.pop(INDEX).replace(b"RELEASE", self.release.encode())
        self._plain = {name: _whole(name, data) for name, data in contents.items()}
        self._zipped = {
            name: _whole(name, gzip.compress(data, mtime=0), is_zipped=True)
            for name, data in contents.items()
            if len(data) >= ZIPPED_LEAST
        }

    def __repr__(self) -> str:
        return f"<Files {len(self._plain)} beside the first, {self.size >> 10} KB, release {self.release}>"

    @property
    def size(self) -> int:
        """Bytes, as a browser without compression gets them."""
        return len(self.index) + sum(len(one.body) for one in self._plain.values())

    def find(self, name: str, head: Head) -> Whole | None:
        if b"gzip" in head.named.get(b"accept-encoding", b"") and name in self._zipped:
            return self._zipped[name]
        return self._plain.get(name)


def _whole(name: str, data: bytes, *, is_zipped: bool = False) -> Whole:
    fields = [(b"content-type", TYPES[Path(name).suffix]), FOR_GOOD, (b"vary", b"accept-encoding"), *GUARDS]
    return Whole(200, [*fields, (b"content-encoding", b"gzip")] if is_zipped else fields, data)

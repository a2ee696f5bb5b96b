"""Requests and answers of the registry, as ASGI carries them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from attacca.images.core.asked import Refused
from attacca.images.core.uploads import Upload

PIECE = 256 << 10
JSON = "application/json"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, dict[str, str], bytes | AsyncIterator[bytes]]


class Body:
    """A request's, as it comes."""

    def __init__(self, receive: Receive) -> None:
        self.is_whole = False
        self._receive = receive
        self._is_over = False

    def __repr__(self) -> str:
        return f"<Body {'whole' if self.is_whole else 'broken off' if self._is_over else 'on its way'}>"

    async def pieces(self) -> AsyncIterator[bytes]:
        while not self._is_over:
            message = await self._receive()
            if message["type"] != "http.request":
                self._is_over = True
                return
            self._is_over = self.is_whole = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def whole(self, most: int) -> bytes:
        """
        Raises:
            Refused: it is more than that, or broke off.
        """
        pieces, size = [], 0
        async for piece in self.pieces():
            size += len(piece)
            if size > most:
                raise Refused(413, "SIZE_INVALID", f"a manifest may have {most} bytes")
            pieces.append(piece)
        if not self.is_whole:
            raise Refused(400, "MANIFEST_INVALID", "the body broke off")
        return b"".join(pieces)

    async def drain(self) -> None:
        """A little that is left, so that the connection can go on."""
        left = PIECE
        async for piece in self.pieces():
            left -= len(piece)
            if left < 0:
                return


def where(upload: Upload) -> dict[str, str]:
    return {
        "location": f"/v2/{upload.repository}/blobs/uploads/{upload.id}",
        "range": f"0-{max(upload.offset - 1, 0)}",
        "docker-upload-uuid": upload.id,
    }


def at(repository: str, digest: str) -> dict[str, str]:
    return {"location": f"/v2/{repository}/blobs/{digest}", "docker-content-digest": digest}


def error(status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> Answer:
    told = {"errors": [{"code": code, "message": message}]}
    return status, {"content-type": JSON, **(fields or {})}, msgspec.json.encode(told)


async def send(
    send: Send, status: int, fields: dict[str, str], content: bytes | AsyncIterator[bytes], *, is_head: bool
) -> None:
    fields = {"docker-distribution-api-version": "registry/2.0", **fields}
    if isinstance(content, bytes) and status != 204:
        fields["content-length"] = str(len(content))
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if isinstance(content, bytes) or is_head:
        await send(
            {"type": "http.response.body", "body": content if isinstance(content, bytes) and not is_head else b""}
        )
        return
    async for piece in content:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})

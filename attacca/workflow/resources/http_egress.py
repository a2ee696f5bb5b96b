"""`http-egress`: events are requests to the world, in EDGELESS's words, and replies what came of them."""

import json
from collections.abc import Mapping

import msgspec

from attacca.errors import BadRequest
from attacca.workflow.resources.http_client import HttpClient
from attacca.workflow.resources.types import Host

Body = list[msgspec.Raw] | str | None


class Asked(msgspec.Struct, frozen=True):
    host: str
    method: str = "Get"
    protocol: str = "HTTPS"
    path: str = "/"
    body: Body = None
    headers: dict[str, str] = {}


class HttpEgress:
    """An event is `{"protocol": "HTTPS", "host": "...", "method": "Get", "path": "/", "headers": {}, "body": ...}`; a
    call is answered with `{"status": 200, "headers": {}, "body": [...]}`."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._client = HttpClient(host, "http-egress")

    def __repr__(self) -> str:
        return f"<HttpEgress {self._client!r}>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._client.open()

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        method, url, headers, body = request(data)
        answer = await self._client.ask(method, url, headers, body)
        told = {"status": answer.status, "headers": answer.headers, "body": list(answer.body)}
        return json.dumps(told, separators=(",", ":")).encode()

    async def close(self) -> None:
        await self._client.close()


def request(event: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """
    Raises:
        BadRequest: it is none.
    """
    try:
        asked = msgspec.json.decode(event, type=Asked)
        scheme = {"http": "http", "https": "https"}[asked.protocol.lower()]
        body = asked.body.encode() if isinstance(asked.body, str) else bytes(map(_byte, asked.body or ()))
    except (msgspec.MsgspecError, UnicodeError, KeyError, ValueError) as error:
        what = f"the event is no request: {error}"
        raise BadRequest(what, 'send {"protocol": "HTTPS", "host": "...", "method": "Get", "path": "/"}') from None
    if not asked.host or any(sign in asked.host for sign in "/?#@\\"):
        raise BadRequest(f"{asked.host[:100]!r} is no host", "write HOST or HOST:PORT")
    path = asked.path if asked.path.startswith("/") else f"/{asked.path}"
    headers = {name: value for name, value in asked.headers.items() if name.lower() not in ("host", "content-length")}
    return asked.method.upper(), f"{scheme}://{asked.host}{path}", headers, body


def _byte(raw: msgspec.Raw) -> int:
    return msgspec.json.decode(raw, type=int)

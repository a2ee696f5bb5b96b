"""`http-poster`: each event is the body of a POST to one address."""

import base64
from collections.abc import Mapping

from attacca.errors import BadRequest, FunctionFailed
from attacca.kernel.text import kind_of
from attacca.workflow.resources.http_client import HttpClient
from attacca.workflow.resources.network import parsed, persist
from attacca.workflow.resources.types import Host, field, is_set

BAD = 400


class HttpPoster:
    """`url`; `decode_base64`: the body is what an event stands for. A call is answered as the address answers."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        url = parsed(field(configuration, "url", "http-poster"), ("http", "https"), "http-poster")
        self._url, self._shown = url.geturl(), f"{url.scheme}://{url.hostname}{url.path}"  # without who asks
        self._is_encoded = is_set(configuration, "decode_base64")
        self._host, self._client = host, HttpClient(host, "http-poster")

    def __repr__(self) -> str:
        return f"<HttpPoster {self._client!r}>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._client.open()

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        body = _decoded(data) if self._is_encoded else data
        headers = {"content-type": kind_of(body)}
        answer = await persist(lambda: self._client.ask("POST", self._url, headers, body), self._host)
        if answer.status >= BAD:
            shown = answer.body[:200].decode("utf-8", "replace")
            raise FunctionFailed(f"{self._shown} answered {answer.status}: {shown}", "see there why")
        return answer.body

    async def close(self) -> None:
        await self._client.close()


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise BadRequest("the event is no base64", "leave decode_base64 out") from None

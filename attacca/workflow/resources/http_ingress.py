"""`http-ingress`: requests to the gateway become events, and replies become responses.

A request is sent to the output `new_request` as EDGELESS's functions read it: a JSON object with method, protocol,
host, path, headers and body, which is an array of numbers. Replies may be like theirs, or be the response's body.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from attacca.errors import BadConfig, BadRequest, MethodNotAllowed, NotFound
from attacca.kernel.text import kind_of
from attacca.model.invocation import Ok, Request
from attacca.workflow.core import ingress
from attacca.workflow.resources.types import Host, Unable, is_set

OUTPUT = "new_request"
OF_RESPONSES = frozenset({"status", "headers", "body"})
BODIES = ("array", "text", "base64")
NO_BODY = (204, 205, 304)


class HttpIngress:
    """`host`, `path`, `method`: what it takes; `async`: answer at once, and cast the body alone, `encode_base64` or as
    it is; `wf_id`: the query must name the workflow; `body`: `array`, `text` or `base64`."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        ingress.expect(configuration)
        self._host, self._methods = host, ingress.methods(configuration)
        self._body = configuration.get("body", "array")
        if self._body not in BODIES:
            raise BadConfig(f"body = {self._body!r} is none of {', '.join(BODIES)}", "leave it out")
        self._is_async, self._is_named = is_set(configuration, "async"), is_set(configuration, "wf_id")
        self._is_encoded = is_set(configuration, "encode_base64")
        self._workflow = ""
        self._count = 0

    def __repr__(self) -> str:
        return f"<HttpIngress {self._count} requests>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._workflow = workflow

    async def serve(self, request: Request) -> Ok:
        if self._methods and request.method not in self._methods:
            hint = f"it takes {', '.join(self._methods)}"
            raise MethodNotAllowed(f"this address does not take {request.method}", hint)
        if self._is_named and parse_qs(request.query).get("wf_id") != [self._workflow]:
            raise NotFound("no such workflow is here", "ask with ?wf_id= and the id of the workflow")
        self._count += 1
        if self._is_async:
            self._host.cast(OUTPUT, base64.b64encode(request.body) if self._is_encoded else request.body)
            return Ok(b"OK", "text/plain")
        reply = await self._host.call(OUTPUT, msgspec.json.encode(self._told(request)), 0.0)
        return response(reply)

    def _told(self, request: Request) -> dict[str, object]:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        path = request.path + ("?" + request.query if request.query else "")
        return {
            "method": request.method.capitalize(),
            "protocol": "Unknown",
            "host": headers.get("host", ""),
            "path": path,
            "headers": headers,
            "body": self._encoded(request.body),
        }

    def _encoded(self, body: bytes) -> object:
        """
        Raises:
            BadRequest: it is to be a text, and is none.
        """
        if self._body == "base64":
            return base64.b64encode(body).decode()
        if self._body == "array":
            return list(body)
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise BadRequest("the body is not UTF-8", "this address takes texts") from None

    async def cast(self, source: str, data: bytes) -> None:
        raise Unable("an http-ingress takes requests, and no events", "it has the output new_request")

    async def call(self, source: str, data: bytes) -> bytes | None:
        raise Unable("an http-ingress takes requests, and no events", "it has the output new_request")

    async def close(self) -> None: ...


def response(reply: bytes | None) -> Ok:
    """What a reply stands for."""
    if reply is None:
        return Ok(b"", "", 204)
    told = _object(reply)
    if told is None:
        return Ok(reply, kind_of(reply))
    headers = tuple((str(name).lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
                    for name, value in (told.get("headers") or {}).items())  # fmt: skip
    body = told.get("body")
    data = b"" if body is None else bytes(body) if isinstance(body, list) else str(body).encode()
    if told["status"] in NO_BODY:
        data = b""
    kind = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), kind_of(data))
    rest = tuple(field for field in headers if field[0] not in (b"content-type", b"content-length"))
    return Ok(data, kind if data else "", told["status"], rest)


def _object(reply: bytes) -> dict[str, Any] | None:
    """None: it is no response of EDGELESS's, but a body."""
    if not reply.startswith(b"{"):
        return None
    try:
        told = json.loads(reply)
    except ValueError:
        return None
    if not isinstance(told, dict) or not OF_RESPONSES.issuperset(told):
        return None
    status, headers, body = told.get("status"), told.get("headers"), told.get("body")
    is_body = body is None or isinstance(body, str) or (isinstance(body, list) and _are_bytes(body))
    is_status = type(status) is int and 200 <= status <= 599
    return told if is_status and is_body and (headers is None or isinstance(headers, dict)) else None


def _are_bytes(body: list[Any]) -> bool:
    return all(type(one) is int and 0 <= one < 256 for one in body)

"""A sandbox's life up to its first answers, played through in its template a few times, before the first fork.

What is set up at a first time is then there to be forked, and so is what Python writes into code while it runs for the
first times: each sandbox would have to copy those pages, and would be the slower for it.
"""

import contextvars
import json
import os
from typing import Any

from attacca.guest import channel as wire
from attacca.guest.load import Loaded
from attacca.guest.payload import unpack, unpack_request
from attacca.guest.serve import Server, adapted, reap
from attacca.worker.runtime.process.zygote import heritage
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

TIMES = 12  # after which Python has specialized what runs, and writes no more into its code
BODY = b'{"name": "rehearsal"}'
HEADERS = (b"host", b"localhost", b"content-type", b"application/json")
ID, JSON, QUERY = b"rehearsal", b"application/json", b""


def rehearse(spec: SpawnSpec, loaded: Loaded) -> None:
    """Runs nothing of the user's: stand-ins answer."""
    found = adapted(loaded)
    stand_in = found._replace(call=_application if found.signature == "wsgi" else _answer, is_async=False)
    to_sandbox, from_sandbox = os.pipe(), os.pipe()
    try:
        for _ in range(TIMES):
            link = wire.Channel(to_sandbox[0], from_sandbox[1])
            os.write(to_sandbox[1], _frame(found))
            contextvars.copy_context().run(_live, link, spec, stand_in)
            os.read(from_sandbox[0], 65_536)
    finally:
        for descriptor in (*to_sandbox, *from_sandbox):
            os.close(descriptor)


def _live(link: wire.Channel, spec: SpawnSpec, loaded: Loaded) -> None:
    heritage.come_into(heritage.NOTHING)
    json.dumps({"sandbox_ms": 0.0, "code_ms": 0.0, "imports_ms": 0.0}).encode()
    server = Server(link.write, spec, adapted(loaded))
    respond = server.responder()
    kind, number, payload = link.read()
    if kind == wire.INVOKE:
        server.answer(number, unpack(payload))
    else:
        respond(number, unpack_request(payload))
    reap()


def _frame(loaded: Loaded) -> bytes:
    if loaded.signature != "wsgi" and loaded.event == "plain":
        parts = (ID, JSON, QUERY)
        kind, payload = wire.INVOKE, b"".join((wire.INVOKE_HEAD.pack(*map(len, parts)), *parts, BODY))
    else:
        head = wire.lines((ID, JSON, QUERY, b"POST", b"/", b"127.0.0.1", b"http", *HEADERS))
        kind, payload = wire.REQUEST, wire.REQUEST_HEAD.pack(0, 0, len(head)) + head + BODY
    return wire.HEAD.pack(len(payload), kind, 1) + payload


def _answer(*_: Any, **__: Any) -> dict[str, str]:
    return {"name": "rehearsal"}


def _application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [BODY]

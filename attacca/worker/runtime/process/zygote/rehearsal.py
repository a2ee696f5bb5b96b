"""A sandbox's life up to its first answers, played through a few times before the first fork: in its template, and for
those that are made from nothing in the supervisor.

What is set up at a first time is then there to be forked, and so is what Python writes into code while it runs for the
first times: each sandbox would have to copy those pages, and would be the slower for it.
"""

import contextvars
import json
import os
import sys
from typing import Any

from attacca.guest import channel as wire
from attacca.guest.load import Loaded
from attacca.guest.payload import unpack, unpack_request
from attacca.guest.serve import Server, adapted, reap
from attacca.worker.runtime.process.zygote import child, heritage, rootfs, script
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

TIMES = 12  # after which Python has specialized what runs, and writes no more into its code
LONG_S = 60.0
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


def rehearse_whole() -> None:
    """From the environment on, with a stand-in's code. Afterwards all is as it was, but for what Python has learnt."""
    spec = SpawnSpec(
        template=False,
        function="rehearsal",
        revision=1,
        code=os.path.join(os.path.dirname(__file__), "stand_in"),
        bundle=None,
        handler="main:handler",
        signature="event_context",
        event="plain",
        env={},
        secrets={},
        memory_mb=128,
        import_s=LONG_S,
        timeout_s=LONG_S,
        concurrency=1,
        host_network=False,
        space_mb=1,
        limits={},
        max_body=1 << 20,
        max_log=1 << 20,
    )
    names, paths, place = dict(os.environ), list(sys.path), os.getcwd()
    for _ in range(TIMES):
        script.set_environment(spec)
        loaded = child.import_code(spec)
        sys.path[:] = paths
        del sys.modules["main"], sys.path_importer_cache[spec["code"]]
    os.chdir(place)
    script.pose(rootfs.HERE)
    for name in set(os.environ) - set(names):
        del os.environ[name]
    os.environ.update((name, value) for name, value in names.items() if os.environ[name] != value)
    rehearse(spec, loaded)


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

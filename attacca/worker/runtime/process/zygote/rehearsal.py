"""A sandbox's life up to its first answers, played through a few times before the first fork: in its template, and for
those that are made from nothing in the supervisor.

What is set up at a first time is then there to be forked, and so is what Python writes into code while it runs for the
first times: each sandbox would have to copy those pages, and would be the slower for it.
"""

import contextlib
import contextvars
import json
import marshal
import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import Any

from attacca.guest import channel as wire
from attacca.guest import fetch
from attacca.guest.load import Loaded
from attacca.guest.serve import Server, adapted
from attacca.worker.runtime.process.zygote import child, heritage, linux, rootfs, script
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

TIMES = 12  # after which Python has specialized what runs, and writes no more into its code
HOOKS = (("threading", "_after_fork"), ("logging", "_after_at_fork_child_reinit_locks"))  # by their private names
LOADERS = (  # as an interpreter has them
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
LONG_S = 60.0
BODY = b'{"name": "rehearsal"}'
HEADERS = (b"host", b"localhost", b"content-type", b"application/json")
ID, JSON, QUERY = b"rehearsal", b"application/json", b""


def rehearse(spec: SpawnSpec, loaded: Loaded) -> None:
    """Runs nothing of the user's: stand-ins answer."""
    found = adapted(loaded)
    stand_in = found._replace(call=_application if found.signature == "wsgi" else _answer, is_async=False)
    for _ in range(TIMES):
        to_sandbox, from_sandbox = os.pipe(), os.pipe()
        os.write(to_sandbox[1], _frame(found))
        os.close(to_sandbox[1])
        try:
            link = wire.Channel(to_sandbox[0], from_sandbox[1])
            contextvars.copy_context().run(_live, link, spec, stand_in)
        finally:
            for descriptor in (to_sandbox[0], *from_sandbox):
                os.close(descriptor)


def rehearse_whole() -> None:
    """From the environment on, with a stand-in's code. Afterwards all is as it was, but for what Python has learnt, and
    that it need not ask who finds modules where code lies: there, it finds out what there is when it looks first."""
    spec = SpawnSpec(
        template=False,
        function="rehearsal",
        runtime="process",
        revision=1,
        code=os.path.join(os.path.dirname(__file__), "stand_in"),
        image="",
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
        devices=[],
        host_network=False,
        is_connected=False,
        home="",
        is_plugged=False,
        space_mb=1,
        limits={},
        max_body=1 << 20,
        max_log=1 << 20,
        is_traced=False,
    )
    paths, place = list(sys.path), os.getcwd()
    script.VARIABLES.look()
    compiled = fetch.HEAD.ljust(fetch.HEAD_B, b"\0") + marshal.dumps(
        compile(fetch.whole(f"{spec['code']}/main.py"), "main.py", "exec")
    )
    for number in range(2 * TIMES):
        fetch.reader = fetch.whole if number < TIMES else (lambda path: fetch.whole(__file__) and compiled)
        script.set_environment(spec)
        loaded = child.import_code(spec)
        sys.path[:] = paths
        del sys.modules["main"]
        sys.path_importer_cache.pop(spec["code"], None)
        script.VARIABLES.back()
    fetch.reader = fetch.whole
    sys.path_importer_cache[rootfs.HERE] = FileFinder(rootfs.HERE, *LOADERS)
    os.chdir(place)
    script.pose(rootfs.HERE)
    rehearse(spec, loaded)
    rehearse_fork()


def rehearse_fork() -> None:
    """What a child runs first: the standard library's own hooks, and steps as a sandbox takes them. For a process with
    one thread, of which all that comes is forked."""
    steps = [(linux.libc.prctl, (linux.PR_GET_DUMPABLE, 0, 0, 0, 0))] * 2
    hooks = [getattr(sys.modules.get(module), name, None) for module, name in HOOKS]
    for _ in range(TIMES):
        for hook in hooks:
            if hook is not None:
                hook()
        linux.take(steps)


def _live(link: wire.Channel, spec: SpawnSpec, loaded: Loaded) -> None:
    heritage.come_into(heritage.NOTHING)
    json.dumps({"sandbox_ms": 0.0, "code_ms": 0.0, "imports_ms": 0.0}).encode()
    with contextlib.suppress(wire.Closed):
        Server(link.write, spec, loaded).one_by_one(link)()


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

"""The process of the function in a micro-VM: it imports the code, waits until it is woken, and serves."""

import contextlib
import gc
import json
import os
import random
import resource
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NoReturn

from attacca.guest import agent, output
from attacca.guest import channel as wire
from attacca.guest.load import Loaded
from attacca.worker.runtime.microvm.inside import kernel
from attacca.worker.runtime.microvm.inside.ports import Ports
from attacca.worker.runtime.microvm.inside.words import AGENT, OUTPUT, VmSpec
from attacca.worker.runtime.process.zygote import child, linux, rootfs, script

TIMES = ("sandbox_ms", "code_ms", "imports_ms", "readiness_ms")
RESTORED = json.dumps(dict.fromkeys(TIMES, 0.0)).encode()
SEED_BYTES = 32
TO_BECOME = (6, 7)  # CAP_SETGID, CAP_SETUID: of the user that it is to be


def live(spec: VmSpec, ports: Ports, streams: tuple[int, int], minder: tuple[int, int], code_ms: float) -> NoReturn:
    """`streams` are those for the agent and for what is printed; `minder` what its first process is read from, and is
    told by."""
    with contextlib.suppress(wire.Closed, ConnectionError):
        _live(spec, ports, *streams, wire.Channel(*minder), code_ms)
    os._exit(0)


def _live(spec: VmSpec, ports: Ports, port: int, out: int, minder: wire.Channel, code_ms: float) -> None:
    began = perf_counter()
    _enter(spec, out)
    link = wire.Channel(port, os.dup(port))
    sandbox_ms = (perf_counter() - began) * 1e3
    printed: list[bytes] = []
    output.capture(output.Ledger(lambda _kind, _number, *parts: printed.append(parts[-1]), spec["max_log"] // 8))
    began, here = perf_counter(), script.here_of(spec)
    try:
        loaded = child.import_code(spec)
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        minder.write(wire.FAILED, 0, _json({**agent.failure(error, here), "logs": _text(printed)}))
        os._exit(1)
    found_at = perf_counter()
    output.flush()
    serve = agent.prepare(spec, link, loaded, here)
    renew = tuple(_renewals(loaded))
    gc.collect()
    gc.freeze()
    found = {
        "sandbox_ms": sandbox_ms,
        "code_ms": code_ms,
        **agent.since(began, found_at, loaded),
        "handler": loaded.handler,
        "signature": loaded.signature,
        "event": loaded.event,
        "memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "notes": script.without_effect(spec["env"]),
        "logs": _text(printed),
    }
    minder.write(wire.READY, 0, _json(found))
    _, _, is_first = minder.read()  # GO
    os.close(minder.reader)
    os.close(minder.writer)
    if not is_first:
        ports.renew(AGENT, link.reader, link.writer)
        ports.renew(OUTPUT, 1, 2)
    ports.close()
    try:
        for renewal in renew:
            renewal()
    except BaseException as error:  # noqa: BLE001 - the user's hook may raise anything
        link.write(wire.FAILED, 0, _json(agent.failure(error, here)))
        os._exit(1)
    serve(_json({name: found[name] for name in TIMES}) if is_first else RESTORED)


def _enter(spec: VmSpec, out: int) -> None:
    """From here on it is nobody in particular, and has no more than its revision may."""
    os.setsid()
    kernel.enter_bounds()
    null = os.open("/dev/null", os.O_RDONLY)
    for one, place in ((null, 0), (out, 1), (out, 2)):
        os.dup2(one, place)
    os.close(null)
    os.close(out)
    for name, value in spec["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    linux.take(linux.dropping_capabilities(TO_BECOME))
    os.setgroups([])
    os.setresgid(rootfs.ID, rootfs.ID, rootfs.ID)
    os.setresuid(rootfs.ID, rootfs.ID, rootfs.ID)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    script.set_environment(spec)


def _renewals(loaded: Loaded) -> Iterator[Callable[[], Any]]:
    """What each that is restored has to have for itself, before any of its code runs: it has noticed no fork."""
    yield random.seed
    if (ssl := sys.modules.get("_ssl")) is not None:
        yield lambda: ssl.RAND_add(os.urandom(SEED_BYTES), float(SEED_BYTES))
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        yield lambda: numpy_random.seed(int.from_bytes(os.urandom(4)))
    hook = getattr(loaded.module, "after_fork", None)
    if callable(hook):
        yield hook


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _text(printed: list[bytes]) -> str:
    return b"".join(printed).decode("utf-8", "replace")[-16_384:]

"""What a template does, from its first instruction to its last, and what becomes of those that are forked from it."""

import gc
import importlib
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from time import perf_counter
from types import ModuleType
from typing import Any, NoReturn

from attacca.guest import agent, deferred, output
from attacca.guest import channel as wire
from attacca.guest.load import EVENTS, Loaded
from attacca.worker.runtime.process.zygote import (
    child,
    crossing,
    heritage,
    linux,
    minder,
    pages,
    prepared,
    rehearsal,
    script,
    seccomp,
)
from attacca.worker.runtime.process.zygote.forkserver import Forker, ForkServer, last_words, ready
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH, SpawnSpec

LATER = "to start in milliseconds, make what it starts in after_fork, or on first use"
ORDERS = 5  # where the process that minds it has them; the template has them at child.READER
DESCRIPTORS = 4  # what it is born with: reader, writer, output, orders
TO_ENTER_PLACES = (linux.CAP_SYS_CHROOT, linux.CAP_SYS_ADMIN)  # over what its minder made; nothing else needs these


def live(descriptors: list[int], *, isolate: bool, began: float) -> NoReturn:
    """A template made from nothing: first the process that minds it, then, forked from that, the template itself."""
    reader, writer, out, orders = descriptors
    child.take_descriptors([reader, writer, orders], out)
    link = wire.Channel(child.READER, child.WRITER)
    try:
        spec: SpawnSpec = json.loads(link.read()[2])
    except wire.Closed:
        os._exit(0)
    times, writable = child.settle(spec, isolate=isolate, began=began)
    if not isolate:
        _live(spec, None, times)
    minders, hands = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    carpenter = minder.Carpenter(spec, minders, writable)
    pid = minder.fork_far(writable)
    if pid == 0:
        minder.close_all_but({0, 1, 2, child.READER, child.WRITER, ORDERS, hands.fileno()})
        minders.detach()
        with last_words():
            _live(spec, hands, times)
    hands.detach()
    minder.close_all_but({0, 1, 2, child.READER, *carpenter.descriptors()})
    minder.mind(link, carpenter, pid)


def _live(spec: SpawnSpec, hands: socket.socket | None, times: dict[str, float]) -> NoReturn:
    """`hands` brings the places that its sandboxes are forked into; without isolation there are none."""
    isolate = hands is not None
    os.dup2(ORDERS, child.READER, inheritable=False)
    os.close(ORDERS)
    hands_at = -1 if hands is None else prepared.out_of_the_way(hands.detach())
    prepared.hold_loop()
    began = perf_counter()
    code = seccomp.Code(seccomp.FOR_TEMPLATES)
    child.lock_down(spec, child.rights(code, TO_ENTER_PLACES) if isolate else child.BARE, template=True)
    times["sandbox_ms"] += (perf_counter() - began) * 1e3
    wire.Channel(-1, child.WRITER).write(wire.PLACED, 0)
    if spec["image"]:
        ready([child.READER])  # GO, which is read over there
        crossing.cross(spec, times, (child.READER, child.WRITER), hands_at, TO_ENTER_PLACES)
    script.set_environment(spec)
    _go_on(spec, hands_at, times, isolate=isolate)


def arrive(spec: SpawnSpec, times: dict[str, float], crossed_at: float, hands_at: int) -> NoReturn:
    """What goes on in an image's own interpreter, of a template or of a sandbox made from nothing."""
    script.settle_in(spec)
    times["sandbox_ms"] += (perf_counter() - crossed_at) * 1e3
    for descriptor in (child.READER, child.WRITER):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no name
    if not spec["template"]:
        child.go_on(spec, times)
    os.set_inheritable(hands_at, False)  # noqa: FBT003 - takes no name
    linux.take([linux.having_capabilities(TO_ENTER_PLACES)])
    prepared.hold_loop()
    with last_words():
        _go_on(spec, hands_at, times, isolate=True)


def _go_on(spec: SpawnSpec, hands_at: int, times: dict[str, float], *, isolate: bool) -> NoReturn:
    """From GO on, in the interpreter that imports the code."""
    orders, report = socket.socket(fileno=child.READER), wire.Channel(-1, child.WRITER).write
    if orders.recv(BIRTH.size) != BIRTH.pack(0, 0, 0, 0, 0):  # go
        os._exit(0)
    found, loaded, inherited = _import(spec, report, times, isolate=isolate)
    orders.detach()
    orders_at, report_at = prepared.hold_channel()
    orders, report = socket.socket(fileno=orders_at), wire.Channel(-1, report_at).write
    if not found["unfit"]:
        rehearsal.rehearse_fork()
    gc.collect()
    pages.fill()
    _allow_family()
    life = prepared.prepare(spec, loaded, inherited, report_at, isolate=isolate)
    forker: Forker = (
        minder.PlaceForker(socket.socket(fileno=hands_at), script.here_of(spec)) if isolate else PlainForker()
    )
    server = ForkServer(orders, report, forker)
    gc.freeze()  # what the collector touches, the kernel copies
    linux.trim()
    report(wire.READY, 0, _json({**found, "memory_kb": _memory_kb()}))
    life(server.run())


class PlainForker:
    """How a template's children come into the world without isolation. See `forkserver.Forker`."""

    def fork(self, user: int, network: int, home: int) -> int:
        return os.fork()

    def enter(self) -> None:
        return None

    def forget(self, home: int) -> None:
        return None

    def idle(self) -> None:
        return None


def _import(
    spec: SpawnSpec, report: wire.Write, times: dict[str, float], *, isolate: bool
) -> tuple[dict[str, Any], Loaded, heritage.Heritage]:
    """Import the code, and find what is to be said of it; the process ends when it cannot be imported."""
    known = heritage.descriptors()
    printed: list[bytes] = []
    output.capture(output.Ledger(lambda _kind, _number, *parts: printed.append(parts[-1]), spec["max_log"] // 8))
    began = perf_counter()
    try:
        loaded = child.import_code(spec)
        _warm_up(spec, loaded)
        _hook(loaded.module, "before_template")
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        report(wire.FAILED, 0, _json({**agent.failure(error, script.here_of(spec)), "logs": _text(printed)}))
        os._exit(1)
    took = agent.since(began, perf_counter(), loaded)
    output.flush()
    gc.collect()  # also what nobody holds any more, before it is looked at what is there
    unfit, inherited, notes = "", heritage.NOTHING, script.without_effect(spec["env"])
    try:
        inherited = heritage.take_stock(known, isolate=isolate, renews=hasattr(loaded.module, "after_fork"))
    except heritage.Unforkable as reason:
        is_program = loaded.module.__name__ == agent.PROGRAM
        unfit = "it is a program of its own" if is_program else f"its import {reason}"
        notes += [] if is_program else [LATER]
    except OSError as error:
        unfit = f"what its import made cannot be looked at ({error})"
    found = {
        **times,
        **took,
        "handler": loaded.handler,
        "signature": loaded.signature,
        "event": loaded.event,
        "unfit": unfit,
        "notes": notes,
        "logs": _text(printed),
    }
    return found, loaded, inherited


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _allow_family() -> None:
    """The kernel counts the processes of all sandboxes against the template that they were forked from, too."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def _warm_up(spec: SpawnSpec, loaded: Loaded) -> None:
    """Load and start what every sandbox of this template will need, once."""
    if agent.needs_loop(spec, loaded):
        deferred.load("asgi").warm_up(spec, loaded)
    elif loaded.signature == EVENTS:
        deferred.load("instance")
        rehearsal.rehearse(spec, loaded._replace(signature="event"))
    else:
        rehearsal.rehearse(spec, loaded)
    if loaded.is_async:
        importlib.import_module("asyncio")
    elif spec["concurrency"] > 1:
        importlib.import_module("concurrent.futures.thread")
    if (ssl := sys.modules.get("_ssl")) is not None:
        ssl.RAND_bytes(1)  # OpenSSL sets itself up at its first use, for a millisecond
    # The first traceback, and the first look of a library at source code, compile the tokenizer's patterns.
    importlib.import_module("ast")
    tokenizer: Any = importlib.import_module("tokenize")
    list(tokenizer.generate_tokens(iter(["pass\n"]).__next__))


def _text(printed: list[bytes]) -> str:
    return b"".join(printed).decode("utf-8", "replace")[-16_384:]


def _memory_kb() -> int:
    """What this process holds, with what it shares counted by its share (PSS)."""
    try:
        with open("/proc/self/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _hook(module: ModuleType, name: str) -> None:
    hook: Callable[[], Any] | None = getattr(module, name, None)
    if callable(hook):
        hook()

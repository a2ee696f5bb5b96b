"""What a child of the zygote or of a template does, from its first instruction to its last."""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from time import perf_counter
from types import ModuleType
from typing import Any, NoReturn

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest import deferred, linux, output, packets, root, seccomp
from attacca.worker.runtime.process.guest.breeder import Breeder, last_words
from attacca.worker.runtime.process.guest.load import Loaded, Unfit, load, open_paths
from attacca.worker.runtime.process.guest.orders import Order
from attacca.worker.runtime.process.guest.serve import Server, describe

CHANNEL = 3  # the one descriptor a sandbox has besides its input and output
FAMILY = 512  # sandboxes that one template may have at once, each with all the processes it is allowed
ID = 1000  # user and group inside a template and inside a sandbox; 0 could not be mapped on without a capability
TO_MOVE_NETWORK = (linux.CAP_NET_ADMIN, linux.CAP_SYS_ADMIN)  # in the template's own user namespace, nowhere else
SETTINGS = {  # numeric libraries start a thread per core when imported, and threads do not survive a fork
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _take_descriptors(channel: int, out: int, *, keep_others: bool) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    # All three first go above the places they end up in, so that none overwrites another.
    high = [os.dup2(descriptor, 100 + place) for place, descriptor in enumerate((null, out, channel))]
    os.dup2(high[0], 0)
    os.dup2(high[1], 1)
    os.dup2(high[1], 2)
    os.dup2(high[2], CHANNEL, inheritable=False)
    if keep_others:  # a template's code may have opened files that its handler reads
        for descriptor in {null, channel, out, *high} - {0, 1, 2, CHANNEL}:
            os.close(descriptor)
    else:
        os.closerange(CHANNEL + 1, 1 << 20)


def _limit(order: Order) -> None:
    for name, value in order["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        most = allowed
        if order["template"] and name == "NPROC":
            most = value * FAMILY if hard == resource.RLIM_INFINITY else min(value * FAMILY, hard)
        resource.setrlimit(kind, (allowed, most))


def _allow_family() -> None:
    """The kernel counts the processes of all sandboxes against the template that they were forked from, too."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def _lock_down(order: Order, program: bytes, keep: tuple[int, ...] = (), *, isolate: bool) -> None:
    _limit(order)
    if isolate:
        linux.drop_capabilities(keep)
        seccomp.install(program)
    else:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # no namespace of ours will end it
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)


def _connect(order: Order) -> None:
    if not order["host_network"]:
        linux.raise_loopback()


def _environment(order: Order) -> None:
    os.environ.clear()
    os.environ.update(SETTINGS)
    os.environ.update(
        {
            "ATTACCA_FUNCTION": order["function"],
            "ATTACCA_REVISION": str(order["revision"]),
            "AWS_LAMBDA_FUNCTION_NAME": order["function"],
            "AWS_LAMBDA_FUNCTION_VERSION": str(order["revision"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(order["memory_mb"]),
            "LAMBDA_TASK_ROOT": _here(order),
        }
    )
    os.environ.update(order["env"])


def _here(order: Order) -> str:
    return order["code"] if order["code"].startswith("/") else root.HERE


def _bundle(order: Order) -> str | None:
    bundle = order["bundle"]
    return bundle if bundle is None or bundle.startswith("/") else root.BUNDLE


class TooSlow(BaseException):
    """The import takes too long; raised in the middle of it, so that its traceback says where."""


def _import(order: Order) -> Loaded:
    here = _here(order)
    os.chdir(here)
    open_paths(here, _bundle(order))

    def interrupt(*_: object) -> NoReturn:
        raise TooSlow(f"importing the code took longer than {order['import_s']:g} s (start_timeout_s of the server)")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, order["import_s"])
    try:
        return load(order["handler"], order["signature"], here)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if signal.getsignal(signal.SIGALRM) is interrupt:  # else the code has one of its own
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _failure(error: BaseException) -> dict[str, str]:
    if isinstance(error, Unfit):
        return {"code": "bad_function", "message": error.args[0], "hint": error.args[1], "traceback": ""}
    told = describe(error)
    if isinstance(error, TooSlow):
        return {"code": "timeout", "message": told["message"], "hint": "", "traceback": told["traceback"]}
    code = "out_of_memory" if isinstance(error, MemoryError) else "bad_function"
    message = f"importing the code raised {told['type']}: {told['message']}"
    return {"code": code, "message": message, "hint": "", "traceback": told["traceback"]}


def live_from_zygote(order: Order, channel: int, out: int, *, isolate: bool, began: float) -> NoReturn:
    """A sandbox, or a template, made from nothing."""
    template = order["template"]
    _take_descriptors(channel, out, keep_others=False)
    isolated = perf_counter()
    if isolate:
        root.map_self(ID, 0)
        isolated = perf_counter()
        root.enter_own(order["code"], order["bundle"], order["space_mb"])
        linux.set_host_name(order["function"])
        _connect(order)
    placed = perf_counter()
    if template:
        _lock_down(order, seccomp.FOR_TEMPLATES, TO_MOVE_NETWORK, isolate=isolate)
    else:
        _lock_down(order, seccomp.FOR_NEW_SANDBOXES, isolate=isolate)
    _environment(order)
    times = {"sandbox_ms": (isolated - began + perf_counter() - placed) * 1e3, "code_ms": (placed - isolated) * 1e3}
    sock = socket.socket(fileno=CHANNEL)
    if template:
        _live_as_template(order, sock, times, isolate=isolate)
    with contextlib.suppress(wire.Closed, ConnectionError):
        _live_as_new_sandbox(order, wire.Channel(sock), times)
    os._exit(0)


def live_from_template(
    order: Order, channel: int, out: int, loaded: Loaded, *, isolate: bool, began: float
) -> NoReturn:
    """A sandbox forked from its template: the code is already imported."""
    _take_descriptors(channel, out, keep_others=True)
    if isolate:
        root.map_self(ID, ID)
        root.take_space(order["space_mb"])
    _lock_down(order, seccomp.FOR_FORKED_SANDBOXES, isolate=isolate)
    times = {"sandbox_ms": (perf_counter() - began) * 1e3, "code_ms": 0.0, "imports_ms": 0.0}
    with contextlib.suppress(wire.Closed, ConnectionError):
        link = wire.Channel(socket.socket(fileno=CHANNEL))
        link.read()  # GO
        try:
            _reseed()
            _hook(loaded.module, "after_fork")
        except BaseException as error:  # noqa: BLE001 - the user's hook may raise anything
            link.write(wire.FAILED, 0, json.dumps(_failure(error)).encode())
            os._exit(1)
        _serve(order, link, loaded, times)
    os._exit(0)


def _live_as_new_sandbox(order: Order, link: wire.Channel, times: dict[str, float]) -> None:
    link.read()  # GO
    output.capture(output.Ledger(link.write, order["max_log"]))
    began = perf_counter()
    try:
        loaded = _import(order)
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        link.write(wire.FAILED, 0, json.dumps(_failure(error)).encode())
        os._exit(1)
    gc.freeze()
    _serve(order, link, loaded, {**times, "imports_ms": (perf_counter() - began) * 1e3})


def _serve(order: Order, link: wire.Channel, loaded: Loaded, times: dict[str, float]) -> None:
    ready = json.dumps(times).encode()
    if _needs_loop(order, loaded):
        try:
            deferred.load("asgi").serve_on_loop(link.sock, order, loaded, ready)
        except Unfit as error:
            link.sock.settimeout(None)
            link.write(wire.FAILED, 0, json.dumps(_failure(error)).encode())
        return
    server = Server(link.write, order, loaded)
    output.capture(server.ledger)
    link.write(wire.READY, 0, ready)
    if order["concurrency"] > 1:
        server.serve_in_threads(link, order["concurrency"])
    else:
        server.serve_one_by_one(link)


def _needs_loop(order: Order, loaded: Loaded) -> bool:
    return loaded.signature == "asgi" or (loaded.is_async and order["concurrency"] > 1)


def _warm_up(order: Order, loaded: Loaded) -> None:
    """Load and start what every sandbox of this template will need, once."""
    if _needs_loop(order, loaded):
        deferred.load("asgi").warm_up(order, loaded)
    if loaded.is_async:
        importlib.import_module("asyncio")
    elif order["concurrency"] > 1:
        importlib.import_module("concurrent.futures.thread")
    if (ssl := sys.modules.get("_ssl")) is not None:
        ssl.RAND_bytes(1)  # OpenSSL sets itself up at its first use, for a millisecond
    # The first traceback, and the first look of a library at source code, compile the tokenizer's patterns.
    importlib.import_module("ast")
    tokenizer: Any = importlib.import_module("tokenize")
    list(tokenizer.generate_tokens(iter(["pass\n"]).__next__))


def _live_as_template(order: Order, sock: socket.socket, times: dict[str, float], *, isolate: bool) -> NoReturn:
    if packets.receive(sock)[0] is None:  # go
        os._exit(0)
    printed: list[bytes] = []
    output.capture(output.Ledger(lambda _kind, _number, *parts: printed.append(parts[-1]), order["max_log"] // 8))
    began = perf_counter()
    try:
        loaded = _import(order)
        _warm_up(order, loaded)
        _hook(loaded.module, "before_template")
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        packets.send(sock, {"failed": {**_failure(error), "logs": _text(printed)}})
        os._exit(1)
    imports_ms = (perf_counter() - began) * 1e3
    output.flush()
    threads = len(os.listdir("/proc/self/task"))
    gc.collect()
    gc.freeze()  # what the collector touches, the kernel copies
    linux.trim()
    found = {"handler": loaded.handler, "signature": loaded.signature, "threads": threads, "logs": _text(printed)}
    packets.send(sock, {"ready": {**times, **found, "imports_ms": imports_ms, "memory_kb": _memory_kb()}})
    _allow_family()
    breeder = Breeder(sock, linux.OWN_ALL, isolate=isolate, lends_network=not order["host_network"])
    child, channel, out = breeder.run()
    with last_words():
        live_from_template(child, channel, out, loaded, isolate=isolate, began=perf_counter())


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


def _reseed() -> None:
    """Generators that every fork would repeat. `random` reseeds itself; secrets and uuid ask the kernel."""
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4)))
    if (ssl := sys.modules.get("_ssl")) is not None:
        ssl.RAND_add(os.urandom(48), 48.0)  # OpenSSL notices a fork by a changed pid, and every sandbox is pid 1

"""What a sandbox does, from its first instruction to its last; and what a template does alike."""

import contextlib
import fcntl
import gc
import json
import os
import resource
import signal
import sys
from time import perf_counter
from typing import NoReturn

from attacca.guest import advice, deferred, output
from attacca.guest import channel as wire
from attacca.guest.load import Loaded, Unfit, load, load_known, open_paths
from attacca.guest.serve import Server, adapted, describe
from attacca.worker.runtime.process.zygote import linux, rootfs, script, seccomp
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

READER, WRITER = 3, 4  # from the worker and to it: the descriptors that a sandbox has besides its input and output
FAMILY = 512  # sandboxes that one template may have at once, each with all the processes it is allowed


def take_descriptors(descriptors: list[int], out: int, *, keep_others: bool) -> None:
    """Put these at READER and what follows it, and `out` at output and errors."""
    null = os.open("/dev/null", os.O_RDONLY)
    given = (null, out, *descriptors)
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100) for one in given]  # where none is overwritten by another
    places = range(READER, READER + len(descriptors))
    os.dup2(high[0], 0)
    os.dup2(high[1], 1)
    os.dup2(high[1], 2)
    for one, place in zip(high[2:], places, strict=True):
        os.dup2(one, place, inheritable=False)
    if keep_others:  # a template's code may have opened files that its handler reads
        for one in {*given, *high} - {0, 1, 2, *places}:
            os.close(one)
    else:
        os.closerange(places.stop, 1 << 20)


def _limit(spec: SpawnSpec, *, template: bool) -> None:
    for name, value in spec["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        most = allowed
        if template and name == "NPROC":
            most = value * FAMILY if hard == resource.RLIM_INFINITY else min(value * FAMILY, hard)
        resource.setrlimit(kind, (allowed, most))


def lock_down(spec: SpawnSpec, program: bytes, keep: tuple[int, ...] = (), *, isolate: bool, template: bool) -> None:
    """From here on it has no rights but these, and the limits of its revision."""
    _limit(spec, template=template)
    if isolate:
        linux.drop_capabilities(keep)
        seccomp.install(program)
    else:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # no namespace of ours will end it
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)


class TooSlow(BaseException):
    """The import takes too long; raised in the middle of it, so that its traceback says where."""


def import_code(spec: SpawnSpec) -> Loaded:
    here = script.here_of(spec)
    os.chdir(here)
    before = list(sys.path)
    open_paths(here, script.bundle_of(spec))
    script.add_paths(spec, before)
    script.obey(spec["env"])
    pose = script.Script(here)

    def interrupt(*_: object) -> NoReturn:
        raise TooSlow(f"importing the code took longer than {spec['import_s']:g} s (start_timeout_s of the server)")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, spec["import_s"])
    try:
        find = load_known if spec["signature"] else load
        loaded = find(spec["handler"], spec["signature"], spec["event"], here)
        pose.settle(loaded.handler, loaded.module)
        return loaded
    finally:
        pose.end()
        signal.setitimer(signal.ITIMER_REAL, 0)
        if signal.getsignal(signal.SIGALRM) is interrupt:  # else the code has one of its own
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def failure(error: BaseException) -> dict[str, str]:
    if isinstance(error, Unfit):
        return {"code": "bad_function", "message": error.args[0], "hint": error.args[1], "traceback": ""}
    told, hint = describe(error), advice.hint(error, os.environ.get("LAMBDA_TASK_ROOT", rootfs.HERE))
    if isinstance(error, TooSlow):
        return {"code": "timeout", "message": told["message"], "hint": hint, "traceback": told["traceback"]}
    code = "out_of_memory" if isinstance(error, MemoryError) else "bad_function"
    message = f"importing the code raised {told['type']}: {told['message']}"
    return {"code": code, "message": message, "hint": hint, "traceback": told["traceback"]}


def settle(spec: SpawnSpec, user: int, *, isolate: bool, began: float) -> tuple[dict[str, float], int]:
    """Move a child of the zygote into a world of its own. Returns what took how long, and for a template a descriptor
    of a /proc that can be written to."""
    isolated, writable = perf_counter(), -1
    if isolate:
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # being born as another user took /proc/self away
        rootfs.map_self(rootfs.ID, user)
        os.setresgid(rootfs.ID, rootfs.ID, rootfs.ID)
        os.setresuid(rootfs.ID, rootfs.ID, rootfs.ID)
        if not spec["host_network"]:
            linux.unshare(linux.CLONE_NEWNET)
            linux.raise_loopback()
        isolated = perf_counter()
        writable = rootfs.enter_own(
            spec["code"], spec["bundle"], spec["space_mb"], spec["secrets"], template=spec["template"]
        )
        spec["secrets"] = {}
        linux.set_host_name(spec["function"])
    placed = perf_counter()
    return {"sandbox_ms": (isolated - began) * 1e3, "code_ms": (placed - isolated) * 1e3}, writable


def live(descriptors: list[int], user: int, *, isolate: bool, began: float) -> NoReturn:
    """A sandbox made from nothing. What it is to be comes by its own channel."""
    reader, writer, out = descriptors
    take_descriptors([reader, writer], out, keep_others=False)
    link = wire.Channel(READER, WRITER)
    with contextlib.suppress(wire.Closed, ConnectionError):
        spec: SpawnSpec = json.loads(link.read()[2])
        times, _ = settle(spec, user, isolate=isolate, began=began)
        lock_down(spec, seccomp.FOR_NEW_SANDBOXES, isolate=isolate, template=False)
        script.set_environment(spec)
        _live_as_new_sandbox(spec, link, times)
    os._exit(0)


def _live_as_new_sandbox(spec: SpawnSpec, link: wire.Channel, times: dict[str, float]) -> None:
    link.read()  # GO
    output.capture(output.Ledger(link.write, spec["max_log"]))
    began = perf_counter()
    try:
        loaded = import_code(spec)
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        link.write(wire.FAILED, 0, json.dumps(failure(error)).encode())
        os._exit(1)
    gc.freeze()
    serve(spec, link, loaded, {**times, "imports_ms": (perf_counter() - began) * 1e3})


def serve(spec: SpawnSpec, link: wire.Channel, loaded: Loaded, times: dict[str, float]) -> None:
    ready, loaded = json.dumps(times).encode(), adapted(loaded)
    if needs_loop(spec, loaded):
        try:
            deferred.load("asgi").serve_on_loop(link, spec, loaded, ready)
        except Unfit as error:
            os.set_blocking(link.writer, True)
            link.write(wire.FAILED, 0, json.dumps(failure(error)).encode())
        return
    server = Server(link.write, spec, loaded)
    output.capture(server.ledger)
    link.write(wire.READY, 0, ready)
    if spec["concurrency"] > 1:
        server.serve_in_threads(link, spec["concurrency"])
    else:
        server.serve_one_by_one(link)


def needs_loop(spec: SpawnSpec, loaded: Loaded) -> bool:
    loaded = adapted(loaded)
    return loaded.signature == "asgi" or (loaded.is_async and spec["concurrency"] > 1)

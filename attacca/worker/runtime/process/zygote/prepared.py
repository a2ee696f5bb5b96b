"""A sandbox of a template, put together before it is forked: what it then runs of Python, and so writes to and has to
copy, is next to nothing."""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NoReturn

from attacca.guest import agent
from attacca.guest import channel as wire
from attacca.guest.load import Loaded
from attacca.worker.runtime.process.zygote import child, heritage, linux, script, seccomp
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

READY = b'{"sandbox_ms": %.4f, "code_ms": 0.0, "imports_ms": 0.0}'
NULL = "/dev/null"
Life = Callable[[list[int]], NoReturn]  # of a sandbox, from its fork on, with the descriptors that it is born with
FILTER = seccomp.Code(seccomp.FOR_FORKED_SANDBOXES)


def prepare(spec: SpawnSpec, loaded: Loaded, inherited: heritage.Heritage, *, isolate: bool) -> Life:
    """For all that are forked from this process."""
    here = script.here_of(spec)
    born = [ctypes.c_int() for _ in range(3)]  # its descriptors, once they are known
    steps = (*_descriptors(*born), *_locks(spec, isolate=isolate))
    link = wire.Channel(child.READER, child.WRITER)  # the sandbox's: in its template these are others
    renew = tuple(_renewals(loaded, inherited, here))
    serve = agent.prepare(spec, link, loaded, here)
    take, read, clock = linux.take, link.read, perf_counter
    _keep_input()

    def live(descriptors: list[int]) -> NoReturn:
        began = clock()
        for place, descriptor in zip(born, descriptors, strict=True):
            place.value = descriptor
        take(steps)
        ready = READY % ((clock() - began) * 1e3)
        try:
            read()  # GO
            if renew:
                _renew(renew, link, here)
            serve(ready)
        except (wire.Closed, ConnectionError):
            pass
        os._exit(0)

    return live


def _descriptors(reader: ctypes.c_int, writer: ctypes.c_int, out: ctypes.c_int) -> Iterator[linux.Step]:
    """None that it is born with is where another one goes: in its template these places are taken."""
    for one, place, flags in (
        (out, 1, 0),
        (out, 2, 0),
        (reader, child.READER, os.O_CLOEXEC),
        (writer, child.WRITER, os.O_CLOEXEC),
    ):
        yield linux.libc.dup3, (one, place, flags)
    for one in (reader, writer, out):
        yield linux.libc.close, (one,)


def _keep_input() -> None:
    """Input is what it was before the import, for all of them: it has no offset that they could share."""
    if os.readlink("/proc/self/fd/0") != NULL:
        null = os.open(NULL, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)


def _locks(spec: SpawnSpec, *, isolate: bool) -> Iterator[linux.Step]:
    for kind, both in child.limits(spec, template=False):
        yield linux.libc.setrlimit, (kind, ctypes.byref((ctypes.c_ulong * 2)(*both)))
    if isolate:
        yield from linux.dropping_capabilities()
        yield linux.libc.prctl, (linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, FILTER.address, 0, 0)
    else:
        yield linux.libc.prctl, (linux.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        yield linux.libc.prctl, (linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _renewals(loaded: Loaded, inherited: heritage.Heritage, here: str) -> Iterator[Callable[[], Any]]:
    """What each has to have for itself, before any of its code runs. `here` is where it begins."""
    if inherited.directory == here:
        inherited = inherited._replace(directory="")
    if inherited != heritage.NOTHING:
        yield lambda: heritage.come_into(inherited)
    if (numpy_random := sys.modules.get("numpy.random")) is not None:  # `random` and OpenSSL notice a fork themselves;
        yield lambda: numpy_random.seed(int.from_bytes(os.urandom(4)))  # secrets and uuid ask the kernel
    hook = getattr(loaded.module, "after_fork", None)
    if callable(hook):
        yield hook


def _renew(renewals: tuple[Callable[[], Any], ...], link: wire.Channel, here: str) -> None:
    try:
        for renewal in renewals:
            renewal()
    except BaseException as error:  # noqa: BLE001 - the user's hook may raise anything
        link.write(wire.FAILED, 0, json.dumps(agent.failure(error, here)).encode())
        os._exit(1)

"""A sandbox of a template, put together before it is forked: what it then runs of Python, and so writes to and has to
copy, is next to nothing."""

import ctypes
import fcntl
import json
import os
import select
import socket
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
LOOP = (5, 6, 7)  # of an event loop: its epoll, and the pair by which it is woken
FIRST_OWN = 8  # what a template has for itself is here or above
Life = Callable[[list[int]], NoReturn]  # of a sandbox, from its fork on, with the descriptors that it is born with
FILTER = seccomp.Code(seccomp.FOR_FORKED_SANDBOXES)


def out_of_the_way(descriptor: int) -> int:
    """Where it is now: no place of a sandbox's."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN)
    os.close(descriptor)
    return moved


def hold_loop() -> None:
    """Before the import: what it opens is elsewhere. The kernel gives the lowest that is free."""
    places = tuple(os.open(NULL, os.O_RDONLY | os.O_CLOEXEC) for _ in LOOP)
    assert places == LOOP, places


def hold_channel() -> tuple[int, int]:
    """After the import: a template's own channel leaves its place to those of its sandboxes, which are held by a pipe
    that nobody uses. Returns where the template's own is."""
    own = fcntl.fcntl(child.READER, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN), out_of_the_way(child.WRITER)
    for one, place in zip(os.pipe2(os.O_CLOEXEC), (child.READER, child.WRITER), strict=True):
        if one != place:
            os.dup2(one, place, inheritable=False)
            os.close(one)
    return own


def prepare(spec: SpawnSpec, loaded: Loaded, inherited: heritage.Heritage, report: int, *, isolate: bool) -> Life:
    """For all that are forked from this process, whose `report` they have no use for."""
    here = script.here_of(spec)
    born = [ctypes.c_int() for _ in range(3)]  # its descriptors, once they are known
    steps: tuple[linux.Step, ...] = (*_descriptors(*born), *_locks(spec, isolate=isolate))
    steps = ((linux.libc.close, (report,)), *steps)
    link = wire.Channel(child.READER, child.WRITER)
    renew = tuple(_renewals(loaded, inherited, here))
    _keep_input()
    can_have_loop = _are_free()
    serve = agent.prepare(spec, link, loaded, here, is_loop_there=can_have_loop)
    renew_loop = tuple(_loop()) if can_have_loop and _has_loop() else ()
    take, read, clock = linux.take, link.read, perf_counter

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
            take(renew_loop)
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


def _are_free() -> bool:
    """Are the places of an event loop still held, and by us? From here on they are not."""
    if any(_name(one) != NULL for one in (*LOOP, 0)) or not (_name(child.READER) and _name(child.WRITER)):
        return False
    for one in LOOP:
        os.close(one)
    return True


def _name(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def _has_loop() -> bool:
    poll, *pair = map(_name, LOOP)
    return poll == "anon_inode:[eventpoll]" and all(name.startswith("socket:") for name in pair)


def _loop() -> Iterator[linux.Step]:
    """An event loop's descriptors made anew, each where it was: the kernel gives the lowest that is free."""
    poll, near, far = LOOP
    yield linux.libc.close, (poll,)
    yield linux.libc.epoll_create1, (os.O_CLOEXEC,)
    yield linux.libc.close, (near,)
    yield linux.libc.close, (far,)
    kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    yield linux.libc.socketpair, (int(socket.AF_UNIX), int(kind), 0, (ctypes.c_int * 2)())
    for one in (near, child.READER):
        event = linux.PollEvent(select.EPOLLIN, one)
        yield linux.libc.epoll_ctl, (poll, linux.EPOLL_CTL_ADD, one, ctypes.byref(event))
    for one in (child.READER, child.WRITER):
        yield linux.libc.ioctl, (one, ctypes.c_ulong(linux.FIONBIO), ctypes.byref(ctypes.c_int(1)))


def _keep_input() -> None:
    """Input is what it was before the import, for all of them: it has no offset that they could share."""
    if _name(0) != NULL:
        null = os.open(NULL, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)


def _locks(spec: SpawnSpec, *, isolate: bool) -> Iterator[linux.Step]:
    for kind, both in child.limits(spec, template=False):
        yield linux.libc.setrlimit, (kind, ctypes.byref((ctypes.c_ulong * 2)(*both)))
    yield from child.rights(FILTER) if isolate else child.BARE


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

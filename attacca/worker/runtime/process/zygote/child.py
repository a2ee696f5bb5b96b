"""What a sandbox does, from its first instruction to its last; and what a template does alike."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import NoReturn

from attacca.guest import agent, quickjson
from attacca.guest import channel as wire
from attacca.guest.load import Loaded, open_paths
from attacca.worker.runtime.process.zygote import crossing, furniture, linux, rootfs, script, seccomp
from attacca.worker.runtime.process.zygote.spawn_spec import AT_HOME, FOUNDER, SpawnSpec

READER, WRITER = 3, 4  # from the worker and to it: the descriptors that a sandbox has besides its input and output
FAMILY = 512  # sandboxes that one template may have at once, each with all the processes it is allowed


LIMITS = {name.removeprefix("RLIMIT_"): kind for name, kind in vars(resource).items() if name.startswith("RLIMIT_")}
BORN = tuple(ctypes.c_int() for _ in range(4))  # its output, and then what it has from READER on


def born_with(count: int) -> tuple[linux.Step, ...]:
    """Put output, and so many others, where they belong. None of them is there already."""
    out, *others = BORN[: count + 1]
    placed = ((one, READER + place, os.O_CLOEXEC) for place, one in enumerate(others))
    return tuple((linux.libc.dup3, words) for words in ((out, 1, 0), (out, 2, 0), *placed))


ALONE, WITH_ORDERS = born_with(2), born_with(3)


def take_descriptors(descriptors: list[int], out: int) -> None:
    """Put these at READER and what follows it, and `out` at output and errors; close all others but the input. None of
    them is where another one goes: who forks has these places held."""
    for blank, one in zip(BORN, (out, *descriptors), strict=False):
        blank.value = one
    linux.take(ALONE if len(descriptors) == 2 else WITH_ORDERS)
    os.closerange(READER + len(descriptors), 1 << 20)


def limits(spec: SpawnSpec, *, template: bool) -> Iterator[tuple[int, tuple[int, int]]]:
    """Those of its revision that this process has not yet: which, and the soft and the hard one."""
    for name, value in spec["limits"].items():
        kind = LIMITS[name]
        now = resource.getrlimit(kind)
        allowed = most = _at_most(now[1], value)
        if template and name == "NPROC":
            most = _at_most(now[1], value * FAMILY)
        if now != (allowed, most):
            yield kind, (allowed, most)


def _at_most(hard: int, value: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def rights(code: seccomp.Code, keep: tuple[int, ...] = ()) -> tuple[linux.Step, ...]:
    """No capabilities but these, and for good what the filter allows, which must be kept until then."""
    filter_on = linux.libc.prctl, (linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, code.address, 0, 0)
    return (*linux.dropping_capabilities(keep), filter_on)


def bare_rights() -> tuple[linux.Step, ...]:
    """Where there is no isolation, and no namespace of ours will end it."""
    return (
        (linux.libc.prctl, (linux.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)),
        (linux.libc.prctl, (linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
    )


FILTER = seccomp.Code(seccomp.FOR_NEW_SANDBOXES)
ISOLATED, BARE = rights(FILTER), bare_rights()


def lock_down(spec: SpawnSpec, steps: tuple[linux.Step, ...], *, template: bool) -> None:
    """From here on it has no rights but these, and the limits of its revision."""
    for kind, both in limits(spec, template=template):
        resource.setrlimit(kind, both)
    linux.take(steps)


def import_code(spec: SpawnSpec) -> Loaded:
    here = script.here_of(spec)
    os.chdir(here)
    before = list(sys.path)
    open_paths(here, script.bundle_of(spec))
    script.add_paths(spec, before)
    script.obey(spec["env"])
    furniture.settle()
    pose = script.Script(here)

    try:
        loaded = agent.load_in_time(spec, here)
        pose.settle(loaded.handler, loaded.module)
        return loaded
    finally:
        pose.end()


def become(user: int, processes: int) -> None:
    """In a new user namespace, who we are to be there; `processes` is a descriptor of a /proc of the zygote's, as where
    we are there may be none that knows us."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # being born as another user took our own part of it away
    rootfs.map_self(rootfs.ID, user, processes=processes)
    os.setresgid(rootfs.ID, rootfs.ID, rootfs.ID)
    os.setresuid(rootfs.ID, rootfs.ID, rootfs.ID)


def settle(spec: SpawnSpec, *, isolate: bool, began: float) -> tuple[dict[str, float], int]:
    """Move a child of the zygote into a world of its own. Returns what took how long, and for a template a descriptor
    of a /proc that can be written to."""
    isolated = joined = perf_counter()
    writable = -1
    if isolate:
        if not spec["host_network"] and not spec["is_connected"]:
            linux.unshare(linux.CLONE_NEWNET)
            linux.raise_loopback()
        joined = perf_counter()
        writable = _take_place(spec)
        spec["secrets"] = {}
        linux.set_host_name(spec["function"])
    times = {"sandbox_ms": isolated - began, "network_ms": joined - isolated, "code_ms": perf_counter() - joined}
    return {name: seconds * 1e3 for name, seconds in times.items()}, writable


def _take_place(spec: SpawnSpec) -> int:
    """Into the file system that it is to see. Returns as `rootfs.enter_staged` does."""
    if spec["home"] == AT_HOME:
        rootfs.show_processes()
        rootfs.settle_in(spec["space_mb"], spec["secrets"])
        return -1
    if spec["image"]:
        sys.meta_path.clear()  # by who has rights, nothing of an image is imported
        rootfs.stage_image(spec["image"])
    else:
        rootfs.stage_code(spec["code"], spec["bundle"])
    if spec["home"] == FOUNDER:
        rootfs.found_home()
        rootfs.settle_in(spec["space_mb"], spec["secrets"])
        return -1
    return rootfs.enter_staged(
        spec["space_mb"], spec["secrets"], spec["devices"],
        template=spec["template"], has_resolver=spec["is_plugged"],
    )  # fmt: skip


def live(descriptors: list[int], *, isolate: bool, began: float) -> NoReturn:
    """A sandbox made from nothing. What it is to be comes by its own channel."""
    reader, writer, out = descriptors
    take_descriptors([reader, writer], out)
    link = wire.Channel(READER, WRITER)
    try:
        spec: SpawnSpec = quickjson.loads(link.read()[2])
        times, _ = settle(spec, isolate=isolate, began=began)
        lock_down(spec, ISOLATED if isolate else BARE, template=False)
        if spec["is_plugged"]:
            link.write(wire.PLACED, 0)
        if spec["image"]:
            link.read()  # GO
            crossing.cross(spec, times, (READER, WRITER))
        script.set_environment(spec)
        agent.live(spec, link, lambda: import_code(spec), script.here_of(spec), times)
    except (wire.Closed, ConnectionError):
        pass
    os._exit(0)


def go_on(spec: SpawnSpec, times: dict[str, float]) -> NoReturn:
    """After GO, in an image's own interpreter."""
    link = wire.Channel(READER, WRITER)
    with contextlib.suppress(wire.Closed, ConnectionError):
        agent.go_on(spec, link, lambda: import_code(spec), script.here_of(spec), times)
    os._exit(0)

"""A door to dockerd, over its Engine API. It has a copy of its own of each image, for as long as the worker runs. A
container is made in a network that is there already, where ushers can go into one; else docker makes it, which takes
longer than all else of a start, and is entered once there is a process in it."""

import asyncio
import contextlib
import logging
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from attacca.errors import IsolationMissing
from attacca.worker.host.cdi import ELSEWHERE
from attacca.worker.runtime.container.agent_socket import PLACE
from attacca.worker.runtime.container.daemons.docker_api import DockerApi, Unanswered, pour
from attacca.worker.runtime.container.daemons.tending import CALL_S, Charge, spoken
from attacca.worker.runtime.container.daemons.ushers import Ushers
from attacca.worker.runtime.container.keeping import PREFIX, is_abandoned

SPACES, SHARED = ("/tmp", PLACE), "/dev/shm"  # that can be written to
LABEL = "attacca.group"
LOOK_S = 5.0
IMPORT_S = 300.0
LAST_S = 2.0  # for what is still on its way of what one printed that has ended
DRIVER = "cgroupfs"
YOUNG = (  # system calls in whose place C libraries use others, where a kernel does not know them
    *("clone3", "openat2", "faccessat2", "fchmodat2", "close_range", "epoll_pwait2", "futex_waitv", "rseq", "statx"),
    *("pidfd_open", "pidfd_getfd", "pidfd_send_signal", "copy_file_range", "membarrier", "landlock_create_ruleset"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "process_madvise", "preadv2", "pwritev2", "getrandom"),
)
NOTHING = "nothing"  # a directory, which is an image
LOG = logging.getLogger("attacca.worker")
HINT = "start dockerd, or set container.engine to crun or runc"
OTHER_DRIVER = "start dockerd with --exec-opt native.cgroupdriver=cgroupfs, or set container.engine to crun or runc"


class Created(msgspec.Struct, frozen=True, rename="pascal"):
    id: str


class Info(msgspec.Struct, frozen=True, rename="pascal"):
    cgroup_driver: str


class State(msgspec.Struct, frozen=True, rename="pascal"):
    pid: int = 0
    exit_code: int = 0
    running: bool = False
    o_o_m_killed: bool = msgspec.field(name="OOMKilled", default=False)


class Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    state: State


class Listed(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
    labels: dict[str, str] | None = None
    repo_tags: tuple[str, ...] | None = None


class Docker:
    """Implements `tending.Door`. `socket` is where it listens."""

    name = "docker"

    def __init__(self, socket: str) -> None:
        self._api = DockerApi(socket)
        self._group, self._nothing = "", ""
        self._ushers: Ushers | None = None  # where docker has no way for them it makes networks
        self._images: dict[str, asyncio.Task[str]] = {}  # by where they lie
        self._pouring: dict[str, asyncio.Task[None]] = {}  # by container

    def __repr__(self) -> str:
        return f"<Docker {self._api}, {len(self._images)} images, {len(self._pouring)} heard>"

    @property
    def makes_networks(self) -> bool:
        return self._ushers is None

    async def open(self, group: str, home: str) -> None:
        self._group, self._nothing = group, f"{home}/{NOTHING}"
        try:
            await self._api.agree(timeout_s=LOOK_S)
            info = msgspec.json.decode(await self._ask("GET", "/info", timeout_s=LOOK_S), type=Info)
            if info.cgroup_driver != DRIVER:
                said = f"docker has the cgroup driver {info.cgroup_driver}, and {DRIVER} is needed"
                raise IsolationMissing(said, OTHER_DRIVER)
            await self._sweep(ours=False)
        except OSError as error:
            raise IsolationMissing(str(error), HINT) from None
        ushers = Ushers(group, home, self._run, self._end)
        try:
            os.mkdir(self._nothing)
            await ushers.open()
        except OSError as error:
            LOG.warning("docker makes the networks of containers itself, which takes longer: %s", error)
            await ushers.close()
        else:
            self._ushers = ushers

    async def launch(self, job: Charge) -> None:
        image = await self._image(job.lower)
        told = body(job.spec, image, self._group, job.berth.bundle, job.files)
        if self._ushers is None or job.network < 0:
            await self._launch(job, told)
            return
        async with self._ushers.within(job.network) as usher:
            await self._launch(job, within(told, usher.name))
            await usher.call(job.pid, told["Hostname"])

    async def _launch(self, job: Charge, told: dict[str, Any]) -> None:
        made = msgspec.json.decode(await self._ask("POST", "/containers/create", told, name=job.id), type=Created)
        job.berth.group = f"/{self._group}/{made.id}"
        reader, writer = await self._api.attach(f"/containers/{job.id}/attach", timeout_s=CALL_S)
        self._pouring[job.id] = asyncio.create_task(self._pour(job.id, reader, writer, os.dup(job.output)))
        if not job.is_doomed:
            await self._ask("POST", f"/containers/{job.id}/start")
            state = await self._state(job)
            if state.pid:
                job.begun(state.pid)

    async def _pour(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, descriptor: int
    ) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                await pour(reader, descriptor)
        finally:
            writer.close()
        self._pouring.pop(name, None)

    async def status(self, job: Charge) -> tuple[int, bool]:
        await self._ask("POST", f"/containers/{job.id}/wait")
        state = await self._state(job)
        if (pouring := self._pouring.get(job.id)) is not None:
            await asyncio.wait([pouring], timeout=LAST_S)
        return spoken(state.exit_code), state.o_o_m_killed

    async def _state(self, job: Charge) -> State:
        return msgspec.json.decode(await self._ask("GET", f"/containers/{job.id}/json"), type=Inspected).state

    async def remove(self, job: Charge) -> None:
        if (pouring := self._pouring.pop(job.id, None)) is not None:
            pouring.cancel()
        await self._delete(f"/containers/{job.id}")

    async def _run(self, name: str, told: dict[str, Any]) -> None:
        """An usher."""
        whole = {**told, "Image": await self._image(self._nothing), "Labels": {LABEL: self._group}}
        await self._ask("POST", "/containers/create", whole, name=name)
        await self._ask("POST", f"/containers/{name}/start")

    async def _end(self, name: str) -> None:
        await self._delete(f"/containers/{name}")

    async def close(self) -> None:
        if self._ushers is not None:
            await self._ushers.close()
        for pouring in list(self._pouring.values()):
            pouring.cancel()
        for task in self._images.values():
            task.cancel()
        self._images.clear()
        await self._sweep(ours=True)

    async def _image(self, rootfs: str) -> str:
        """Its copy, made by the first who wants one."""
        task = self._images.get(rootfs)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            name = f"{self._group}:{len(self._images)}"
            task = self._images[rootfs] = asyncio.create_task(self._import(rootfs, name))
        return await asyncio.shield(task)

    async def _import(self, rootfs: str, name: str) -> str:
        with tempfile.TemporaryDirectory(prefix="attacca-") as directory:
            file = Path(directory) / "root.tar"
            await asyncio.to_thread(_pack, rootfs, file)
            repository, _, tag = name.partition(":")
            told = {"fromSrc": "-", "repo": repository, "tag": tag}
            await self._api.send("/images/create", file, timeout_s=IMPORT_S, **told)
        return name

    async def _sweep(self, *, ours: bool) -> None:
        """What is this worker's, or what workers have left that are no more."""
        filters = msgspec.json.encode({"label": [LABEL]}).decode()
        raw = await self._ask("GET", "/containers/json", all="1", filters=filters)
        for one in msgspec.json.decode(raw, type=list[Listed]):
            if self._is_over((one.labels or {}).get(LABEL, ""), ours=ours):
                await self._delete(f"/containers/{one.id}")
        raw = await self._ask(
            "GET", "/images/json", filters=msgspec.json.encode({"reference": [f"{PREFIX}*"]}).decode()
        )
        for one in msgspec.json.decode(raw, type=list[Listed]):
            if self._is_over((one.repo_tags or ("",))[0].partition(":")[0], ours=ours):
                await self._delete(f"/images/{one.id}")

    def _is_over(self, group: str, *, ours: bool) -> bool:
        return group == self._group if ours else is_abandoned(group)

    async def _delete(self, path: str) -> None:
        try:
            await self._ask("DELETE", path, force="1")
        except Unanswered as error:
            if error.status != 404:
                raise

    async def _ask(self, method: str, path: str, told: object = None, timeout_s: float = CALL_S, **query: str) -> bytes:
        return await self._api.ask(method, path, told, timeout_s=timeout_s, **query)


def body(spec: dict[str, Any], image: str, group: str, bundle: str, files: tuple[str, ...]) -> dict[str, Any]:
    """A specification of the OCI's, in docker's words, which have none for hooks."""
    process, linux = spec["process"], spec["linux"]
    memory, cpu = linux["resources"]["memory"], linux["resources"]["cpu"]
    space = {one["destination"]: _options(one["options"]) for one in spec["mounts"] if one["destination"] in SPACES}
    (shared,) = (one["options"] for one in spec["mounts"] if one["destination"] == SHARED)
    there: dict[str, str] = spec.get("annotations", {})
    is_apart = any(one["type"] == "network" for one in linux["namespaces"])
    limits = [
        {"Name": one["type"].removeprefix("RLIMIT_").lower(), "Soft": one["soft"], "Hard": one["hard"]}
        for one in process["rlimits"]
    ]
    return {
        "Image": image,
        "Hostname": spec["hostname"],
        "Env": process["env"],
        "Entrypoint": process["args"],
        "Cmd": [],
        "WorkingDir": process["cwd"],
        "User": "{uid}:{gid}".format(**process["user"]),
        "AttachStdout": True,
        "AttachStderr": True,
        "Labels": {LABEL: group},
        "HostConfig": {
            "NetworkMode": "none" if is_apart else "host",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", f"seccomp={msgspec.json.encode(_filter(linux['seccomp'])).decode()}"],
            "MaskedPaths": linux["maskedPaths"],
            "ReadonlyPaths": linux["readonlyPaths"],
            "CgroupnsMode": "private",
            "Memory": memory["limit"],
            "MemorySwap": memory["swap"],
            "CpuShares": cpu["shares"],
            "CpuQuota": cpu.get("quota", 0),
            "CpuPeriod": cpu.get("period", 0),
            "PidsLimit": linux["resources"]["pids"]["limit"],
            "Ulimits": limits,
            "Tmpfs": space,
            "ShmSize": _size(shared),
            "Binds": [*(f"{bundle}/upper{path}:{path}:ro" for path in files), *_binds(spec["mounts"])],
            "Devices": [
                {
                    "PathOnHost": there.get(ELSEWHERE + one["path"], one["path"]),
                    "PathInContainer": one["path"],
                    "CgroupPermissions": "rwm",
                }
                for one in linux.get("devices", ())
            ],
            "GroupAdd": [str(gid) for gid in process["user"].get("additionalGids", ())],
            "CgroupParent": f"/{group}",
            "LogConfig": {"Type": "none"},
        },
    }


def within(told: dict[str, Any], other: str) -> dict[str, Any]:
    """In the network of that other container. Docker lets such a one have no name of its own for the machine."""
    named = {one.partition("=")[0] for one in told["Env"]}
    said = [] if "HOSTNAME" in named else [f"HOSTNAME={told['Hostname']}"]
    host = {**told["HostConfig"], "NetworkMode": f"container:{other}"}
    return {**told, "Hostname": "", "Env": [*told["Env"], *said], "HostConfig": host}


def _options(options: list[str]) -> str:
    """Of a file system in memory, from which nothing can be run unless that is said."""
    return ",".join(options if "noexec" in options else [*options, "exec"])


def _size(options: list[str]) -> int:
    """In bytes, of a file system in memory."""
    return next(int(one.removeprefix("size=").removesuffix("m")) << 20 for one in options if one.startswith("size="))


def _binds(mounts: list[dict[str, Any]]) -> list[str]:
    """Of what lies elsewhere on the machine."""
    bound = [one for one in mounts if one["type"] == "bind"]
    return [f"{one['source']}:{one['destination']}:{'ro' if 'ro' in one['options'] else 'rw'}" for one in bound]


def _filter(profile: dict[str, Any]) -> dict[str, Any]:
    """Older ones know no number of their own for what is not named, and say EPERM, by which nobody looks for another
    way."""
    named = {name for rule in profile["syscalls"] for name in rule["names"]}
    unknown = [name for name in YOUNG if name not in named]
    rule = {"names": unknown, "action": "SCMP_ACT_ERRNO", "errnoRet": profile["defaultErrnoRet"]}
    return {**profile, "syscalls": [*profile["syscalls"], rule]}


def _pack(rootfs: str, file: Path) -> None:
    with tarfile.open(file, "w") as archive:
        archive.add(rootfs, arcname=".")

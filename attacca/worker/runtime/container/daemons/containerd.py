"""A door to containerd, over gRPC: our own specification, and a root of ours, which its shim mounts.

Everything that is ours has a namespace of its own in it, called as our directory is.
"""

import asyncio
import json
import os
from typing import Any

from attacca.errors import IsolationMissing
from attacca.worker.runtime.container.daemons import protobuf
from attacca.worker.runtime.container.daemons.tending import CALL_S, Charge, spoken
from attacca.worker.runtime.container.keeping import is_abandoned
from attacca.worker.runtime.container.spec import GROUP, NETWORK

RUNTIME = "io.containerd.runc.v2"
SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
OPTIONS = "containerd.runc.v1.Options"
BINARY = 6  # of these options: what the shim runs in the place of runc
SERVICES = "/containerd.services."
CONTAINERS, TASKS = f"{SERVICES}containers.v1.Containers/", f"{SERVICES}tasks.v1.Tasks/"
NAMESPACES, VERSION = f"{SERVICES}namespaces.v1.Namespaces/", f"{SERVICES}version.v1.Version/Version"
REACH_S = 1.0  # until one that was away, and may be back, is given up for this time
LOOK_S = 5.0  # for whether anybody answers at all
RECONNECT_MS = (20, 500)
SWEEPS, SWEEP_S = 10, 0.1  # tries, and the pause between two
Fields = tuple[tuple[int, str | bytes | int], ...]


class Deaf(OSError):
    """It refused, or did not answer."""


class Containerd:
    """Implements `tending.Door`. `socket` is where it listens; `binary`, what its shim is to run, unless runc."""

    name = "containerd"
    makes_networks = False

    def __init__(self, socket: str, binary: str = "") -> None:
        self._socket, self._binary = socket, binary
        self._channel: Any = None
        self._group = ""

    def __repr__(self) -> str:
        return f"<Containerd at {self._socket}, {'closed' if self._channel is None else 'open'}>"

    async def open(self, group: str, home: str) -> None:
        try:
            import grpc.aio
        except ImportError:
            raise IsolationMissing("containerd needs grpcio", "pip install 'attacca[containerd]'") from None
        del home
        first, most = RECONNECT_MS
        options: list[tuple[str, int | str]] = [
            ("grpc.initial_reconnect_backoff_ms", first),
            ("grpc.min_reconnect_backoff_ms", first),
        ]
        options += [("grpc.max_reconnect_backoff_ms", most), ("grpc.default_authority", "localhost")]
        self._group, self._channel = group, grpc.aio.insecure_channel(f"unix:{self._socket}", options=options)
        try:
            await self._call(VERSION, (), timeout_s=LOOK_S)
            await self._sweep()
            await self._call(f"{NAMESPACES}Create", ((1, protobuf.message(((1, group),))),))
        except OSError as error:
            await self._channel.close()
            self._channel = None
            raise IsolationMissing(str(error), "start containerd, or set container.engine to crun or runc") from None

    async def launch(self, job: Charge) -> None:
        here = f"/proc/{os.getpid()}/fd/"
        spec = json.dumps(job.spec).replace(NETWORK, f"{here}{job.network}").replace(GROUP, job.berth.group)
        options = protobuf.message(((1, OPTIONS), (2, protobuf.message(((BINARY, self._binary),)))))
        runtime = protobuf.message(((1, RUNTIME), (2, options)))
        told = protobuf.message(((1, job.id), (4, runtime), (5, protobuf.message(((1, SPEC), (2, spec.encode()))))))
        await self._call(f"{CONTAINERS}Create", ((1, told),))
        bundle, output = job.berth.bundle, f"{here}{job.output}"
        layers = (f"lowerdir={bundle}/lower", f"upperdir={bundle}/upper", f"workdir={bundle}/work", "nosuid", "nodev")
        mount = protobuf.message(((1, "overlay"), (2, "overlay"), *((4, one) for one in layers)))
        asked = ((1, job.id), (3, mount), (5, output), (6, output), (9, options))
        try:
            job.begun(protobuf.number_of(await self._call(f"{TASKS}Create", asked), 2))
            if not job.is_doomed:
                await self._call(f"{TASKS}Start", ((1, job.id),))
        except KeyError:
            raise Deaf(f"containerd does not know {job.id} any more") from None

    async def status(self, job: Charge) -> tuple[int, bool]:
        try:
            told = await self._call(f"{TASKS}Delete", ((1, job.id),))
        except KeyError:
            raise Deaf(f"containerd does not know {job.id} any more") from None
        return spoken(protobuf.number_of(told, 3)), False

    async def remove(self, job: Charge) -> None:
        await self._remove(job.id, self._group)

    async def _remove(self, name: str, namespace: str) -> None:
        """A task that has not been asked for its status is there still."""
        for method in (f"{TASKS}Delete", f"{CONTAINERS}Delete"):
            try:
                await self._call(method, ((1, name),), namespace)
            except KeyError:  # it is gone
                continue

    async def close(self) -> None:
        try:
            await self._clear(self._group)
        finally:
            channel, self._channel = self._channel, None
            await channel.close()

    async def _sweep(self) -> None:
        """What workers have left that are no more."""
        for told in protobuf.texts_of(await self._call(f"{NAMESPACES}List", ()), 1):
            name = b"".join(protobuf.texts_of(told, 1)[:1]).decode()
            if is_abandoned(name):
                await self._clear_in_time(name)

    async def _clear_in_time(self, namespace: str) -> None:
        """containerd needs a moment to see that shims were killed, and refuses meanwhile. What it does not let go of is
        left to the next one."""
        for _ in range(SWEEPS):
            try:
                await self._clear(namespace)
            except Deaf:
                await asyncio.sleep(SWEEP_S)
            else:
                return

    async def _clear(self, namespace: str) -> None:
        for told in protobuf.texts_of(await self._call(f"{CONTAINERS}List", (), namespace), 1):
            await self._remove(protobuf.texts_of(told, 1)[0].decode(), namespace)
        try:
            await self._call(f"{NAMESPACES}Delete", ((1, namespace),))
        except KeyError:
            return

    async def _call(self, method: str, fields: Fields, namespace: str = "", timeout_s: float = CALL_S) -> bytes:
        """
        Raises:
            Deaf: it refuses, or does not answer.
            KeyError: it does not know what this is about.
        """
        import grpc
        import grpc.aio

        if self._channel is None:
            raise Deaf("the door to containerd is closed")
        await self._reach(grpc)
        call = self._channel.unary_unary(method)  # bytes in, bytes out
        metadata = (("containerd-namespace", namespace or self._group),)
        try:
            answer: bytes = await call(protobuf.message(fields), metadata=metadata, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise KeyError(method) from None
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise Deaf(self._deaf()) from None
            raise Deaf(f"containerd: {error.details()}") from None
        return answer

    async def _reach(self, grpc: Any) -> None:
        """A channel that has lost its daemon waits before it looks for it again, and would refuse meanwhile.

        Raises:
            Deaf: nobody is there.
        """
        if self._channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
            try:
                async with asyncio.timeout(REACH_S):
                    await self._channel.channel_ready()
            except TimeoutError:
                raise Deaf(self._deaf()) from None

    def _deaf(self) -> str:
        return f"containerd does not answer at {self._socket}; try again when it does"

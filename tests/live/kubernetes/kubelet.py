"""A small kubelet: watches the pods of a namespace, starts each in its own way, and says what becomes of it.

What an image is called decides how it fares: `missing:1` is not to be pulled, `unschedulable:1` has no node.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

from attacca.worker.runtime.kubernetes.api import PATCH, Declined, Server, lines

STARTED = "2026-01-01T00:00:00Z"
PERIOD_S = 0.05
GRACE_S = 30.0  # where the server says nothing


class Running(Protocol):
    """One that was started."""

    address: str
    printed: bytearray
    news: asyncio.Event  # is set, and another put in its place, when something was printed

    async def ended(self) -> tuple[int, str]:
        """Its status, and the reason."""

    async def kill(self) -> None: ...


class Starter(Protocol):
    async def start(self, pod: dict[str, Any], env: dict[str, str], files: dict[str, str]) -> Running: ...


class Kubelet:
    """`node`: it takes pods for itself, as a scheduler would, and is called so."""

    def __init__(self, server: Server, namespace: str, starter: Starter, node: str = "") -> None:
        self._server, self._starter, self._node = server, starter, node
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self.running: dict[str, Running] = {}
        self._changed = asyncio.Event()  # who runs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self.wrong: list[BaseException] = []  # which are the kubelet's own
        self._all: set[asyncio.Task[None]] = set()  # those that end, too

    def __repr__(self) -> str:
        return f"<Kubelet {len(self.running)} pods>"

    async def follow(self) -> None:
        """Until it is cancelled; then nothing of what it has started runs."""
        try:
            while True:
                with contextlib.suppress(Declined):
                    await self._follow()
                await asyncio.sleep(PERIOD_S)
        finally:
            for task in (*self._tasks.values(), *self._ending.values()):
                task.cancel()
            while self._all:
                await asyncio.wait(self._all)
            assert self.wrong == []

    async def _follow(self) -> None:
        there = json.loads(await self._server.ask("GET", self._path))
        for pod in there["items"]:
            self._begin(pod)
        for name in set(self._tasks) - {pod["metadata"]["name"] for pod in there["items"]}:
            self._tasks.pop(name).cancel()
        version = there["metadata"]["resourceVersion"]
        stream = self._server.stream(self._path, quiet_s=600.0, watch="1", resourceVersion=version)
        async for line in lines(stream):
            event = json.loads(line)
            if event["type"] == "ADDED":
                self._begin(event["object"])
            elif event["type"] == "MODIFIED":
                self._end(event["object"]["metadata"])
            elif event["type"] == "DELETED":
                task = self._tasks.pop(event["object"]["metadata"]["name"], None)
                if task is not None:
                    task.cancel()
            elif event["type"] == "ERROR":
                return

    async def until_running(self, count: int) -> None:
        while len(self.running) != count:
            self._changed.clear()
            await self._changed.wait()

    def _begin(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        if name not in self._tasks and pod["status"]["phase"] == "Pending":
            task = self._tasks[name] = asyncio.create_task(self._live(name, pod))
            self._all.add(task)
            task.add_done_callback(self._over)

    def _end(self, meta: dict[str, Any]) -> None:
        """A program that does not care for SIGTERM is killed when its time is over: it is pid 1."""
        name, grace_s = meta["name"], meta.get("deletionGracePeriodSeconds", GRACE_S)
        if "deletionTimestamp" in meta and name not in self._ending:
            task = self._ending[name] = asyncio.create_task(self._delete(name, grace_s))
            self._all.add(task)
            task.add_done_callback(self._over)

    async def _delete(self, name: str, grace_s: float) -> None:
        if (living := self._tasks.get(name)) is not None:
            await asyncio.wait([living], timeout=grace_s)
        with contextlib.suppress(Declined):
            await self._server.ask("DELETE", f"{self._path}/{name}", gracePeriodSeconds="0")

    def _over(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.wrong.append(error)

    async def _live(self, name: str, pod: dict[str, Any]) -> None:
        container = pod["spec"]["containers"][0]
        image = container["image"]
        if image.startswith("unschedulable"):
            why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            await self._say(name, {"conditions": [{**why, "message": "0/1 nodes are available"}]})
            return
        if self._node:
            told = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
            target = {"apiVersion": "v1", "kind": "Node", "name": self._node}
            await self._server.ask("POST", f"{self._path}/{name}/binding", {**told, "target": target})
        if image.startswith("missing"):
            waits = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            await self._say(name, self._status(image, {"waiting": waits}))
            return
        env, files = await self._told(pod, container)
        running = await _whole(self._starter.start(pod, env, files))
        self.running[name] = running
        self._changed.set()
        try:
            address = {"podIP": running.address, "podIPs": [{"ip": running.address}], "phase": "Running"}
            await self._say(name, {**address, **self._status(image, {"running": {"startedAt": STARTED}}, ready=True)})
            code, reason = await running.ended()
            over = {"exitCode": code, "reason": reason, "startedAt": STARTED, "finishedAt": STARTED}
            phase = {"phase": "Failed" if code else "Succeeded"}
            await self._say(name, {**phase, **self._status(image, {"terminated": over})})
        finally:
            ending = asyncio.create_task(running.kill())
            self._all.add(ending)
            ending.add_done_callback(self._over)
            await asyncio.shield(ending)
            del self.running[name]
            self._changed.set()

    async def _told(self, pod: dict[str, Any], container: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        env, files = {}, {}
        for one in container["env"]:
            of = one.get("valueFrom", {}).get("secretKeyRef")
            value = one["value"].replace("$$(", "$(") if of is None else await self._secret(of["name"], of["key"])
            env[one["name"]] = value
        for volume in pod["spec"]["volumes"]:
            for item in volume.get("secret", {}).get("items", ()):
                value = await self._secret(volume["secret"]["secretName"], item["key"])
                files[f"/run/secrets/{item['path']}"] = value
        return env, files

    async def _secret(self, name: str, key: str) -> str:
        told = json.loads(await self._server.ask("GET", f"{self._secrets}/{name}"))
        return base64.b64decode(told["data"][key]).decode()

    def _status(self, image: str, state: dict[str, Any], *, ready: bool = False) -> dict[str, Any]:
        of = {"name": "function", "image": image, "imageID": "", "ready": ready, "restartCount": 0}
        return {"containerStatuses": [{**of, "state": state}]}

    async def _say(self, name: str, status: dict[str, Any]) -> None:
        with contextlib.suppress(Declined):  # it was deleted meanwhile
            await self._server.ask("PATCH", f"{self._path}/{name}/status", {"status": status}, kind=PATCH)

    async def log(self, name: str, follow: bool) -> AsyncIterator[bytes]:  # noqa: FBT001 - a query's
        running, at = self.running.get(name), 0
        while running is not None:
            news = running.news
            if len(running.printed) > at:
                yield bytes(running.printed[at:])
                at = len(running.printed)
            elif not follow or name not in self.running:
                return
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PERIOD_S):
                        await news.wait()


async def _whole(start: Coroutine[Any, Any, Running]) -> Running:
    """Also where nobody waits for it any more: then it is ended."""
    task = asyncio.create_task(start)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await (await task).kill()
        raise

"""Pods that are containers of runc's, each with a network of its own: what a node does, in a hundred lines."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from attacca.model.function import Settings
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.container.people import whom
from attacca.worker.runtime.container.spec import GROUP, NETWORK, spec

PIECE = 65_536
CGROUPS = Path("/sys/fs/cgroup")
NET = "10.211"
NAP_S = 0.1


class ContainerPod:
    def __init__(self, name: str, bundle: Path, group: str, address: str, namespace: str) -> None:
        self.name, self.address = name, address
        self._bundle, self._group, self._namespace = bundle, group, namespace
        self.printed, self.news = bytearray(), asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ending: asyncio.Future[tuple[int, str]] | None = None

    def __repr__(self) -> str:
        return f"<ContainerPod {self.name} at {self.address}>"

    async def begin(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "runc", "run", "--keep", "--bundle", str(self._bundle), self.name,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(PIECE):
            self.printed += data
            news, self.news = self.news, asyncio.Event()
            news.set()

    async def ended(self) -> tuple[int, str]:
        assert self._process is not None
        assert self._reading is not None
        status = await self._process.wait()
        await asyncio.shield(self._reading)
        reason = "OOMKilled" if self._went_over() else "Error" if status else "Completed"
        return status, reason

    def _went_over(self) -> bool:
        for place in (CGROUPS / "memory" / self._group / "memory.oom_control", CGROUPS / self._group / "memory.events"):
            with contextlib.suppress(OSError):
                lines = place.read_text().splitlines()
                return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
        return False

    async def kill(self) -> None:
        while True:  # what has not begun yet cannot be deleted, and begins
            await told("runc", "delete", "--force", self.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NAP_S):
                    await self.ended()
                    break
        await told("runc", "delete", "--force", self.name)
        await told("ip", "netns", "delete", self._namespace)
        shutil.rmtree(self._bundle)


class Containers:
    """Implements `kubelet.Starter`: every image is `image`."""

    def __init__(self, directory: Path, image: UnpackedImage) -> None:
        self._directory, self._image = directory, image
        self._count = itertools.count(1)
        self._group = f"attacca-{os.getpid()}-pods"

    def __repr__(self) -> str:
        return f"<Containers in {self._directory}>"

    async def start(self, pod: dict[str, Any], env: dict[str, str], files: dict[str, str]) -> ContainerPod:
        number, name = next(self._count), pod["metadata"]["name"]
        namespace, link = f"attacca-pod-{os.getpid()}-{number}", f"ap{os.getpid() % 100_000}-{number}"
        outer, inner = (f"{NET}.{number // 64}.{number % 64 * 4 + one}" for one in (1, 2))
        bundle, group = self._directory / name, f"{self._group}/{name}"
        started = ContainerPod(name, bundle, group, inner, namespace)
        bundle.mkdir()
        for words in (
            f"ip netns add {namespace}",
            f"ip link add {link} type veth peer name eth0 netns {namespace}",
            f"ip address add {outer}/30 dev {link}",
            f"ip link set {link} up",
            f"ip -n {namespace} address add {inner}/30 dev eth0",
            f"ip -n {namespace} link set eth0 up",
            f"ip -n {namespace} link set lo up",
        ):
            await told(*words.split())
        asked = self._asked(pod, env, namespace, group)
        for count, (path, text) in enumerate(files.items()):
            source = bundle / f"file-{count}"
            source.write_text(text)
            asked["mounts"].append(
                {"destination": path, "type": "bind", "source": str(source), "options": ["bind", "ro", "nosuid"]}
            )
        (bundle / "config.json").write_text(json.dumps(asked))
        await started.begin()
        return started

    def _asked(self, pod: dict[str, Any], env: dict[str, str], namespace: str, group: str) -> dict[str, Any]:
        container = pod["spec"]["containers"][0]
        memory_mb = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        config = self._image.config
        user = whom(self._image.rootfs, config.user or "")
        settings = Settings(name="pod", memory_mb=memory_mb)
        asked = spec(config, settings, user, env, processes=64, open_files=256, space_mb=16)
        text = json.dumps(asked).replace(NETWORK, f"/run/netns/{namespace}").replace(GROUP, f"/{group}")
        found: dict[str, Any] = msgspec.json.decode(text)
        found["root"]["path"] = self._image.rootfs
        return found

    def left(self) -> list[str]:
        spaces = [f"namespace {one}" for one in os.listdir("/run/netns") if f"-{os.getpid()}-" in one]
        groups = [str(one) for one in CGROUPS.glob(f"*/{self._group}/*/")] + [
            str(one) for one in (CGROUPS / self._group).glob("*/")
        ]
        return spaces + groups

    def close(self) -> None:
        for group in [*CGROUPS.glob(f"*/{self._group}"), CGROUPS / self._group]:
            with contextlib.suppress(OSError):
                group.rmdir()


async def told(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, (words, said)

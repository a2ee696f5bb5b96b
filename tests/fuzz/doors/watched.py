"""What an API server says of pods: whatever it is, a worker ends each of its sandboxes once, and leaves nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from attacca.worker.core.reports import SandboxFailed
from attacca.worker.runtime.kubernetes import manifests
from tests.fuzz.door import Door
from tests.fuzz.mutation import BYTES, NUMBERS, UNICODE, mutate
from tests.worker.runtime.kubernetes.test_runtime import Stage, revision
from tests.worker.runtime.kubernetes.twin import Desk

OWNER = manifests.Owner("attacca-w", "uid-1", "w", "r1")
NAME = manifests.pod_name(OWNER, revision(), "s1")
LABELS = {"attacca/worker": "w", "attacca/run": "r1"}
REASONS = ("OOMKilled", "Error", "Evicted", "ImagePullBackOff", "ErrImagePull", "Unschedulable", "StartError", "")
KINDS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "")
STATES: tuple[Any, ...] = (
    {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    {"waiting": {"reason": "ImagePullBackOff", "message": "no"}},
    {"terminated": {"exitCode": 1, "reason": "Error"}},
    {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    {}, None, [], {"running": None, "terminated": 3},
)  # fmt: skip
PATIENCE_S = 3.0
TURNS = 100  # of the loop, until what was said has done what it does
MEMBERS = ("type", "object", "metadata", "name", "status", "phase", "containerStatuses", "state", "terminated")


class Saying(Desk):
    """What the first watch says when there is a pod; those after it are as they should be."""

    def __init__(self, stage: Stage, data: bytes) -> None:
        super().__init__(stage.cluster)
        self._data: bytes | None = data
        self.is_there = asyncio.Event()

    async def stream(self, path: str, *, quiet_s: float, **query: str) -> AsyncIterator[bytes]:
        if self._data is not None and not path.endswith("/log"):
            await self.is_there.wait()
            data, self._data = self._data, None
            for at in range(0, len(data), 1000):
                yield data[at : at + 1000]
            return
        async for piece in super().stream(path, quiet_s=quiet_s, **query):
            yield piece


class Watched(Door):
    name = "watched"
    words = (
        *(f'"{one}"'.encode() for one in (*REASONS, *KINDS, *MEMBERS, NAME)),
        *(number.encode() for number in NUMBERS),
        *BYTES,
        *(text.encode() for text in UNICODE),
    )

    def open(self) -> None: ...
    def close(self) -> None: ...

    def seeds(self) -> list[bytes]:
        return [
            said(event("ADDED"), event("MODIFIED", STATES[0])),
            said(event("ADDED"), event("MODIFIED", STATES[2], phase="Failed")),
            said(event("MODIFIED", phase="Failed", reason="Evicted", message="x" * 2000)),
            said(event("DELETED"), event("ADDED")),
            said({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "101"}}}),
            said({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            return mutate(chance, corpus, self.words)[: self.largest]
        drawn = [
            event(
                chance.choice(KINDS),
                chance.choice(STATES),
                chance.choice((NAME, NAME, NAME, "another", "")),
                phase=chance.choice(("Pending", "Running", "Failed", "Succeeded", "Unknown", "")),
                reason=chance.choice(REASONS),
            )
            for _ in range(chance.choice((1, 2, 3, 8)))
        ]
        return said(*drawn)

    def check(self, data: bytes) -> str:
        async def main() -> str:
            async with asyncio.timeout(PATIENCE_S):
                return await heard(data)

        return asyncio.run(main())


async def heard(data: bytes) -> str:
    stage = Stage()
    desk = stage.desk = Saying(stage, data)
    bench, cluster = stage.bench, stage.cluster
    await stage.runtime.open(bench.witness.hear)
    try:
        sandbox = bench.make(revision())
        assert await stage.pod() == NAME
        desk.is_there.set()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        bench.kill(sandbox)
        report = await bench.gone(sandbox)
        assert isinstance(report, SandboxFailed), report
        assert report.message
        await stage.until(lambda: not cluster.names("pods"))
        other = bench.make(revision())
        stage.say(await stage.pod(), {"terminated": {"exitCode": 7}}, phase="Failed")
        report = await bench.gone(other)
        assert isinstance(report, SandboxFailed), report
        assert report.message.startswith("its process exited with status 7"), "what is watched is not heard any more"
    finally:
        await stage.runtime.close()
    assert bench.witness.wrong == [], bench.witness.wrong
    assert cluster.things == {}, sorted(cluster.things)
    assert repr(stage.runtime) == "<KubernetesRuntime 0 of 0 pods ready, 0 being removed>"
    return "taken"


def event(kind: str, state: Any = None, name: str = NAME, **status: str) -> dict[str, Any]:
    told: dict[str, Any] = {key: value for key, value in status.items() if value}
    if state is not None:
        told["containerStatuses"] = [{"name": "function", "state": state}]
    meta = {"name": name, "labels": LABELS, "resourceVersion": "101"}
    return {"type": kind, "object": {"metadata": meta, "status": told}}


def said(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)

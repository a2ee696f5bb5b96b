"""`metrics-collector`: how long what functions say the beginning and the end of took, in Redis, as EDGELESS keeps it.

    function:begin:ID, function:end:ID, workflow:begin:ID, workflow:end:ID    what it is told
    KIND:NAME:samples    a list, the oldest first: milliseconds, and when the end came, in seconds since 1970
    KIND:NAME:average    alpha times the last sample, and the rest of it the average before

NAME is `wf_name` for workflows, and the physical id of the sender for functions.
"""

import re
from collections.abc import Mapping

from attacca.errors import BadRequest
from attacca.workflow.core.identities import of_instance
from attacca.workflow.resources.redis_client import RedisClient
from attacca.workflow.resources.types import Host, field, number

MARK = re.compile(rb"(function|workflow):(begin|end):([0-9]{1,20})(?!\n)$")
RESET = re.compile(rb"reset:([0-9]{1,12})(?!\n)$")
OPEN_MOST = 100_000  # begun, and not ended


class MetricsCollector:
    """`url` of a Redis; `alpha`, 0.9 where nothing is said; `wf_name`, without which workflows are not kept. After
    `reset:MS` all its keys are gone, and nothing is kept for so many milliseconds."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._client = RedisClient(field(configuration, "url", "metrics-collector"), host, "metrics-collector")
        self._alpha = number(configuration, "alpha", 0.9, 0.0, 1.0)
        self._workflow, self._host = configuration.get("wf_name", ""), host
        self._begun: dict[tuple[str, str, int], float] = {}
        self._averages: dict[str, float] = {}  # by key without its end: all that it has written
        self._resumes_at = 0.0

    def __repr__(self) -> str:
        return f"<MetricsCollector {len(self._begun)} begun, {len(self._averages)} kept>"

    async def open(self, self_id: str, workflow: str) -> None:
        await self._client.open()

    async def cast(self, source: str, data: bytes) -> None:
        reset = RESET.match(data)
        if reset is not None:
            await self._reset(int(reset[1]) / 1000)
            return
        mark = MARK.match(data)
        if mark is None:
            what = f"{data[:80]!r} is nothing that a metrics-collector knows"
            raise BadRequest(what, "send function:begin:ID, function:end:ID, workflow:begin:ID or workflow:end:ID")
        now = self._host.now()
        kind = mark[1].decode()
        name = self._workflow if kind == "workflow" else of_instance(source.partition("@")[0])
        if not name or now < self._resumes_at:
            return
        key = (kind, name, int(mark[3]))
        if mark[2] == b"begin":
            self._begun.pop(key, None)
            self._begun[key] = now
            if len(self._begun) > OPEN_MOST:
                del self._begun[next(iter(self._begun))]
        elif key in self._begun:
            await self._keep(f"{kind}:{name}", (now - self._begun.pop(key)) * 1e3)

    async def _keep(self, name: str, took_ms: float) -> None:
        before = self._averages.get(name, took_ms)
        self._averages[name] = average = self._alpha * took_ms + (1 - self._alpha) * before
        wall = self._host.wall()
        sample = f"{int(took_ms)},{int(wall)}.{int(wall * 1000) % 1000}"  # without zeros before, as they write it
        await self._client.ask_once(lambda client: client.rpush(f"{name}:samples", sample))
        await self._client.ask(lambda client: client.set(f"{name}:average", repr(average)))

    async def _reset(self, seconds: float) -> None:
        self._resumes_at = self._host.now() + seconds
        keys = [f"{name}:{end}" for name in self._averages for end in ("samples", "average")]
        self._averages.clear()
        self._begun.clear()
        if keys:
            await self._client.ask(lambda client: client.delete(*keys))

    async def call(self, source: str, data: bytes) -> bytes | None:
        await self.cast(source, data)
        return b""

    async def close(self) -> None:
        await self._client.close()

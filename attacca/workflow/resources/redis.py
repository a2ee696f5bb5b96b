"""`redis`: events are values of a key, and calls ask for those of others."""

from collections.abc import Mapping

from attacca.errors import BadConfig, NotFound
from attacca.workflow.resources.redis_client import RedisClient
from attacca.workflow.resources.types import Host, field, is_set


class RedisKeys:
    """`url`; `key`: what a cast sets; `add-workflow-id`: before every key. A call names a key, and is answered with its
    value."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._client = RedisClient(field(configuration, "url", "redis"), host, "redis")
        self._key, self._has_workflow = configuration.get("key", ""), is_set(configuration, "add-workflow-id")
        self._prefix = ""

    def __repr__(self) -> str:
        return f"<RedisKeys {self._client!r}>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._prefix = f"{workflow}:" if self._has_workflow else ""
        await self._client.open()

    async def cast(self, source: str, data: bytes) -> None:
        if not self._key:
            raise BadConfig("this redis has no key to set", 'write key = "..." in its configuration')
        await self._client.ask(lambda client: client.set(self._prefix + self._key, data))

    async def call(self, source: str, data: bytes) -> bytes | None:
        key = self._prefix.encode() + data
        value: bytes | None = await self._client.ask(lambda client: client.get(key))
        if value is None:
            raise NotFound(f"there is no key {key[:200]!r}", "a cast sets one")
        return value

    async def close(self) -> None:
        await self._client.close()

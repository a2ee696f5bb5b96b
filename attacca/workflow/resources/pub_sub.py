"""`pub-sub`: events to whoever listens, and from whoever says something: channels of Redis."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from attacca.errors import BadConfig
from attacca.workflow.resources.network import FIRST_S, LONGEST_S
from attacca.workflow.resources.redis_client import RedisClient
from attacca.workflow.resources.types import Host, Unable, field

LOG = logging.getLogger("attacca.resources")
OUTPUT = "out"


class PubSub:
    """`url` of a Redis; `publish`: the channel of casts, and of calls, which are answered with how many listen;
    `subscribe`: channels, with commas between them, of which all goes to the output `out`."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._client, self._host = RedisClient(field(configuration, "url", "pub-sub"), host, "pub-sub"), host
        self._channel = configuration.get("publish", "")
        self._channels = [one.strip() for one in configuration.get("subscribe", "").split(",") if one.strip()]
        if not self._channel and not self._channels:
            raise BadConfig("a pub-sub publishes and subscribes to nothing", 'write publish = "..." or subscribe')
        self._listening: asyncio.Task[None] | None = None
        self._heard = 0

    def __repr__(self) -> str:
        return f"<PubSub {self._client!r}, {self._heard} heard>"

    async def open(self, self_id: str, workflow: str) -> None:
        await self._client.open()
        if self._channels:
            client = await self._client.connect()
            channels = client.pubsub(ignore_subscribe_messages=True)
            await channels.subscribe(*self._channels)
            self._listening = asyncio.get_running_loop().create_task(self._listen(channels))

    async def _listen(self, channels: Any) -> None:
        """What is said while the connection is lost is not heard."""
        from redis.exceptions import RedisError

        pause = FIRST_S
        while True:
            try:
                message = await channels.get_message(timeout=None)
                pause = FIRST_S
            except (RedisError, OSError) as error:
                LOG.warning("a pub-sub hears nothing from its Redis now: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_S)
                continue
            if message is not None and message["type"] == "message":
                self._heard += 1
                self._host.cast(OUTPUT, message["data"])

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        if not self._channel:
            raise Unable("this pub-sub publishes nothing", 'write publish = "CHANNEL" in its configuration')
        count: int = await self._client.ask_once(lambda client: client.publish(self._channel, data))
        return str(count).encode()

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._client.close()

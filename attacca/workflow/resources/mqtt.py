"""`mqtt`: events to a topic of a broker, and from topics."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from attacca.errors import BadConfig, Forbidden, Unreachable
from attacca.workflow.resources.network import FIRST_S, LONGEST_S, addresses, library, parsed, persist
from attacca.workflow.resources.types import Host, Unable, field, number

LOG = logging.getLogger("attacca.resources")
OUTPUT = "out"
ANSWER_S = 5.0


class Mqtt:
    """`url`: `mqtt://USER:PASSWORD@HOST:PORT`; `publish`: the topic of casts, and of calls, which are answered when the
    broker has it; `subscribe`: topics, with commas between them, of which all goes to the output `out`; `qos`."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._url, self._host = parsed(field(configuration, "url", "mqtt"), ("mqtt",), "mqtt"), host
        self._topic = configuration.get("publish", "")
        self._topics = [one.strip() for one in configuration.get("subscribe", "").split(",") if one.strip()]
        if not self._topic and not self._topics:
            raise BadConfig("an mqtt publishes and subscribes to nothing", 'write publish = "..." or subscribe')
        self._qos = int(number(configuration, "qos", 1, 0, 2))
        self._client: Any = None  # while it is connected
        self._changed = asyncio.Event()
        self._why = ""
        self._task: asyncio.Task[None] | None = None
        self._sent = self._heard = 0

    def __repr__(self) -> str:
        return f"<Mqtt {self._sent} sent, {self._heard} heard>"

    async def open(self, self_id: str, workflow: str) -> None:
        library("aiomqtt", "mqtt", "mqtt")
        await addresses(self._url.hostname or "", self._url.port or 1883, self._host.reach)
        self._task = asyncio.get_running_loop().create_task(self._stay())
        await self._connected(ANSWER_S)

    async def _stay(self) -> None:
        """Connected, and again when the connection was lost."""
        import aiomqtt

        pause = FIRST_S
        while True:
            try:
                async with await self._made() as client:
                    for topic in self._topics:
                        await client.subscribe(topic, qos=self._qos)
                    self._client, pause = client, FIRST_S
                    self._changed.set()
                    async for message in client.messages:
                        self._heard += 1
                        self._host.cast(OUTPUT, bytes(message.payload))
            except (aiomqtt.MqttError, OSError, Unreachable, Forbidden) as error:
                self._why = str(error)
                LOG.warning("the broker at %s is not reached: %s", self._url.hostname, error)
            self._client = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_S)

    async def _made(self) -> Any:
        import aiomqtt

        url = self._url
        found = await addresses(url.hostname or "", url.port or 1883, self._host.reach)
        return aiomqtt.Client(
            found[0], url.port or 1883, timeout=ANSWER_S,
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
        )  # fmt: skip

    async def _connected(self, seconds: float) -> Any:
        """
        Raises:
            Unreachable: not within so many seconds.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._client is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            where = f"{self._url.hostname}:{self._url.port or 1883}"
            raise Unreachable(f"the broker at {where} is not reached: {self._why}", "see whether it is up") from None
        return self._client

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        if not self._topic:
            raise Unable("this mqtt publishes nothing", 'write publish = "TOPIC" in its configuration')
        await persist(lambda: self._publish(data), self._host)
        return b""

    async def _publish(self, data: bytes) -> None:
        import aiomqtt

        client = await self._connected(self._host.patience_s)
        try:
            await client.publish(self._topic, data, qos=self._qos)
        except (aiomqtt.MqttError, OSError) as error:
            raise Unreachable(f"the broker did not take it: {error}", "see whether it is up") from None
        self._sent += 1

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

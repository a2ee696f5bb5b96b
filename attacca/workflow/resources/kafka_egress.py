"""`kafka-egress`: events become messages of a topic of Kafka."""

import re
from collections.abc import Mapping

from attacca.errors import BadConfig
from attacca.workflow.resources.kafka_client import KafkaTopic, Topic
from attacca.workflow.resources.types import Host, field

TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::([0-9]{1,5}))?")
PORT = 9092


class KafkaEgress:
    """`brokers`: `HOST:PORT`, several with commas between them; `topic`. A call is answered, with nothing, when the
    brokers have it; both end in an error where they do not take it."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        told = field(configuration, "brokers", "kafka-egress")
        self._brokers = [_broker(one.strip()) for one in told.split(",") if one.strip()]
        if not self._brokers:
            raise BadConfig("a kafka-egress has no brokers", 'write brokers = "HOST:PORT"')
        self._name = field(configuration, "topic", "kafka-egress")
        if not TOPIC.fullmatch(self._name) or self._name in (".", ".."):
            hint = "letters, digits, '.', '_' and '-', at most 249 of them"
            raise BadConfig(f"a topic of Kafka is not named {self._name[:80]!r}", hint)
        self._host = host
        self._topic = self.topic(self._brokers, self._name, host)
        self._sent = 0

    def __repr__(self) -> str:
        return f"<KafkaEgress {self._name}, {self._sent} sent>"

    @staticmethod
    def topic(brokers: list[tuple[str, int]], name: str, host: Host) -> Topic:
        """What it speaks to."""
        return KafkaTopic(brokers, name, host)

    async def open(self, self_id: str, workflow: str) -> None:
        await self._topic.open()

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        await self._topic.send(data)
        self._sent += 1
        return b""

    async def close(self) -> None:
        await self._topic.close()


def _broker(told: str) -> tuple[str, int]:
    """
    Raises:
        BadConfig: it is no address.
    """
    found = BROKER.fullmatch(told)
    port = int(found[2] or PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise BadConfig(f"{told[:80]!r} is no broker of Kafka", 'write brokers = "HOST:PORT"')
    return found[1].strip("[]"), port

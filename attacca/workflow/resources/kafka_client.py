"""A topic of Kafka as resources speak to it, and its twin in memory."""

import asyncio
import logging
from typing import Any, Protocol

from attacca.errors import AttaccaError, BadRequest, Forbidden, Unreachable
from attacca.model.events import EVENT_BYTES
from attacca.workflow.resources.network import addresses, library, persist
from attacca.workflow.resources.types import Host

LEAST_S = 1.0  # for a message, also where there is no patience
HEAD_BYTES = 4096  # of a request beside its message
LARGE_HINT = "send less, or have message.max.bytes of the brokers allow it"
HINT = "see whether the topic is there, and the brokers let everybody write to it"


class Topic(Protocol):
    async def open(self) -> None:
        """
        Raises:
            Unreachable: no broker answers, or none has the topic.
            Forbidden: the brokers are not for resources.
            BadRequest: the topic is refused.
            RuntimeMissing: what speaks to Kafka is not installed.
        """

    async def send(self, data: bytes) -> None:
        """Until it is kept by all that are to.

        Raises:
            Unreachable: nobody says so in time. It may have been kept all the same.
            BadRequest: it is refused: too large, or not for that topic.
            Forbidden: the topic has moved to a broker that is not for resources.
        """

    async def close(self) -> None: ...


class KafkaTopic:
    """Its producer numbers what it sends: what it tries again is kept once. Where one was not taken, the numbers after
    it would be refused, and so another producer follows."""

    def __init__(self, brokers: list[tuple[str, int]], name: str, host: Host) -> None:
        self._brokers, self._name, self._host = brokers, name, host
        self._seconds = max(host.patience_s, LEAST_S)
        self._producer: Any = None
        self._forbidden: Forbidden | None = None  # where a broker has sent us

    def __repr__(self) -> str:
        return f"<KafkaTopic {self._name}, {'open' if self._producer is not None else 'closed'}>"

    async def open(self) -> None:
        library("aiokafka", "kafka-egress", "kafka")
        self._producer = await persist(self._made, self._host)
        await self._done(self._producer.partitions_for(self._name))

    async def _made(self) -> Any:
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaError

        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it cannot do is said here
        found = [
            f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            for name, port in self._brokers
            for address in await addresses(name, port, self._host.reach)
        ]
        producer = AIOKafkaProducer(
            bootstrap_servers=found, client_id="attacca", acks="all", enable_idempotence=True,
            request_timeout_ms=int(self._seconds * 1e3), retry_backoff_ms=50, max_request_size=EVENT_BYTES + HEAD_BYTES,
        )  # fmt: skip
        self._fence(producer.client)
        try:
            async with asyncio.timeout(self._seconds):  # it would wait for ever to be given its number
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await producer.stop()
            if self._forbidden is not None:
                raise self._forbidden from None
            why = f"no broker of Kafka is reached at {self._where()}: {str(error) or 'no answer'}"
            raise Unreachable(why, "see whether it is up") from None
        except BaseException:
            await producer.stop()
            raise
        return producer

    def _fence(self, client: Any) -> None:
        """Brokers tell where each topic is led: none of them may lead to where resources may not go."""
        connect = client._get_conn

        async def connect_there(node: Any, **more: Any) -> Any:
            broker = client.cluster.broker_metadata(node)
            try:
                if broker is not None:
                    await addresses(broker.host, broker.port, self._host.reach)
            except (Forbidden, Unreachable) as error:
                self._forbidden = error if isinstance(error, Forbidden) else None
                return None
            return await connect(node, **more)

        client._get_conn = connect_there

    async def send(self, data: bytes) -> None:
        if self._producer is None:
            self._producer = await persist(self._made, self._host)
        producer = self._producer
        try:
            await self._done(producer.send_and_wait(self._name, data, key=b""))  # all in one part, in their order
        except AttaccaError:
            if self._producer is producer:
                self._producer = None
                await producer.stop()
            raise

    async def _done(self, work: Any) -> Any:
        """As the errors of whoever waits."""
        from aiokafka.errors import (
            KafkaError,
            MessageSizeTooLargeError,
            RecordListTooLargeError,
            UnknownTopicOrPartitionError,
        )

        try:
            async with asyncio.timeout(2 * self._seconds):
                return await work
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            raise BadRequest(f"the message is too large for the topic {self._name!r} of Kafka", LARGE_HINT) from None
        except UnknownTopicOrPartitionError:
            raise BadRequest(f"Kafka at {self._where()} has no topic {self._name!r}", HINT) from None
        except (KafkaError, OSError, TimeoutError) as error:
            if self._forbidden is not None:
                raise self._forbidden from None
            why = str(error) or "there is no answer"
            if isinstance(error, KafkaError) and not error.retriable:
                raise BadRequest(f"Kafka refuses: {why}", HINT) from None
            raise Unreachable(f"Kafka at {self._where()} does not answer: {why}", "see whether it is up") from None

    def _where(self) -> str:
        return ", ".join(f"{name}:{port}" for name, port in self._brokers)

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


class MemoryBroker:
    """What a cluster of Kafka keeps. `topics`: those that there are; no other is made."""

    def __init__(self, *topics: str, most_bytes: int = 1 << 20) -> None:
        self.topics: dict[str, list[bytes]] = {name: [] for name in topics}
        self.most_bytes = most_bytes
        self.is_up = True

    def __repr__(self) -> str:
        return f"<MemoryBroker {sum(map(len, self.topics.values()))} messages>"


class MemoryTopic:
    """It waits for nobody."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        self._broker, self._name = broker, name

    def __repr__(self) -> str:
        return f"<MemoryTopic {self._name} of {self._broker!r}>"

    async def open(self) -> None:
        self._messages()

    def _messages(self) -> list[bytes]:
        if not self._broker.is_up:
            raise Unreachable("Kafka in memory does not answer", "see whether it is up")
        messages = self._broker.topics.get(self._name)
        if messages is None:
            raise BadRequest(f"Kafka in memory has no topic {self._name!r}", HINT)
        return messages

    async def send(self, data: bytes) -> None:
        messages = self._messages()
        if len(data) > self._broker.most_bytes:
            raise BadRequest(f"the message is too large for the topic {self._name!r} of Kafka", LARGE_HINT)
        messages.append(data)

    async def close(self) -> None: ...

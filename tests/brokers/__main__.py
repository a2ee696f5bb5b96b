"""`python -m tests.brokers JARS`: `kafka-egress` on a real broker of Kafka, of which the directory has the jars."""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from attacca.errors import AttaccaError
from attacca.kernel.clock import SystemClock
from attacca.workflow.resources.conformance import Subject
from attacca.workflow.resources.kafka_egress import KafkaEgress
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.reach import Reach
from attacca.workflow.resources.runtime import ResourceRuntime
from tests.brokers.kafka import Kafka
from tests.workflow.resources.kafka import TOPIC, check_conformance, check_refused, check_topic, host_at

NEAR = Reach(("127.0.0.1",))


async def topic_made(at: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=at)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()


async def _kept(at: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=at)
    await consumer.start()
    try:
        messages: list[bytes] = []
        parts = [TopicPartition(TOPIC, number) for number in range(3)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        for part in parts:
            while await consumer.position(part) < ends[part]:
                found = await consumer.getmany(part, timeout_ms=5000)
                messages += [one.value for one in found[part]]
        return messages
    finally:
        await consumer.stop()


def kept(at: str) -> Callable[[], list[bytes]]:
    def ask() -> list[bytes]:
        with asyncio.Runner() as runner:
            return runner.run(_kept(at))

    def apart() -> list[bytes]:
        """While the loop of whoever asks stands still."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(ask).result(30)

    return apart


async def check_away(directory: Path) -> None:
    host = host_at(directory, SystemClock().now, reach=NEAR, patience_s=0.5)
    made = KafkaEgress({"brokers": "127.0.0.1:1", "topic": TOPIC}, host)
    with pytest.raises(AttaccaError, match="no broker of Kafka is reached"):
        await made.open("w.me.1@w", "w")
    await made.close()


async def check_fenced(at: str, directory: Path) -> None:
    """The broker says that it is at a host that is not for resources."""
    host = host_at(directory, SystemClock().now, reach=NEAR, patience_s=1.0)
    made = KafkaEgress({"brokers": at, "topic": TOPIC}, host)
    with pytest.raises(AttaccaError, match=r"may not speak to '127\.0\.0\.9'"):
        await made.open("w.me.1@w", "w")
    await made.close()


def steps(broker: Kafka, directory: Path) -> None:
    host = host_at(directory, SystemClock().now, reach=NEAR, patience_s=2.0)
    asyncio.run(topic_made(broker.at))
    asyncio.run(check_topic(KafkaEgress, broker.at, host, kept(broker.at)))
    say("what is sent is there once, in its order, and what is too large is said")
    asyncio.run(check_refused(KafkaEgress, broker.at, host))
    say("a topic that is not there is said")
    asyncio.run(check_away(directory))
    say("a broker that is not there is said")

    async def leave() -> None:
        await asyncio.to_thread(broker.stop)

    async def come_back() -> None:
        await asyncio.to_thread(broker.start)

    subject = Subject("kafka-egress", {"brokers": broker.at, "topic": TOPIC}, b"1", b"2", leave, come_back)
    runtime = ResourceRuntime(Classes().find, directory, SystemClock(), NEAR)
    asyncio.run(check_conformance(subject, runtime))
    say("it is as every resource is, also where its broker leaves and comes back")


def say(text: str) -> None:
    sys.stdout.write(f"✓ {text}\n")


def main(jars: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="attacca-kafka-") as directory:
        for said in ("127.0.0.1", "127.0.0.9"):
            at = Path(directory) / said
            at.mkdir()
            broker = Kafka(at, jars, said)
            broker.start()
            try:
                if said == "127.0.0.1":
                    steps(broker, at)
                else:
                    asyncio.run(check_fenced(broker.at, at))
                    say("a broker that leads to where resources may not go is not followed")
            finally:
                broker.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

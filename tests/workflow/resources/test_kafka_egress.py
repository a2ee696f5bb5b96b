"""A topic of Kafka, in memory; `make brokers` holds real ones to the same."""

import asyncio
from pathlib import Path

import pytest

from attacca.errors import AttaccaError, BadConfig, RuntimeMissing
from attacca.kernel.clock import ManualClock
from attacca.workflow.resources.conformance import Subject
from attacca.workflow.resources.kafka_client import KafkaTopic, MemoryBroker, MemoryTopic, Topic
from attacca.workflow.resources.kafka_egress import KafkaEgress
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Host
from tests.cases import each
from tests.workflow.resources.kafka import TOPIC, check_conformance, check_refused, check_topic, host_at

AT = {"brokers": "h:9092", "topic": TOPIC}


def in_memory(broker: MemoryBroker) -> type[KafkaEgress]:
    class InMemory(KafkaEgress):
        @staticmethod
        def topic(brokers: list[tuple[str, int]], name: str, host: Host) -> Topic:
            return MemoryTopic(broker, name)

    return InMemory


def test_it_is_as_every_resource_is() -> None:
    broker = MemoryBroker(TOPIC)

    async def leave() -> None:
        broker.is_up = False

    async def come_back() -> None:
        broker.is_up = True

    subject = Subject("kafka-egress", AT, b"1", b"2", leave, come_back)

    asyncio.run(check_conformance(subject, ResourceRuntime(lambda _: in_memory(broker), Path(), ManualClock())))


def test_what_is_sent_is_there_in_its_order_and_what_is_not_taken_is_said() -> None:
    broker, host = MemoryBroker(TOPIC), host_at(Path(), lambda: 0.0, patience_s=0.0)
    asyncio.run(check_topic(in_memory(broker), "h", host, lambda: broker.topics[TOPIC]))
    asyncio.run(check_refused(in_memory(broker), "h", host))
    assert repr(broker) == "<MemoryBroker 10 messages>"
    assert repr(MemoryTopic(broker, TOPIC)) == "<MemoryTopic events of <MemoryBroker 10 messages>>"
    assert repr(KafkaTopic([("h", 1)], TOPIC, host)) == "<KafkaTopic events, closed>"


def test_a_broker_that_is_not_there_is_said() -> None:
    broker, host = MemoryBroker(TOPIC), host_at(Path(), lambda: 0.0, patience_s=0.0)
    broker.is_up = False
    with pytest.raises(AttaccaError, match="does not answer") as away:
        asyncio.run(in_memory(broker)(AT, host).open("w.me.1@w", "w"))
    assert away.value.code == "unreachable"


def test_a_node_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aiokafka", None)
    with pytest.raises(RuntimeMissing, match="a kafka-egress needs the library aiokafka"):
        asyncio.run(KafkaEgress(AT, host_at(Path(), lambda: 0.0)).open("w.me.1@w", "w"))


@each(
    "configuration, says",
    [
        ({}, "needs 'brokers'"),
        ({"brokers": "h"}, "needs 'topic'"),
        ({**AT, "brokers": " , "}, "has no brokers"),
        ({**AT, "brokers": "h,kafka://h"}, "is no broker of Kafka"),
        ({**AT, "brokers": "h:0"}, "is no broker of Kafka"),
        ({**AT, "brokers": "h:99999"}, "is no broker of Kafka"),
        ({**AT, "topic": "a b"}, "is not named 'a b'"),
        ({**AT, "topic": ".."}, "is not named '..'"),
        ({**AT, "topic": "x" * 250}, "is not named"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(configuration: dict[str, str], says: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        KafkaEgress(configuration, host_at(Path(), lambda: 0.0))
    assert says in refusal.value.message


def test_brokers_are_read_with_their_ports() -> None:
    found = KafkaEgress({**AT, "brokers": "a, b:1,[::1]:2"}, host_at(Path(), lambda: 0.0))._brokers
    assert found == [("a", 9092), ("b", 1), ("::1", 2)]

"""What holds of every topic of Kafka, in memory and on real brokers: for a pure test and for one that has them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from attacca.errors import AttaccaError
from attacca.workflow.resources.conformance import Subject, check_resource
from attacca.workflow.resources.kafka_egress import KafkaEgress
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Host

PASSED = [
    "it begins", "a cast is taken", "a call is taken", "nonsense ends too", "and the next event is taken",
    "a server that is away is told", "and waited for", "it ends, and leaves nothing behind",
]  # fmt: skip
TOPIC, MISSING = "events", "missing"
LARGE = 3 << 20  # more than a broker takes where nothing else is said


async def check_conformance(subject: Subject, runtime: ResourceRuntime) -> None:
    assert await check_resource(subject, runtime) == PASSED


async def check_topic(kind: type[KafkaEgress], brokers: str, host: Host, kept: Callable[[], list[bytes]]) -> None:
    """`kept`: all that the topic has, in its order."""
    before = len(kept())
    made = kind({"brokers": brokers, "topic": TOPIC}, host)
    await made.open("w.me.1@w", "w")
    try:
        await made.cast("a", b"1")
        assert await made.call("a", b"") == b""
        await asyncio.gather(*(made.cast("a", b"%d" % number) for number in range(2, 9)))
        with pytest.raises(AttaccaError, match="too large") as large:
            await made.call("a", bytes(LARGE))
        assert large.value.code == "bad_request"
        await made.cast("a", b"\xff")
        assert kept()[before:] == [b"1", b"", *(b"%d" % number for number in range(2, 9)), b"\xff"]
        assert repr(made) == f"<KafkaEgress {TOPIC}, 10 sent>"
    finally:
        await made.close()


async def check_refused(kind: type[KafkaEgress], brokers: str, host: Host) -> None:
    made = kind({"brokers": brokers, "topic": MISSING}, host)
    try:
        with pytest.raises(AttaccaError, match=f"no topic '{MISSING}'") as refusal:
            await made.open("w.me.1@w", "w")
        assert refusal.value.code == "bad_request"
    finally:
        await made.close()


def host_at(directory: Path, now: Callable[[], float], **more: object) -> Host:
    return Host(lambda _, __: None, directory, lambda: 0.0, now, **more)  # type: ignore[arg-type]  # as given

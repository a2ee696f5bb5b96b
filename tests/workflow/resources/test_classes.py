"""What each class of resources refuses before it speaks to anybody, and how it shows itself."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from attacca.errors import AttaccaError, BadConfig, BadRequest, Unreachable
from attacca.kernel.clock import ManualClock
from attacca.workflow.resources import RESOURCES
from attacca.workflow.resources.conformance import Bench, Subject
from attacca.workflow.resources.http_client import HttpClient
from attacca.workflow.resources.http_egress import request
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.network import library, persist
from attacca.workflow.resources.redis_client import RedisClient
from attacca.workflow.resources.runtime import Place, ResourceRuntime
from attacca.workflow.resources.sqlx import Lite, Postgres
from attacca.workflow.resources.types import Host, number
from tests.cases import each

REDIS, MQTT = {"url": "redis://u:p%40@h:1/3"}, {"url": "mqtt://h", "publish": "a"}
SHOWN = {
    "file-log": ({"filename": "x"}, "<FileLog x, 0 lines>"),
    "file-pusher": ({}, "<FilePusher 0 files pushed>"),
    "http-egress": ({}, "<HttpEgress <HttpClient 0 requests>>"),
    "http-ingress": ({}, "<HttpIngress 0 requests>"),
    "http-poster": ({"url": "https://h/p"}, "<HttpPoster <HttpClient 0 requests>>"),
    "kafka-egress": ({"brokers": "h", "topic": "t"}, "<KafkaEgress t, 0 sent>"),
    "metrics-collector": (REDIS, "<MetricsCollector 0 begun, 0 kept>"),
    "mqtt": (MQTT, "<Mqtt 0 sent, 0 heard>"),
    "ollama": ({"model": "m"}, "<Ollama 0 conversations, <HttpClient 0 requests>>"),
    "pub-sub": ({**REDIS, "subscribe": "a"}, "<PubSub <RedisClient 0 asked>, 0 heard>"),
    "redis": (REDIS, "<RedisKeys <RedisClient 0 asked>>"),
    "serverless": ({"function": "f"}, "<Serverless f, 0 calls, 0 failed>"),
    "sqlx": ({"url": "sqlite://x"}, "<Sqlx 0 statements>"),
}  # fmt: skip
HOST = Host(lambda _, __: None, Path("/nowhere"), lambda: 0.0)


def made(name: str, configuration: dict[str, str]) -> Any:
    return RESOURCES[name](configuration, HOST)


def test_each_says_its_state() -> None:
    assert SHOWN.keys() == RESOURCES.keys()
    for name, (configuration, shown) in SHOWN.items():
        assert repr(made(name, configuration)) == shown
    assert repr(HttpClient(HOST, "x")) == "<HttpClient 0 requests>"
    assert repr(RedisClient("redis://h", HOST, "x")) == "<RedisClient 0 asked>"
    assert repr(Lite(Path("x"), HOST)) == "<Lite closed>"
    assert repr(Postgres(urlsplit("postgresql://h/x"), HOST)) == "<Postgres closed>"
    assert repr(Place(made("file-pusher", {}), 1.0)) == "<Place 0 at work, 0 calls open>"
    runtime = ResourceRuntime(Classes().find, Path(), ManualClock())
    assert repr(Bench(runtime, Subject("file-log", {}))) == "<Bench 0 events>"


@each(
    "name, configuration, says",
    [
        ("file-pusher", {"directory": "../x"}, "leads out"),
        ("file-pusher", {"period-ms": "0"}, "period-ms = '0' is no number from 1"),
        ("file-pusher", {"period-ms": "x"}, "period-ms = 'x' is no number"),
        ("http-poster", {}, "needs 'url'"),
        ("http-poster", {"url": "file:///etc/passwd"}, "none of http, https"),
        ("http-poster", {"url": "http://h:99999/"}, "none of http, https"),
        ("metrics-collector", {**REDIS, "alpha": "2"}, "alpha = '2' is no number from 0 to 1"),
        ("mqtt", {"url": "mqtt://h"}, "publishes and subscribes to nothing"),
        ("mqtt", {**MQTT, "qos": "3"}, "qos"),
        ("pub-sub", REDIS, "publishes and subscribes to nothing"),
        ("redis", {"url": "http://h"}, "none of redis, rediss"),
        ("redis", {"url": "redis://h/x"}, "ends in 'x'"),
        ("sqlx", {"url": "sqlite:///etc/x"}, "leads out"),
        ("sqlx", {"url": "mysql://h/x"}, "none of postgresql, postgres"),
        ("sqlx", {"url": "postgresql://h"}, "names no database"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(name: str, configuration: dict[str, str], says: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        made(name, configuration)
    assert says in refusal.value.message


def test_a_request_is_read_from_an_event() -> None:
    asked = b'{"protocol":"HTTPS","host":"h:1","method":"Put","path":"a?b","headers":{"Host":"x","A":"b"},"body":[104]}'
    assert request(asked) == ("PUT", "https://h:1/a?b", {"A": "b"}, b"h")
    assert request(b'{"host":"h","body":"hi"}') == ("GET", "https://h/", {}, b"hi")


@each(
    "event",
    [
        b"", b"{}", b'{"host":""}', b'{"host":"a@b"}', b'{"host":"h/x"}', b'{"host":"h","body":[256]}',
        b'{"host":"h","body":[-1]}', b'{"host":"h","protocol":"Unknown"}', b"\xff", b'{"host":"h","body":["a"]}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(event: bytes) -> None:
    with pytest.raises(BadRequest):
        request(event)


def test_who_is_away_is_not_tried_when_the_patience_is_over() -> None:
    clock = ManualClock()
    tried: list[float] = []

    async def attempt() -> str:
        tried.append(clock.now())
        clock.time += 1.0
        raise Unreachable("it is away")

    host = Host(lambda _, __: None, Path(), clock.wall, clock.now, patience_s=1.0)
    with pytest.raises(Unreachable):
        asyncio.run(persist(attempt, host))
    assert len(tried) == 1


def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(AttaccaError, match="a redis needs the library no_such_library"):
        library("no_such_library", "redis", "redis")
    assert number({}, "x", 3.0, 0.0, 5.0) == 3.0

"""The mirror on a real Redis: what its database does, and a domain whose Redis is gone for a while."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from attacca.io.store.address import parse
from attacca.workflow.mirror.conformance import Peek, check_glass
from attacca.workflow.mirror.redis import RedisGlass
from attacca.workflow.mirror.types import Glass
from tests.live.stores import StoreServer, running
from tests.live.whole import PATIENCE_S


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running("redis", tmp_path_factory.mktemp("redis")) as one:
        yield one


class Hand:
    """A `conformance.Peek`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, key: str) -> object:
        kind = str(self._redis.type(key))
        if kind == "list":
            return self._redis.lrange(key, 0, -1)
        if kind == "zset":
            found: Any = self._redis.zrange(key, 0, -1, withscores=True)
            return dict(found)
        return self._redis.get(key)

    async def set(self, key: str, value: str) -> None:
        self._redis.set(key, value)

    async def push(self, key: str, value: str) -> None:
        self._redis.rpush(key, value)

    async def empty(self) -> None:
        self._redis.flushdb()


def test_it_does_what_a_glass_does(server: StoreServer) -> None:
    def made(prefix: str) -> tuple[Glass, Peek]:
        glass = RedisGlass(parse(server.url() + "/1"), prefix, PATIENCE_S)
        assert repr(glass) == f"<RedisGlass {server.url()}, keys begin with {prefix!r}>"
        return glass, Hand(redis)

    with Redis.from_url(server.url() + "/1", decode_responses=True) as redis:
        asyncio.run(check_glass(made))

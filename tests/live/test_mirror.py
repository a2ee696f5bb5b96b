"""The mirror on a real Redis: what its database does, and a domain whose Redis is gone for a while."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from attacca.io.store.address import parse
from attacca.workflow.mirror.conformance import Peek, check_glass
from attacca.workflow.mirror.redis import RedisGlass
from attacca.workflow.mirror.types import Glass
from tests.live.patience import PATIENCE_S
from tests.live.stores import StoreServer, running
from tests.live.test_workflows import started, uploaded
from tests.live.whole import running as up
from tests.live.whole import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running("redis", tmp_path_factory.mktemp("redis"), "--appendonly", "no") as one:
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


TICKER = """
def init(ctx, payload, state):
    ctx.cast("self", state or "1")

def cast(ctx, source, message):
    ctx.cast("to", message)
    ctx.sync(str(int(message) + 1))
    ctx.delayed_cast(0.02, "self", str(int(message) + 1))
"""


def test_while_redis_is_gone_the_domain_goes_on_and_then_the_mirror_is_whole(tmp_path: Path) -> None:
    with (
        running("redis", tmp_path / "redis", "--appendonly", "no") as redis,
        Redis(port=redis.port, decode_responses=True) as db,
    ):
        db.set("somebody", "else")
        options = (
            f"workflows.mirror.url={redis.url()}", "workflows.mirror.every_s=0.1", "workflows.mirror.timeout_s=0.3",
            "worker.telemetry.performance_samples=true",
        )  # fmt: skip
        with up(tmp_path / "state", *(word for one in options for word in ("--set", one))) as whole:
            components = [
                {"name": "ticker", "artefact": uploaded(whole, TICKER), "outputs": {"to": {"to": ["log"]}}},
                {"name": "log", "resource": "file-log", "configuration": {"filename": "counts.log"}},
            ]
            assert started(whole, "ticking", components).status == 201
            state = whole.get("/api/domain/state")
            node, ticker = state["nodes"][0], state["components"][0]
            lid, pid = f"instance:{ticker['id']}", ticker["instances"][0]["id"]
            until(lambda: db.get(lid) and pid in str(db.get(lid)), "it is mirrored")
            until(lambda: db.zcard(f"performance:{pid}:function_execution_time"), "what it does is measured")
            assert db.zcard(f"node:health:{node['id']}")
            intend(db, f"intent:cordon:{node['id']}", "yes")
            until(lambda: whole.get("/api/domain/state")["nodes"][0]["is_cordoned"], "it is obeyed")
            for key, value in (("intent:migrate:nobody", node["id"]), ("intent:cordon:x:y", "yes"), ("mist", "x" * 99)):
                intend(db, key, value)
            until(lambda: whole.get("/api/domain/state")["intents"]["refused"] == 3, "bad ones are refused")
            redis.signal(signal.SIGSTOP)
            until(lambda: "the mirror is not kept" in whole.said, "it is noticed")
            goes_on(tmp_path)
            redis.kill()
            goes_on(tmp_path)
            redis.start()
            db.delete(lid, "intents")
            db.set("instance:gone", "of somebody else")
            until(lambda: db.get(lid) and pid in str(db.get(lid)), "it is whole again")
            intend(db, f"intent:cordon:{node['id']}", "no")
            until(lambda: not whole.get("/api/domain/state")["nodes"][0]["is_cordoned"], "and heard")
            db.flushdb()
            until(lambda: db.get(lid), "who empties it finds it whole")
            db.set("somebody", "else")
            assert whole.ask("DELETE", "/api/workflows/ticking").status == 204
            until(lambda: not db.exists(lid), "what is stopped is cleared")
            assert db.get("somebody") == "else"


def intend(db: Redis, key: str, value: str) -> None:
    db.set(key, value)
    db.rpush("intents", key)


def goes_on(at: Path) -> None:
    file = at / "state" / "resources" / "counts.log"
    before = len(file.read_text().splitlines())
    until(lambda: len(file.read_text().splitlines()) > before + 5, "events go on")

"""Asynchronous calls of several gateways: what one has accepted is made by another when it dies."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.live.apart import Cluster
from tests.live.stores import StoreServer
from tests.live.whole import deployment, until

pytestmark = pytest.mark.live

SLOW = """
import time
def handler(event, context):
    time.sleep(0.02)
    return event["n"]
"""
MANY = 1000


@contextlib.contextmanager
def journals(kind: str, at: Path) -> Iterator[list[str]]:
    """Options for the state of all planes."""
    if kind == "file":
        yield []
        return
    server = StoreServer("redis", at / "redis")
    server.start()
    try:
        yield ["--set", f"store.url={server.url()}"]
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_a_gateway_that_is_killed_leaves_no_call_undone(tmp_path: Path, kind: str) -> None:
    with journals(kind, tmp_path) as options, clustered(tmp_path, options) as cluster:
        first, second = cluster.gateway("one", *options), cluster.gateway("two", *options)
        cluster.until_joined()
        answer = cluster.control.ask("POST", "/api/functions", *deployment("slow", SLOW))
        assert b'"done"' in answer.body, answer
        for gateway in (first, second):
            until(lambda gateway=gateway: gateway.call("slow", {"n": 1}).status == 200, "it is known")  # type: ignore[misc]
        accepted: list[tuple[str, int]] = []

        def ask(number: int) -> None:
            body = json.dumps({"n": number}).encode()
            with contextlib.suppress(OSError):
                told = first.ask("POST", "/async-function/slow", body, {"content-type": "application/json"})
                if told.status == 202:
                    accepted.append((told.value["id"], number))

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, number) for number in range(MANY + 100)]
            until(lambda: len(accepted) >= MANY, "they are accepted", 60)
            first.kill()
            for one in asked:
                one.result()
        for call, number in accepted:
            shown: dict[str, Any] = second.get(f"/calls/{call}?wait=60")
            assert (shown["status"], shown["result"]["body"]) == ("done", number), shown
        listed = cluster.control.get("/api/async?state=done&limit=10000")
        assert {call for call, _ in accepted} <= {row["id"] for row in listed}


@contextlib.contextmanager
def clustered(at: Path, options: list[str]) -> Iterator[Cluster]:
    cluster = Cluster(at, *options)
    try:
        cluster.worker("w1")
        yield cluster
    finally:
        cluster.stop()

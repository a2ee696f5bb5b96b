"""Nothing on the road of a cold start, or of a warm one, calls the store: a server whose store counts."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import uvloop

from attacca.io.store import opening
from attacca.io.store.sqlite import SqliteStore
from tests.live.test_broken_links import here


def is_watching() -> bool:
    """Tokens are watched, whoever calls: what was written last may be looked at a little later."""
    task = asyncio.current_task()
    return task is not None and getattr(task.get_coro(), "__qualname__", "") == "Tokens._watch"


def test_cold_starts_call_the_store_not_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()

    class Counting(SqliteStore):
        def __getattribute__(self, name: str) -> Any:
            if name in ("get", "put_if", "delete", "scan", "lease", "release") and not is_watching():
                calls[name] += 1
            return super().__getattribute__(name)

    monkeypatch.setattr(opening, "SqliteStore", Counting)

    async def main() -> None:
        async with here(tmp_path) as up:
            await up.deploy("f", "def f(n=0):\n    return n\n", concurrency=1)
            assert calls["put_if"], "a deployment writes"
            control = up.server.control
            await control.settled()
            calls.clear()
            for number in range(3):
                assert (await up.call("f", n=number)).value == number
                assert (await up.ask("POST", "/api/functions/f/evict", b'{"templates": true}')).status == 202
                await up.runs(0)
            starts = [call["start"] for call in (await up.ask("GET", "/api/calls?function=f")).value]
            assert "cold" in starts
            assert not calls

    uvloop.run(main())

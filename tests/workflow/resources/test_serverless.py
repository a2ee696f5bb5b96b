import asyncio
from pathlib import Path

import pytest

from attacca.errors import BadConfig, FunctionFailed
from attacca.workflow.resources.serverless import Serverless
from attacca.workflow.resources.types import Host

SENT: list[tuple[str, bytes]] = []


async def call(address: str, data: bytes, seconds: float) -> bytes | None:
    assert address == "double@/functions"
    if data == b"x":
        raise FunctionFailed("double raised ValueError: x")
    return data * 2 or None


def resource(**configuration: str) -> Serverless:
    SENT.clear()
    return Serverless(configuration, Host(lambda *event: SENT.append(event), Path(), lambda: 0.0, call_to=call))


def test_answers_and_failures_go_to_outputs_of_their_own() -> None:
    made = resource(function="double")
    asyncio.run(made.cast("a@w", b"1"))
    asyncio.run(made.cast("a@w", b""))
    with pytest.raises(FunctionFailed):
        asyncio.run(made.cast("a@w", b"x"))
    assert SENT == [("out", b"11"), ("out", b""), ("err", b"double raised ValueError: x")]
    assert asyncio.run(made.call("a@w", b"2")) == b"22"
    assert repr(made) == "<Serverless double, 4 calls, 1 failed>"


def test_it_needs_a_function() -> None:
    with pytest.raises(BadConfig, match="needs 'function'"):
        resource()

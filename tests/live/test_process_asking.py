"""A sandbox asks its worker, from inside, as it should and as it should not."""

import json
import os

import pytest

from attacca.guest import channel as wire
from attacca.model.invocation import FunctionError, Ok
from attacca.worker.core.reports import SandboxGone
from tests.live import ordinary
from tests.live.house import House, visit

ASK = """
    from attacca.guest import asking

    def handler(kind=1, times=1):
        told = [asking.ask(kind) for _ in range(times)]
        return {"ms": told[-1]["ms"], "times": len(told)}
"""
ASK_LATER = """
    import asyncio
    from attacca.guest import asking

    async def handler(kind=1, times=1):
        told = await asyncio.gather(*(asking.ask_later(kind) for _ in range(times)))
        return {"ms": told[-1]["ms"], "times": len(told)}
"""
RAW = """
    import os, struct, time

    def handler(raw, times=1, reads=False):
        data = memoryview(raw.encode("latin-1") * times)
        while data:
            sent = os.write(4, data[:4096])
            data = data[sent:]
            if reads:
                os.read(3, 65536)
        time.sleep(0.05)
        return "well"
"""


def frame(number: int, question: int, kind: int, more: bytes = b"") -> str:
    payload = wire.ASK_HEAD.pack(question, kind) + more
    return (wire.HEAD.pack(len(payload), wire.ASK, number) + payload).decode("latin-1")


@pytest.mark.parametrize("is_forked", [False, True], ids=["from nothing", "from a template"])
@pytest.mark.parametrize(
    ("source", "concurrency"), [(ASK, 1), (ASK, 4), (ASK_LATER, 4)], ids=["alone", "threads", "loop"]
)
def test_it_is_told_how_long_it_has(source: str, concurrency: int, is_forked: bool) -> None:  # noqa: FBT001
    async def story(house: House) -> None:
        function = house.function(source, concurrency=concurrency, timeout_s=30)
        template = (await house.template(function)).template if is_forked else None
        sandbox = await house.sandbox(function, template)
        outcome = await house.run(sandbox, function, b'{"times": 300}')
        assert isinstance(outcome, Ok), outcome
        told = json.loads(outcome.body)
        assert told["times"] == 300
        assert 0 < told["ms"] <= 30_000
        refused = await house.run(sandbox, function, b'{"kind": 77}')
        assert isinstance(refused, FunctionError), refused
        assert (refused.type, refused.message) == ("Refused", "this worker answers no question of kind 77")
        assert isinstance(await house.run(sandbox, function, b"{}"), Ok)

    visit(story)


@pytest.mark.parametrize(
    ("raw", "times", "reads", "is_harmless"),
    [
        (frame(1, 5, 200), 1, False, True),
        (frame(7, 5, wire.TIME_LEFT), 1, False, True),
        (frame(0, 5, wire.TIME_LEFT), 20, True, True),
        (frame(1, 5, wire.TIME_LEFT, b"x" * 4000), 1, False, True),
        (frame(1, 5, wire.TIME_LEFT, b"x" * 5000), 1, False, False),
        (wire.HEAD.pack(2, wire.ASK, 1).decode("latin-1") + "xx", 1, False, False),
        (frame(1, 5, wire.TIME_LEFT), 40_000, False, False),
    ],
    ids=["unknown kind", "another's invocation", "nobody's", "long", "too long", "half", "never listens"],
)
def test_who_asks_wrongly_harms_nobody_else(raw: str, times: int, reads: bool, is_harmless: bool) -> None:  # noqa: FBT001
    async def story(house: House) -> None:
        function, other = house.function(RAW), house.function(ASK)
        sandbox, honest = await house.sandbox(function), await house.sandbox(other)
        body = json.dumps({"raw": raw, "times": times, "reads": reads}).encode()
        outcome = await house.run(sandbox, function, body)
        if is_harmless:
            assert isinstance(outcome, Ok), outcome
        else:
            assert isinstance(outcome, SandboxGone), outcome
            assert "what no sandbox of ours sends" in outcome.message
        assert isinstance(await house.run(honest, other, b"{}"), Ok)

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)

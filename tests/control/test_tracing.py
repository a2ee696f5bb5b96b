import asyncio
from collections.abc import AsyncGenerator

from attacca.control.core.progress import Done, Progress, Refused, Step
from attacca.control.tracing import tracing
from attacca.kernel.clock import ManualClock
from attacca.model.trace import Span
from tests.worker.stage import revision


def traced(*words: Progress) -> list[Span]:
    clock, put = ManualClock(100.0), list[Span]()

    async def progress() -> AsyncGenerator[Progress, None]:
        for word in words:
            clock.time += 1.0
            yield word

    async def read() -> None:
        async for _ in tracing(clock, put.append)("shop", progress()):
            pass

    asyncio.run(read())
    return put


def test_each_step_of_a_deployment_has_a_span() -> None:
    done = Done(revision("shop", number=3), 5.0, None, ())
    steps = (Step("unpack", "1 file"), Step("build", "a"), Step("build", "b"), Step("check", ""), Step("log", "hello"))
    whole, *parts = traced(*steps, done)
    assert (whole.name, whole.began, whole.ended, whole.error) == ("deploy shop", 100.0, 106.0, "")
    assert [(part.name, part.began, part.ended) for part in parts] == [
        ("begin", 100.0, 101.0), ("unpack", 101.0, 102.0), ("build", 102.0, 104.0), ("check", 104.0, 106.0),
    ]  # fmt: skip
    assert {part.parent for part in parts} == {whole.span}
    assert dict(whole.attributes) == {"faas.name": "shop", "faas.version": "3"}


def test_one_that_is_refused_or_given_up_says_so() -> None:
    assert traced(Refused("bad_code", "no handler"))[0].error == "bad_code: no handler"
    assert traced(Step("unpack", ""))[0].error == "it was given up"

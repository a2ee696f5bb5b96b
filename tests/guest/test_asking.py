"""A question and its answer find each other, whoever reads the channel and whatever comes between."""

import asyncio
import json
import threading
from typing import Any

import pytest

from attacca.guest import asking
from attacca.guest import channel as wire
from attacca.guest.asking import OPEN_MOST, Asker, Refused
from tests.guest.pipes import Outside, serving


def ask(_: Any) -> Any:
    try:
        return asking.ask(wire.TIME_LEFT)
    except Refused as why:
        return str(why)


def asked(outside: Outside) -> tuple[int, int, int]:
    """The invocation, the id and the kind of a question."""
    kind, number, payload = outside.read()
    assert kind == wire.ASK, payload
    return number, *wire.ASK_HEAD.unpack(payload)


def reply(outside: Outside, number: int, question: int, value: Any, *, is_refused: bool = False) -> None:
    outside.channel.write(
        wire.ANSWERED, number, wire.ANSWERED_HEAD.pack(question, is_refused), json.dumps(value).encode()
    )


def test_it_is_asked_and_told() -> None:
    with serving(ask, "event") as outside:
        for value in ({"ms": 5}, None, [1]):
            outside.invoke()
            number, question, kind = asked(outside)
            assert (number, kind) == (1, wire.TIME_LEFT)
            reply(outside, number, question, value)
            assert json.loads(outside.answer()[3] or b"null") == value


def test_a_refusal_says_why() -> None:
    with serving(ask, "event") as outside:
        outside.invoke()
        number, question, _ = asked(outside)
        reply(outside, number, question, "not you", is_refused=True)
        assert outside.answer()[3] == b"not you"


def test_answers_to_what_nobody_asked_and_to_others_are_passed_over() -> None:
    with serving(ask, "event") as outside:
        reply(outside, 1, 7, "nobody asked")
        outside.invoke()
        number, question, _ = asked(outside)
        reply(outside, number, question + 1, "another's")
        outside.channel.write(wire.GONE, 1)
        reply(outside, number, question, "this one")
        reply(outside, number, question, "too late")
        assert outside.answer()[3] == b"this one"


def test_several_ask_at_once_and_each_has_its_own() -> None:
    with serving(ask, "event", concurrency=3) as outside:
        for number in (1, 2, 3):
            outside.invoke(number)
        questions = [asked(outside) for _ in range(3)]
        assert sorted(number for number, _, _ in questions) == [1, 2, 3]
        assert len({question for _, question, _ in questions}) == 3
        for number, question, _ in reversed(questions):
            reply(outside, number, question, {"of": number})
        frames = [outside.read() for _ in range(3)]
        assert {number: json.loads(payload[-9:]) for _, number, payload in frames} == {
            number: {"of": number} for number in (1, 2, 3)
        }


def test_another_thread_cannot_read_what_is_the_invocations() -> None:
    told: list[Any] = []

    def handler(_: Any) -> str:
        thread = threading.Thread(target=lambda: told.append(ask(None)))
        thread.start()
        thread.join()
        return "well"

    with serving(handler, "event") as outside:
        outside.invoke()
        assert outside.answer()[3] == b"well"
    assert told == ["only the thread that runs the invocation can ask for it"]


def test_on_a_loop_others_go_on_meanwhile() -> None:
    frames: list[tuple[int, int, bytes]] = []

    async def main() -> None:
        asker = Asker(lambda kind, number, *parts: frames.append((kind, number, b"".join(parts))))
        first, second, third = (asyncio.ensure_future(asker.ask_later(wire.TIME_LEFT)) for _ in range(3))
        await asyncio.sleep(0)
        assert repr(asker) == "<Asker 3 asked, 3 open>"
        ids = [wire.ASK_HEAD.unpack(payload)[0] for _, _, payload in frames]
        third.cancel()
        asker.hear(wire.ANSWERED_HEAD.pack(ids[2], 0) + b"3")
        asker.hear(wire.ANSWERED_HEAD.pack(ids[1], 0) + b"2")
        asker.hear(wire.ANSWERED_HEAD.pack(ids[0], 1) + b'"no"')
        asker.hear(wire.ANSWERED_HEAD.pack(ids[0], 0) + b'"yes"')
        assert await second == 2
        with pytest.raises(Refused, match="no"):
            await first
        with pytest.raises(asyncio.CancelledError):
            await third
        assert repr(asker) == "<Asker 3 asked, 0 open>"

    asyncio.run(main())


@pytest.mark.long
def test_so_many_are_open_at_most_and_a_child_has_none() -> None:
    async def main() -> None:
        asker = Asker(lambda *_: None)
        tasks = [asyncio.ensure_future(asker.ask_later(1)) for _ in range(OPEN_MOST)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="wait for their answers"):
            await asker.ask_later(1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        asker.disown()
        with pytest.raises(Refused, match="has no channel"):
            await asker.ask_later(1)
        assert repr(asker) == f"<Asker {OPEN_MOST + 1} asked, 0 open>"

    asyncio.run(main())


def test_an_invocation_that_comes_while_one_waits_is_given_back() -> None:
    with serving(ask, "event") as outside:
        outside.invoke()
        number, question, _ = asked(outside)
        outside.invoke(2)
        assert outside.read() == (wire.BOUNCED, 2, b"")
        reply(outside, number, question, "well")
        assert outside.answer()[3] == b"well"

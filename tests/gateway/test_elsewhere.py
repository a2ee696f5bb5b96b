"""A call in another gateway's journal: asked for through control, found, cancelled, tried anew, forgotten."""

import asyncio
from typing import Any

import pytest

from attacca.errors import AttaccaError, Conflict, Internal, NotFound, StateUnavailable
from attacca.gateway.elsewhere import ASKED_MOST, Asking, Elsewhere, Here, error_of
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.kernel.clock import ManualClock
from attacca.model.async_call import Accept, AsyncCall, State
from attacca.model.invocation import Failed, Request
from attacca.model.journals import AskAsync, AskCall, AsyncTold, CallTold, CallVerb

WAITS = AsyncCall(id="a" * 32, function="f", at=1.0)


def test_who_asks_is_told_what_was_said_to_that_question() -> None:
    async def main() -> None:
        asked: list[AskCall] = []
        elsewhere = Elsewhere(asked.append)
        asking = [asyncio.create_task(elsewhere.ask(name, CallVerb.FIND)) for name in ("a", "b")]
        await asyncio.sleep(0)
        assert repr(elsewhere) == "<Elsewhere 2 of 2 asked for>"
        second, first = CallTold(asked[1].id, is_running=True), CallTold(asked[0].id)
        for told in (second, first, CallTold("nobody's")):
            elsewhere.hear(told)
        assert await asyncio.gather(*asking) == [first, second]
        assert [(one.call, one.verb) for one in asked] == [("a", CallVerb.FIND), ("b", CallVerb.FIND)]
        many = [asyncio.create_task(elsewhere.ask("c", CallVerb.FIND)) for _ in range(ASKED_MOST)]
        await asyncio.sleep(0)
        with pytest.raises(StateUnavailable):
            await elsewhere.ask("c", CallVerb.FIND)
        for task in many:
            task.cancel()
        await asyncio.gather(*many, return_exceptions=True)
        assert repr(elsewhere) == f"<Elsewhere 0 of {ASKED_MOST + 2} asked for>"

    asyncio.run(main())


def test_what_lies_here_is_told_and_done() -> None:
    async def main() -> None:
        journal = MemoryJournal(Book(), "me", ManualClock())
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        journal.write(Accept(WAITS, Request(b"{}")), told.set_result)
        await told

        def cancel(call: str, asking: Asking) -> None:
            assert repr(asking) == "<Asking, waits>"
            (asking.cancelled(call) if call == WAITS.id else asking.rejected(NotFound("no such call")))
            asking.cancelled(call)
            assert repr(asking) == "<Asking, answered>"

        here = Here(journal, lambda: 5.0, lambda call: call == WAITS.id, cancel)
        assert repr(here) == "<Here <MemoryJournal 1 calls>>"

        async def ask(call: str, verb: CallVerb) -> CallTold:
            answer = await here.answer(AskCall("1", call, verb))
            assert isinstance(answer, CallTold)
            assert answer.id == "1"
            return answer

        found = await ask(WAITS.id, CallVerb.FIND)
        assert found.record is not None
        assert (found.record.call, found.is_running) == (WAITS, True)
        assert (await ask("b" * 32, CallVerb.FIND)).record is None
        assert (await ask(WAITS.id, CallVerb.CANCEL)).error is None
        codes = {}
        for verb, call in (
            (CallVerb.CANCEL, "b"),
            (CallVerb.RETRY, "b"),
            (CallVerb.RETRY, WAITS.id),
            (CallVerb.DELETE, WAITS.id),
        ):
            error = (await ask(call, verb)).error
            codes[verb, call] = None if error is None else error.code
        assert list(codes.values()) == ["not_found", "not_found", "conflict", "conflict"]
        assert await here.answer(AskAsync("2", State.WAITING, "", 10)) == AsyncTold("2", (WAITS,))
        assert await here.answer(AskAsync("3", State.DEAD, "f", 10)) == AsyncTold("3", ())

    asyncio.run(main())


@pytest.mark.parametrize("kind", [NotFound, Conflict, StateUnavailable])
def test_an_error_comes_back_as_it_was(kind: type[AttaccaError]) -> None:
    error = error_of(Failed(kind.code, "what", "try"))
    assert (type(error), error.message, error.hint) == (kind, "what", "try")
    assert type(error_of(Failed("something new", "what"))) is Internal

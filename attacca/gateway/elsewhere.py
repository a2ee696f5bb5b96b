"""Calls that lie in another gateway's journal: control knows who is there, and passes questions on."""

import asyncio
from collections.abc import Callable

from attacca.errors import AttaccaError, Conflict, Internal, NotFound, StateUnavailable
from attacca.io.journal.types import Journal
from attacca.model.async_call import AsyncCall, Delete, Gone, Result, Revive, Unwritten, Write
from attacca.model.invocation import Failed, Outcome
from attacca.model.journals import AskAsync, AskCall, AsyncTold, CallTold, CallVerb

PATIENCE_S = 5.0
ASKED_MOST = 64  # at once: who guesses at ids makes no flood of it
ERRORS = {kind.code: kind for kind in (NotFound, Conflict, StateUnavailable)}


class Elsewhere:
    """`ask` tells control."""

    def __init__(self, ask: Callable[[AskCall], None]) -> None:
        self._ask = ask
        self._count = 0
        self._asked: dict[str, asyncio.Future[CallTold]] = {}

    def __repr__(self) -> str:
        return f"<Elsewhere {len(self._asked)} of {self._count} asked for>"

    async def ask(self, call: str, verb: CallVerb) -> CallTold:
        """
        Raises:
            StateUnavailable: control does not say, or too much is asked.
        """
        if len(self._asked) >= ASKED_MOST:
            raise StateUnavailable("too many calls of other gateways are asked for", "ask again in a moment")
        self._count += 1
        name = str(self._count)
        answer: asyncio.Future[CallTold] = asyncio.get_running_loop().create_future()
        self._asked[name] = answer
        try:
            self._ask(AskCall(name, call, verb))
            async with asyncio.timeout(PATIENCE_S):
                return await answer
        except TimeoutError:
            what = "this gateway does not have the call, and control does not say whether another has it"
            raise StateUnavailable(what, "ask again in a moment") from None
        finally:
            del self._asked[name]

    def hear(self, told: CallTold) -> None:
        answer = self._asked.get(told.id)
        if answer is not None and not answer.done():
            answer.set_result(told)


class Here:
    """What others ask of the calls in this gateway's journal. `cancel` ends in a call of one of its two: it is, or why
    not."""

    def __init__(
        self,
        journal: Journal,
        wall: Callable[[], float],
        is_running: Callable[[str], bool],
        cancel: Callable[[str, "Asking"], None],
    ) -> None:
        self._journal, self._wall, self._is_running, self._cancel = journal, wall, is_running, cancel

    def __repr__(self) -> str:
        return f"<Here {self._journal!r}>"

    async def answer(self, asked: AskAsync | AskCall) -> AsyncTold | CallTold:
        try:
            if isinstance(asked, AskAsync):
                found = await self._journal.latest(asked.state, asked.function or None, asked.limit)
                return AsyncTold(asked.id, tuple(found))
            return await self._do(asked)
        except AttaccaError as error:
            if isinstance(asked, AskAsync):
                return AsyncTold(asked.id, ())
            return CallTold(asked.id, None, error=Failed(error.code, error.message, error.hint))

    async def _do(self, asked: AskCall) -> CallTold:
        call = asked.call
        if asked.verb is CallVerb.FIND:
            return CallTold(asked.id, await self._journal.find(call), is_running=self._is_running(call))
        if asked.verb is CallVerb.CANCEL:
            asking = Asking()
            self._cancel(call, asking)
            await asking.answer
        else:
            write = Revive(call, self._wall()) if asked.verb is CallVerb.RETRY else Delete(call)
            expect(call, await put(self._journal, write), "dead" if asked.verb is CallVerb.RETRY else "over")
        return CallTold(asked.id, None)


class Asking:
    """Waits for a call to be cancelled."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<Asking, {'answered' if self.answer.done() else 'waits'}>"

    def cancelled(self, _: str) -> None:
        if not self.answer.done():
            self.answer.set_result(None)

    def rejected(self, error: AttaccaError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None:
        raise AssertionError("it asks to cancel one")

    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None:
        raise AssertionError("it asks to cancel one")


async def put(journal: Journal, write: Write) -> Result:
    told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    journal.write(write, lambda result: None if told.done() else told.set_result(result))
    return await told


def expect(call: str, result: Result, state: str) -> None:
    """
    Raises:
        NotFound, Conflict: it was not as it had to be.
        StateUnavailable: the journal could not write it.
    """
    match result:
        case Unwritten(error=error):
            raise error
        case Gone(call=None):
            raise NotFound(f"no call is named {call[:64]!r}", "attacca call list shows those there are")
        case Gone(call=AsyncCall() as known):
            raise Conflict(f"call {call} is not {state}: it is {known.state.value}", f"attacca call show {call}")
        case _:
            pass


def error_of(failed: Failed) -> AttaccaError:
    return ERRORS.get(failed.code, Internal)(failed.message, failed.hint)

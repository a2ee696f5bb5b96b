"""The journal that the admin API sees: what lies beside control, and what gateways elsewhere have."""

import asyncio
from typing import Any

from attacca.control.async_calls import MORE, Gathered
from attacca.control.views import Views
from attacca.errors import AttaccaError
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.kernel.clock import ManualClock
from attacca.model.async_call import Accept, AsyncCall, Delete, Gone, Record, Result, Revive, State, Stored, Unwritten
from attacca.model.invocation import Failed, Request
from attacca.model.journals import AskAsync, AskCall, AsyncTold, CallTold, CallVerb

OURS, THEIRS = (AsyncCall(id=name, function="f", at=at) for name, at in (("ours", 1.0), ("theirs", 2.0)))


class Leading:
    """A control whose gateways say at once what `errors` has for a verb."""

    def __init__(self) -> None:
        self.errors: dict[CallVerb, str] = {}
        self.silent: set[str] = set()
        self.passed: list[tuple[str, CallTold]] = []
        self.asked: list[str] = []
        self._news = asyncio.Event()
        self.views = Views(self._send, ManualClock(), (), ["g1", "g2"])

    def _send(self, gateway: str, message: Any) -> None:
        if isinstance(message, CallTold):
            self.passed.append((gateway, message))
            self._news.set()
            return
        self.asked.append(f"{gateway} {getattr(message, 'verb', 'list')}")
        if gateway in self.silent:
            self.views.lose(gateway)
            asyncio.get_running_loop().call_soon(self.views.lose, gateway)
        elif isinstance(message, AskAsync):
            self._hear(AsyncTold(message.id, (THEIRS, OURS) if gateway == "g2" else ()))
        elif isinstance(message, AskCall):
            self._hear(self._told(gateway, message))

    async def until_passed(self, count: int) -> None:
        while len(self.passed) < count:
            self._news.clear()
            await self._news.wait()

    def _told(self, gateway: str, asked: AskCall) -> CallTold:
        if asked.verb is CallVerb.FIND:
            is_there = gateway == "g2" and asked.call == THEIRS.id
            return CallTold(asked.id, Record(THEIRS) if is_there else None)
        code = self.errors.get(asked.verb)
        return CallTold(asked.id, error=None if code is None else Failed(code, "no"))

    def _hear(self, told: Any) -> None:
        asyncio.get_running_loop().call_soon(self.views.hear, told)


async def made() -> tuple[Gathered, Leading]:
    journal, leading = MemoryJournal(Book(), "me", ManualClock()), Leading()
    await write(journal, Accept(OURS, Request(b"{}")))
    return Gathered(journal, lambda: leading), leading  # type: ignore[arg-type,return-value]


async def write(to: Any, what: object) -> Result:
    told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    to.write(what, told.set_result)
    return await told


def test_all_are_shown_each_once_and_found_where_they_are() -> None:
    async def main() -> None:
        gathered, leading = await made()
        assert [one.id for one in await gathered.latest(None, None, 10)] == ["theirs", "ours"]
        assert [one.id for one in await gathered.latest(State.WAITING, "f", 1)] == ["theirs"]
        leading.asked.clear()
        assert (await gathered.find("ours")) is not None
        assert leading.asked == [], "it lies here"
        assert await gathered.find("theirs") == Record(THEIRS)
        assert await gathered.find("nobody's") is None
        assert await gathered.marks() == {}
        assert repr(gathered) == "<Gathered <MemoryJournal 1 calls>, 0 asked of others>"
        alone = Gathered(MemoryJournal(Book(), "me", ManualClock()), lambda: None)
        assert (await alone.latest(None, None, 10), await alone.find("theirs")) == ([], None)
        assert await write(alone, Delete("theirs")) == Gone(None)

    asyncio.run(main())


def test_what_is_to_be_done_is_done_by_who_has_it() -> None:
    async def main() -> None:
        gathered, leading = await made()
        assert await write(gathered, Revive("theirs", 1.0)) == Stored()
        assert leading.asked == ["g1 find", "g2 find", "g2 retry"]
        assert await write(gathered, Delete("ours")) == Gone(OURS), "it is not over, and lies here"
        leading.errors = {CallVerb.DELETE: "conflict", CallVerb.RETRY: "state_unavailable"}
        assert await write(gathered, Delete("theirs")) == Gone(THEIRS)
        assert await write(gathered, Delete("nobody's")) == Gone(None)
        unwritten = await write(gathered, Revive("theirs", 1.0))
        assert isinstance(unwritten, Unwritten)
        assert isinstance(unwritten.error, AttaccaError)
        assert unwritten.error is MORE

    asyncio.run(main())


def test_what_one_gateway_asks_the_others_answer() -> None:
    async def main() -> None:
        _, leading = await made()
        leading.views.pass_on("g1", AskCall("7", "theirs", CallVerb.FIND))
        await leading.until_passed(1)
        leading.views.pass_on("g2", AskCall("8", "theirs", CallVerb.FIND))
        await leading.until_passed(2)
        leading.silent.add("g2")
        leading.views.pass_on("g1", AskCall("9", "theirs", CallVerb.CANCEL))
        await leading.until_passed(3)
        told = {message.id: (gateway, message) for gateway, message in leading.passed}
        assert told["7"] == ("g1", CallTold("7", Record(THEIRS)))
        assert told["8"][1].error is not None
        assert told["8"][1].error.code == "not_found", "who asks is not asked"
        assert told["9"][1].error is not None
        assert told["9"][1].error.code == "state_unavailable", "it may have it"

    asyncio.run(main())

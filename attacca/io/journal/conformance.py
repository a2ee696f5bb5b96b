"""The suite that every journal passes: `await check_journal(open_journal)`."""

import asyncio
from collections.abc import Awaitable, Callable

from attacca.io.journal.types import Journal
from attacca.kernel.clock import Clock, ManualClock
from attacca.model.async_call import (
    Accept,
    Advance,
    AsyncCall,
    Cancel,
    Delete,
    Gone,
    Mark,
    Posting,
    Record,
    Repeated,
    Result,
    Revive,
    State,
    Stored,
    Update,
    Write,
)
from attacca.model.invocation import FunctionError, Ok, Request

Factory = Callable[[str, str, Clock], Awaitable[Journal]]  # a journal of this name, as this owner
NOW = 1_000.0
REQUEST = Request(b"\x00\xff", "text/plain", "PUT", "/sub", "a=b", ((b"x-one", b"1"),))


def call(name: str, **more: object) -> AsyncCall:
    known = {"id": name, "function": "f", "at": NOW, "due": NOW, "size": len(REQUEST.body)}
    return AsyncCall(**{**known, **more})  # type: ignore[arg-type]


def over(one: AsyncCall, state: State = State.DONE, **more: object) -> AsyncCall:
    return AsyncCall(**{**_fields(one), "state": state, "ended_at": NOW + 1, "expires_at": NOW + 100, **more})  # type: ignore[arg-type]


def _fields(one: AsyncCall) -> dict[str, object]:
    return {field: getattr(one, field) for field in one.__struct_fields__}


async def put(journal: Journal, write: Write) -> Result:
    told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    journal.write(write, told.set_result)
    async with asyncio.timeout(10):
        return await told


async def check_journal(factory: Factory) -> None:
    """Each check on a journal of its own.

    Raises:
        AssertionError: the journal does not do what `types.Journal` says.
    """
    for check in (_records, _ends, _keys, _marks, _cancels, _dead, _many, _owners, _stolen, _expiry, _sizes):
        clock = ManualClock(NOW)
        name = check.__name__
        first, second = await factory(name, "first", clock), await factory(name, "second", clock)
        try:
            await check(first, second, clock)
        finally:
            await first.close()
            await second.close()


async def _records(first: Journal, second: Journal, clock: ManualClock) -> None:
    assert await first.find("a") is None
    assert await put(first, Accept(call("a"), REQUEST)) == Stored()
    assert await first.find("a") == await second.find("a") == Record(call("a"), REQUEST)
    assert isinstance(await put(first, Accept(call("a"), REQUEST)), Gone), "a name was given twice"
    await put(first, Accept(call("b", function="g", at=NOW + 1), REQUEST))
    assert [one.id for one in await second.latest(None, None, 10)] == ["b", "a"]
    assert [one.id for one in await second.latest(State.WAITING, "f", 10)] == ["a"]
    assert await second.latest(State.DONE, None, 10) == []
    assert [one.id for one in await second.latest(None, None, 1)] == ["b"]


async def _ends(first: Journal, second: Journal, clock: ManualClock) -> None:
    await put(first, Accept(call("a"), REQUEST))
    again = call("a", attempts=1, due=NOW + 5, why="ValueError: no")
    assert await put(first, Update(again)) == Stored()
    assert await first.find("a") == Record(again, REQUEST)
    posting = over(again, posting=Posting.WAITING)
    assert await put(first, Update(posting, Ok(b"done"))) == Stored()
    assert await first.find("a") == Record(posting, None, Ok(b"done")), "what is over needs no request"
    posted = over(again, posting=Posting.DONE)
    assert await put(first, Update(posted)) == Stored()
    assert await first.find("a") == Record(posted, None, Ok(b"done")), "the answer is kept"
    assert await put(first, Update(posted)) == Gone(posted), "what is over does not change"
    assert await put(first, Update(call("nobody"))) == Gone(None)


async def _keys(first: Journal, second: Journal, clock: ManualClock) -> None:
    await put(first, Accept(call("a", key="k", fingerprint="1"), REQUEST))
    repeated = await put(second, Accept(call("b", key="k", fingerprint="2"), REQUEST))
    assert repeated == Repeated(Record(call("a", key="k", fingerprint="1"), REQUEST))
    assert await first.find("b") is None
    assert await put(second, Delete("a", open=True)) == Gone(call("a", key="k", fingerprint="1")), "it is another's"
    assert await put(first, Delete("a", open=True)) == Stored()
    assert await put(second, Accept(call("c", key="k"), REQUEST)) == Stored(), "a key is free with its call"
    assert await put(second, Accept(call("d"), REQUEST)) == await put(second, Accept(call("e"), REQUEST)) == Stored()


async def _marks(first: Journal, second: Journal, clock: ManualClock) -> None:
    assert await first.marks() == {}
    assert await put(first, Advance(Mark("f *", 10.0))) == Stored()
    assert await put(second, Advance(Mark("f *", 10.0))) == Gone()
    racers = [(first, "a"), (second, "b"), (first, "c")]
    results = [await put(journal, Accept(call(name), REQUEST, Mark("f *", 20.0))) for journal, name in racers]
    assert results == [Stored(), Gone(), Gone()], "a due time has one call"
    assert await first.find("b") is None
    assert await put(second, Accept(call("d"), REQUEST, Mark("f *", 15.0))) == Gone(), "a mark went back"
    assert (
        await put(second, Advance(Mark("f *", 30.0, 2))) == await put(first, Advance(Mark("f *", 40.0, 3))) == Stored()
    )
    assert await put(second, Advance(Mark("f *", 30.0, 2))) == Gone()
    assert await second.marks() == {"f *": Mark("f *", 40.0, 5)}


async def _cancels(first: Journal, second: Journal, clock: ManualClock) -> None:
    await put(first, Accept(call("a", callback="http://x"), REQUEST))
    assert await put(second, Cancel("a", NOW + 1, NOW + 100)) == Stored(), "anybody may"
    record = await first.find("a")
    assert record is not None
    assert record.call == over(call("a", callback="http://x"), State.CANCELLED)
    assert record.request is None
    assert await put(first, Update(over(call("a")), Ok(b"late"))) == Gone(record.call)
    assert await put(first, Cancel("a", NOW, NOW)) == Gone(record.call)
    assert await put(first, Cancel("nobody", NOW, NOW)) == Gone(None)


async def _dead(first: Journal, second: Journal, clock: ManualClock) -> None:
    await put(first, Accept(call("a"), REQUEST))
    assert isinstance(await put(second, Revive("a", NOW)), Gone), "it is alive"
    assert isinstance(await put(second, Delete("a")), Gone), "it is alive"
    dead = over(call("a", attempts=3, why="no"), State.DEAD)
    await put(first, Update(dead, FunctionError("ValueError", "no")))
    assert await second.find("a") == Record(dead, REQUEST, FunctionError("ValueError", "no")), "its request is kept"
    assert [one.id for one in await second.latest(State.DEAD, None, 10)] == ["a"]
    assert await put(second, Revive("a", NOW + 7)) == Stored()
    alive = call("a", at=NOW + 7, due=NOW + 7, why="no")
    assert await first.find("a") == Record(alive, REQUEST)
    assert isinstance(await put(first, Update(alive)), Gone), "it was given up"
    assert await first.claim(10.0, 10) == [alive], "it is for whoever claims it"
    await put(first, Update(dead))
    assert await put(second, Delete("a")) == Stored()
    assert await first.find("a") is None


async def _many(first: Journal, second: Journal, clock: ManualClock) -> None:
    """Writes are told of in their order, and each is settled by itself."""
    told: list[tuple[int, Result]] = []
    done = asyncio.Event()

    def tell(number: int, result: Result) -> None:
        told.append((number, result))
        if len(told) == 300:
            done.set()

    for number in range(300):
        name = f"{number % 200}"
        first.write(Accept(call(name), REQUEST), lambda result, number=number: tell(number, result))  # type: ignore[misc]
    async with asyncio.timeout(20):
        await done.wait()
    assert [number for number, _ in told] == list(range(300))
    assert [isinstance(result, Stored) for _, result in told] == [number < 200 for number in range(300)]
    assert (await second.amount()).waiting == 200


async def _owners(first: Journal, second: Journal, clock: ManualClock) -> None:
    assert await first.claim(3.0, 10) == []
    for name in ("a", "b", "c"):
        await put(first, Accept(call(name), REQUEST))
    assert await second.claim(3.0, 10) == [], "they have an owner"
    clock.time += 2
    assert await first.claim(3.0, 10) == []
    clock.time += 2
    assert await second.claim(3.0, 10) == [], "their owner keeps them"
    await first.leave()
    assert {one.id for one in await second.claim(3.0, 2)} < {"a", "b", "c"}, "no more than asked for"
    assert len(await second.claim(3.0, 10)) == 1
    assert await second.claim(3.0, 10) == [], "none is claimed twice"


async def _stolen(first: Journal, second: Journal, clock: ManualClock) -> None:
    """Who has slept through its lease may not write any more."""
    await first.claim(3.0, 0)
    await put(first, Accept(call("a"), REQUEST))
    await put(first, Accept(call("over"), REQUEST))
    await put(first, Update(over(call("over")), Ok()))
    clock.time += 4
    assert await second.claim(3.0, 10) == [call("a")], "what is over is nobody's"
    assert await put(first, Update(over(call("a")), Ok(b"late"))) == Gone(call("a"))
    assert await first.claim(3.0, 10) == []
    assert await put(second, Update(over(call("a")), Ok(b"mine"))) == Stored()


async def _expiry(first: Journal, second: Journal, clock: ManualClock) -> None:
    await put(first, Accept(call("open"), REQUEST))
    for name, expires_at in (("a", NOW + 10), ("b", NOW + 20)):
        await put(first, Accept(call(name, key=name), REQUEST))
        await put(first, Update(over(call(name, key=name), expires_at=expires_at), Ok()))
    assert await second.sweep(NOW + 10, 1 << 30) == 1
    assert await first.find("a") is None
    assert await second.sweep(NOW + 1e9, 1 << 30) == 1
    assert await second.sweep(NOW + 1e9, 0) == 0, "what is open stays"
    assert await first.find("open") is not None
    assert await put(first, Accept(call("c", key="a"), REQUEST)) == Stored(), "a key is free with its call"


async def _sizes(first: Journal, second: Journal, clock: ManualClock) -> None:
    for number in range(4):
        name = f"{number}"
        await put(first, Accept(call(name), REQUEST))
        await put(first, Update(over(call(name), expires_at=NOW + 100 + number), Ok(b"x" * 1000)))
    amount = await second.amount()
    assert amount.done == 4
    assert 4_000 < amount.bytes < 5_000
    assert await second.sweep(NOW, 2_500) == 2, "the oldest go"
    assert {one.id for one in await second.latest(None, None, 10)} == {"2", "3"}
    assert (await second.amount()).bytes <= 2_500

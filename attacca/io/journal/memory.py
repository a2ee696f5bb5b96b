"""A journal that forgets with its process: the twin of the durable ones, for tests and simulations.

What is behind it can be opened by several owners, one after the other or at once.
"""

import asyncio
from collections.abc import Callable

import msgspec

from attacca.io.journal.types import Amount, Told
from attacca.kernel.clock import Clock
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

STORED, GONE = Stored(), Gone()


class Book:
    """What is written, and who owns it."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.owners: dict[str, str] = {}  # by call
        self.keys: dict[str, str] = {}  # the call that has each
        self.marks: dict[str, Mark] = {}
        self.leases: dict[str, float] = {}  # until when, by owner

    def __repr__(self) -> str:
        return f"<Book {len(self.records)} calls, {len(self.marks)} schedules, {len(self.leases)} owners>"

    def settle(self, owner: str, write: Write) -> Result:
        match write:
            case Accept():
                return self._accept(owner, write)
            case Update():
                return self._update(owner, write)
            case Cancel():
                return self._cancel(write)
            case Revive():
                return self._revive(write)
            case Delete():
                return self._delete(owner, write)
            case Advance(mark=mark):
                return STORED if self._advance(mark) else GONE

    def _accept(self, owner: str, write: Accept) -> Result:
        call = write.call
        if call.key and call.key in self.keys:
            return Repeated(self.records[self.keys[call.key]])
        if call.id in self.records or (write.mark is not None and not self._advance(write.mark)):
            return GONE
        self.records[call.id] = Record(call, write.request)
        self.owners[call.id] = owner
        if call.key:
            self.keys[call.key] = call.id
        return STORED

    def _advance(self, mark: Mark) -> bool:
        before = self.marks.get(mark.name)
        if before is not None and before.due >= mark.due:
            return False
        missed = mark.missed + (0 if before is None else before.missed)
        self.marks[mark.name] = Mark(mark.name, mark.due, missed)
        return True

    def _update(self, owner: str, write: Update) -> Result:
        call = write.call
        record = self.records.get(call.id)
        if record is None or not record.call.is_open or self.owners[call.id] != owner:
            return Gone(None if record is None else record.call)
        outcome = record.outcome if write.outcome is None else write.outcome
        self.records[call.id] = Record(call, record.request if keeps_request(call) else None, outcome)
        return STORED

    def _cancel(self, write: Cancel) -> Result:
        record = self.records.get(write.id)
        if record is None or record.call.state is not State.WAITING:
            return Gone(None if record is None else record.call)
        self.records[write.id] = Record(cancelled(record.call, write))
        return STORED

    def _revive(self, write: Revive) -> Result:
        record = self.records.get(write.id)
        if record is None or record.call.state is not State.DEAD or record.call.is_open:
            return Gone(None if record is None else record.call)
        self.records[write.id] = Record(revived(record.call, write), record.request)
        self.owners[write.id] = ""
        return STORED

    def _delete(self, owner: str, write: Delete) -> Result:
        record = self.records.get(write.id)
        if record is None or (record.call.is_open and not (write.open and self.owners[write.id] == owner)):
            return Gone(None if record is None else record.call)
        self.forget(write.id)
        return STORED

    def forget(self, call: str) -> None:
        record = self.records.pop(call)
        del self.owners[call]
        if record.call.key:
            del self.keys[record.call.key]


def keeps_request(call: AsyncCall) -> bool:
    """Is its request still needed, or may it be?"""
    return call.state in (State.WAITING, State.DEAD)


def cancelled(call: AsyncCall, write: Cancel) -> AsyncCall:
    return msgspec.structs.replace(
        call, state=State.CANCELLED, posting=Posting.NONE, ended_at=write.at, expires_at=write.expires_at
    )


def revived(call: AsyncCall, write: Revive) -> AsyncCall:
    """Its age and its attempts count from now on."""
    posting = Posting.NONE
    return msgspec.structs.replace(
        call,
        state=State.WAITING,
        posting=posting,
        at=write.at,
        due=write.at,
        attempts=0,
        tries=(),
        ended_at=0.0,
        expires_at=0.0,
    )


class MemoryJournal:
    """Writes are told of by `soon`: the loop's next turn, or whatever a test turns by hand."""

    def __init__(
        self, book: Book, owner: str, clock: Clock, soon: Callable[[Callable[[], None]], object] | None = None
    ) -> None:
        self.book = book
        self._owner = owner
        self._clock = clock
        self._soon = soon or (lambda call: asyncio.get_running_loop().call_soon(call))

    def __repr__(self) -> str:
        return f"<MemoryJournal {len(self.book.records)} calls>"

    def write(self, write: Write, told: Told) -> None:
        result = self.book.settle(self._owner, write)
        self._soon(lambda: told(result))

    async def find(self, call: str) -> Record | None:
        return self.book.records.get(call)

    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        calls = [
            record.call
            for record in self.book.records.values()
            if state in (None, record.call.state) and function in (None, record.call.function)
        ]
        return sorted(calls, key=lambda call: (-call.at, call.id))[:limit]

    async def claim(self, lease_s: float, limit: int) -> list[AsyncCall]:
        return self.claim_now(lease_s, limit)

    def claim_now(self, lease_s: float, limit: int) -> list[AsyncCall]:
        book, now = self.book, self._clock.wall()
        book.leases[self._owner] = now + lease_s
        claimed = [
            call
            for call, record in book.records.items()
            if record.call.is_open and book.leases.get(book.owners[call], 0.0) <= now
        ][:limit]
        book.owners |= dict.fromkeys(claimed, self._owner)
        return [book.records[call].call for call in claimed]

    async def leave(self) -> None:
        self.book.leases.pop(self._owner, None)

    async def marks(self) -> dict[str, Mark]:
        return dict(self.book.marks)

    async def sweep(self, now: float, bytes_most: int) -> int:
        over = [record.call for record in self.book.records.values() if not record.call.is_open]
        over.sort(key=lambda call: (call.expires_at, call.id))
        kept = sum(map(weight, self.book.records.values()))
        forgotten = 0
        for call in over:
            if call.expires_at > now and kept <= bytes_most:
                break
            kept -= weight(self.book.records[call.id])
            self.book.forget(call.id)
            forgotten += 1
        return forgotten

    async def amount(self) -> Amount:
        count = dict.fromkeys(State, 0)
        for record in self.book.records.values():
            count[record.call.state] += 1
        size = sum(map(weight, self.book.records.values()))
        return Amount(count[State.WAITING], count[State.DONE], count[State.DEAD], count[State.CANCELLED], size)

    async def close(self) -> None:
        """Nothing to let go of."""


def weight(record: Record) -> int:
    """Bytes of its request and its answer."""
    return sum(len(msgspec.msgpack.encode(part)) for part in (record.request, record.outcome) if part is not None)

import asyncio

from attacca.io.journal.conformance import REQUEST, call, check_journal, put
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.io.journal.types import Journal
from attacca.kernel.clock import Clock, ManualClock
from attacca.model.async_call import Accept


def test_it_passes_the_checks_of_every_journal() -> None:
    books: dict[str, Book] = {}

    async def open_journal(name: str, owner: str, clock: Clock) -> Journal:
        return MemoryJournal(books.setdefault(name, Book()), owner, clock)

    asyncio.run(check_journal(open_journal))


def test_it_says_how_it_stands() -> None:
    async def script() -> None:
        journal = MemoryJournal(Book(), "me", ManualClock())
        await put(journal, Accept(call("a"), REQUEST))
        await journal.claim(3.0, 10)
        assert repr(journal) == "<MemoryJournal 1 calls>"
        assert repr(journal.book) == "<Book 1 calls, 0 schedules, 1 owners>"

    asyncio.run(script())

"""A runtime that is metered does what every runtime must, and what passes it is in the book."""

import asyncio
from typing import Any

from attacca.model.energy import Reckoned
from attacca.model.invocation import Invocation, Ok, Request
from attacca.worker.core.energy.attribution import IdleBy
from attacca.worker.core.energy.ledger import Ledger, Look
from attacca.worker.core.reports import Report, RunEnded, SandboxGone, Sink
from attacca.worker.runtime.metered import Metered
from tests.worker.stage import revision

ORDERS = {"make_template", "drop_template", "make_sandbox", "kill", "run", "stop", "body", "flow", "tell", "leave"}


class Inner:
    """Remembers its orders."""

    has_events = True
    sink: Sink

    def __init__(self) -> None:
        self.orders: list[str] = []

    async def open(self, sink: Sink) -> None:
        self.sink = sink

    async def close(self) -> None:
        self.orders.append("close")

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.orders.append(name)


def test_what_runs_is_written_and_passed_on() -> None:
    inner, now = Inner(), 0.0
    book = Ledger("test", IdleBy.MEMORY, 10.0, 0.0)
    metered = Metered(inner, book, 1000, lambda: now)
    heard: list[Report] = []
    asyncio.run(metered.open(heard.append))
    book.take(Look(0.0, 0.0, 0.0, {}))
    metered.make_sandbox("s", revision("f"), None)
    metered.run("s", revision("f"), Invocation("i", "f", "f@1", Request()))
    now = 0.5
    inner.sink(RunEnded("s", "i", Ok(), 500.0))
    inner.sink(SandboxGone("s", "sandbox_lost", ""))
    book.take(Look(1.0, 30.0, 1.0, {"s": 0.5}))
    assert book.spent() == (Reckoned("i", 10.0 + 10.0 * 0.1 * 0.5 * 0.5, 0.0),)
    assert [type(report) for report in heard] == [RunEnded, SandboxGone]
    assert repr(book) == "<Ledger of test: 30 J, 1 functions, 0 runs>"


def test_every_order_is_passed_on() -> None:
    inner: Any = Inner()
    metered: Any = Metered(inner, Ledger("test", IdleBy.CPU), 1000, lambda: 0.0)
    metered.make_template("t", revision("f"))
    metered.drop_template("t")
    metered.make_sandbox("s", revision("f"), "t")
    metered.run("s", revision("f"), Invocation("i", "f", "f@1", Request()))
    for name, arguments in (("kill", 1), ("stop", 2), ("body", 4), ("flow", 3), ("tell", 2), ("leave", 2)):
        getattr(metered, name)(*["s"] * arguments)
    asyncio.run(metered.close())
    assert metered.has_events
    assert set(inner.orders) == {*ORDERS, "close"}
    assert repr(metered).startswith("<Metered <")

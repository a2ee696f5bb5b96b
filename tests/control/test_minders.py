"""Gateways with a journal each ask a control, and the control after it: one minds the schedules at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from attacca.control.minders import Minders
from attacca.errors import StateUnavailable
from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import ManualClock
from attacca.model.async_call import Mark
from attacca.model.journals import MINDING_S, AskMinding, MindingTold

F = Mark("f", 100.0)


class Table:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.told: list[MindingTold] = []
        self.restart()

    def restart(self) -> None:
        self.minders = Minders(self.store, self.clock.wall, lambda _, told: self.told.append(told))

    async def ask(self, journal: str, *marks: Mark, fence: int = 0) -> MindingTold:
        self.minders.hear(f"gateway of {journal}", AskMinding("1", journal, fence, marks))
        assert repr(self.minders) == "<Minders 1 asked>"
        while self.minders._answers:
            await asyncio.gather(*self.minders._answers)
        return self.told.pop()


def play(scene: Callable[[Table], Awaitable[Any]]) -> None:
    async def main() -> None:
        table = Table()
        await scene(table)
        await table.minders.close()

    asyncio.run(main())


def test_one_minds_and_goes_on_also_with_a_control_that_is_new() -> None:
    async def scene(table: Table) -> None:
        first = await table.ask("one", F)
        assert (first.is_yours, first.marks, first.taken_at) == (True, (F,), 0.0)
        assert first.fence > 0
        assert not (await table.ask("two")).is_yours
        table.clock.time += MINDING_S / 2
        table.restart()
        assert not (await table.ask("two")).is_yours
        again = await table.ask("one", Mark("f", 160.0), fence=first.fence)
        assert (again.is_yours, again.fence, again.marks) == (True, first.fence, ()), "it knows where it is"
        table.clock.time += MINDING_S / 2 + 1
        assert not (await table.ask("two")).is_yours, "it has asked since"
        assert await table.minders.marks() == {"f": Mark("f", 160.0)}

    play(scene)


def test_who_shares_the_journal_minds_too() -> None:
    async def scene(table: Table) -> None:
        first, other = await table.ask("one", F), await table.ask("one")
        assert (other.is_yours, other.fence, other.marks) == (True, first.fence, (F,))

    play(scene)


def test_another_takes_over_from_one_that_is_silent_which_then_has_to_wait() -> None:
    async def scene(table: Table) -> None:
        first = await table.ask("one", F)
        table.clock.time += MINDING_S + 1
        other = await table.ask("two")
        assert (other.is_yours, other.marks, other.taken_at) == (True, (F,), table.clock.wall())
        assert other.fence > first.fence
        assert not (await table.ask("one", Mark("f", 900.0), fence=first.fence)).is_yours
        assert await table.minders.marks() == {"f": F}, "it does not mind any more"

    play(scene)


def test_it_says_nothing_while_the_store_is_away() -> None:
    class Away(MemoryStore):
        async def lease(self, key: str, holder: str, ttl_s: float) -> Any:
            raise StateUnavailable("no", "wait")

    async def scene(table: Table) -> None:
        table.store = Away(table.clock)
        table.restart()
        table.minders.hear("g", AskMinding("1", "one"))
        await asyncio.gather(*table.minders._answers)
        assert table.told == []

    play(scene)

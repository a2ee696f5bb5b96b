"""Gateways with a journal each and a control, of which any dies, is cut off or comes back: no due time is run twice."""

import asyncio
import random
from collections import Counter

import pytest

from attacca.control.minders import Minders
from attacca.gateway.core.async_calls.events import Minded
from attacca.gateway.core.async_calls.minding import MindingCore
from attacca.io.journal.memory import Book
from attacca.io.store.memory import MemoryStore
from attacca.model.async_call import Accept, Mark, Result, Stored, Write
from attacca.model.journals import MindingTold
from tests.gateway.core.async_calls.stage import Stage, Wall
from tests.gateway.play import revision

EACH = revision("f", schedule=("* * * * *",))
ASKS_S, RUNS_S = 10, 4000


class Machine(Stage):
    """A gateway with its journal. `dues`: of the runs that became durable."""

    def __init__(self, name: str, clock: Wall, dues: list[float]) -> None:
        self.name, self.dues = name, dues
        self.told: tuple[Mark, ...] = ()  # by it to control
        self.is_linked, self.up_at = True, 0.0
        super().__init__(EACH, book=Book(), clock=clock)

    def start(self) -> None:
        super().start()
        self.minding = MindingCore(self.name)
        self.feed(Minded(self.minding.until))

    def _told(self, write: Write, result: Result) -> None:
        if isinstance(write, Accept) and write.mark is not None and isinstance(result, Stored):
            self.dues.append(write.mark.due)
        super()._told(write, result)


class Land:
    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.clock, self.dues = Wall(100.0), list[float]()
        self.answers: list[MindingTold] = []
        self.minders = Minders(MemoryStore(self.clock), self.clock.wall, lambda _, told: self.answers.append(told))
        self.machines = [Machine(name, self.clock, self.dues) for name in ("one", "two", "three")]
        self.control_at = 0.0  # when it is back

    def happens(self, each_s: float) -> bool:
        return self.luck.random() < 1 / each_s

    async def second(self, number: int) -> None:
        self.clock.time += 1
        if self.happens(400):
            self.control_at = self.clock.time + self.luck.choice((2, 30, 200))
        for machine in self.machines:
            if self.happens(300):
                machine.is_linked = not machine.is_linked
            if self.happens(400):
                machine.start()
                machine.up_at = self.clock.time + self.luck.choice((1, 40, 200))
            if machine.up_at <= self.clock.time:
                await self._live(machine, number)

    async def _live(self, machine: Machine, number: int) -> None:
        if machine.timer.at <= self.clock.time:
            machine.timer.ring()
        machine.turn()
        marks = machine.core.schedules.marks()
        if number % ASKS_S == 0 or marks != machine.told:
            machine.told = marks
            await self._ask(machine)

    async def _ask(self, machine: Machine) -> None:
        asked = machine.minding.ask(self.clock.time, machine.told)
        if not machine.is_linked or self.clock.time < self.control_at or self.happens(10):
            return
        self.minders.hear(machine.name, asked)
        await asyncio.gather(*self.minders._answers)
        answer = self.answers.pop()
        minded = None if self.happens(10) else machine.minding.hear(self.clock.time, answer)
        if minded is not None:
            machine.feed(minded)


@pytest.mark.parametrize("seed", range(8))
def test_no_due_time_is_run_twice(seed: int) -> None:
    async def main() -> None:
        land = Land(seed)
        for number in range(RUNS_S):
            await land.second(number)
        dues = Counter(land.dues)
        assert max(dues.values()) == 1
        assert len(dues) > RUNS_S / 60 / 2, "most of them are run"

    asyncio.run(main())

"""In which order a forking process is moved ahead of its children, with groups that only remember."""

import asyncio

from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process.cradle import Cradle


class Written:
    """A group, and a tree of groups, on paper."""

    version = "paper"
    controllers: tuple[str, ...] = ()

    def __init__(self, story: list[str], number: int = 0) -> None:
        self._story, self._number, self._made = story, number, 0

    def make(self) -> "Written":
        self._made += 1
        return Written(self._story, self._made)

    def add(self, pid: int) -> None:
        self._story.append(f"{pid} moves to {self._number}")

    def unite(self) -> None:
        self._story.append(f"{self._number} ends together")

    def bound(self, memory_mb: int) -> None: ...

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None: ...

    def has_run_out(self) -> bool:
        return False

    def is_removed(self) -> bool:
        return True

    def roots(self) -> list[str]:
        return []

    def close(self) -> None: ...


def test_a_group_ends_together_only_once_the_parent_has_left_it() -> None:
    story: list[str] = []
    spent: list[Group] = []

    async def main() -> None:
        cradle = Cradle(Written(story), spent.append)
        first, second = asyncio.Event(), asyncio.Event()
        cradle.next(lambda _: first.set())
        cradle.next(lambda _: second.set())
        cradle.settle(7)
        await first.wait()
        story.append("first is born")
        cradle.made()
        await second.wait()
        story.append("second is born")
        cradle.close()

    asyncio.run(main())
    assert story == [
        "7 moves to 1",
        "first is born",
        "7 moves to 2",
        "1 ends together",
        "second is born",
    ]
    assert spent == [], "the second child has it"

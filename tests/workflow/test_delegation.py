"""Intents carried out: in their order, counted, and told of when they are refused."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from attacca.errors import BadRequest, Conflict
from attacca.workflow.core.intents import Cordon, Intent, Migrate, Uncordon
from attacca.workflow.core.state import Counts
from attacca.workflow.delegation import LOGGED_MOST, Delegation
from tests.logged import Logged
from tests.workflow.core.stage import Node, Stage, function


class House:
    """`done`: what was ordered, as it was; `gate`: what moves waits for it."""

    def __init__(self) -> None:
        self.stage = Stage(idle, nodes=2)
        self.workflow = self.stage.start(function("a", on="n1+n2"), function("b", on="n1"))
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.is_against = False
        self.delegation = Delegation(self.stage.core, {}, "home", (), self._move, self._cordon, 0.001)

    def migrate(self, component: str, *to: str) -> Migrate:
        return Migrate(component=f"{self.workflow}.{component}", to=to)

    def other(self, component: str) -> str:
        return "n2" if self.stage.at(self.workflow, component)[1] == "n1" else "n1"

    async def _move(self, workflow: str, component: str, to: tuple[str, ...]) -> None:
        self.done.append(f"{component} begins")
        await self.gate.wait()
        if self.is_against:
            raise Conflict(f"{component} moves already", "try again")
        self.done.append(f"{component} to {to[0]}")

    async def _cordon(self, node: str, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        self.done.append(f"{node} {is_on}")

    async def obey(self, *intents: Intent) -> list[str]:
        verdicts = await self.delegation.obey(list(intents))
        return [one.outcome for one in verdicts]


def idle(node: Node, instance: str, kind: str, data: bytes) -> None:
    return None


def play(story: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        await story(House())

    asyncio.run(main())


def test_what_is_so_or_cannot_be_is_not_ordered() -> None:
    async def story(house: House) -> None:
        house.gate.set()
        here = house.stage.at(house.workflow, "a")[1]
        intents = (house.migrate("a", here), house.migrate("b", "n2"), Uncordon(node="n1"), Cordon(node="n9"))
        assert await house.obey(*intents) == ["nothing", "refused", "nothing", "refused"]
        assert house.done == []
        reasons = {"unfit": 1, "no_such_node": 1}
        assert house.delegation.counts == Counts(0, 2, 2, reasons)
        assert [one.outcome for one in house.delegation.would([Cordon(node="n1")])] == ["do"]
        assert house.delegation.counts == Counts(0, 2, 2, reasons), "what is only asked is not counted"

    play(story)


def test_moves_go_on_beside_the_rest_and_one_after_the_other_of_a_component() -> None:
    async def story(house: House) -> None:
        other, here = house.other("a"), house.stage.at(house.workflow, "a")[1]
        first = asyncio.ensure_future(house.obey(house.migrate("a", other), Cordon(node="n1")))
        for _ in range(5):
            await asyncio.sleep(0)
        assert house.done == ["a begins", "n1 True"]
        second = asyncio.ensure_future(house.obey(house.migrate("a", here)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not second.done(), "it waits for the first"
        house.gate.set()
        assert await first == ["done", "done"]
        assert await second == ["nothing"], "the core has not moved it, so that it is there"
        assert house.done[-1] == f"a to {other}"
        assert repr(house.delegation) == "<Delegation of home, 0 listeners, 2 intents done, 0 refused>"

    play(story)


def test_what_the_core_refuses_after_all_is_refused() -> None:
    async def story(house: House) -> None:
        house.gate.set()
        house.is_against = True
        [verdict] = await house.delegation.obey([house.migrate("a", house.other("a"))])
        assert (verdict.outcome, verdict.why) == ("refused", "a moves already")

    play(story)


def test_of_many_that_are_refused_the_log_has_a_few(logged: Logged) -> None:
    async def story(house: House) -> None:
        house.delegation.refuse([BadRequest(f"no {number}", "try") for number in range(LOGGED_MOST + 90)])
        assert house.delegation.counts == Counts(0, 0, LOGGED_MOST + 90, {"malformed": LOGGED_MOST + 90})

    with logged.at_level(logging.WARNING):
        play(story)
    assert len(logged.records) == LOGGED_MOST + 1
    assert logged.messages[0] == "an intent is refused: no 0 (try)"
    assert logged.messages[-1] == "and 90 more are refused"


def test_who_listens_hears_all_and_then_what_changes_until_the_end() -> None:
    async def story(house: House) -> None:
        assert [len(told.changes) async for told in house.delegation.changes(follow=False)] == [4]
        changes = house.delegation.changes(follow=True)
        assert len((await anext(changes)).changes) == 4
        house.stage.kill("n1")
        house.stage.lose("n1")
        told = (await anext(changes)).changes
        assert ("node", "n1", None) in [(one.kind, one.name, one.now) for one in told]
        assert "1 listeners" in repr(house.delegation)
        house.delegation.close()
        assert [one async for one in changes] == []
        assert "0 listeners" in repr(house.delegation)

    play(story)

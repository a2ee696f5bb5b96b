"""A mirror over time, on a database in memory that goes and comes back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from attacca.errors import BadRequest
from attacca.kernel.clock import ManualClock
from attacca.model.events import Samples
from attacca.model.samples import Entry, Measure, Sample
from attacca.workflow.core.intents import INTENTS_MOST, Cordon, Intent, Migrate
from attacca.workflow.core.state import DomainState
from attacca.workflow.mirror.config import MirrorConfig
from attacca.workflow.mirror.driver import Mirror
from attacca.workflow.mirror.memory import MemoryGlass, Value
from tests.logged import Logged
from tests.workflow.mirror.test_keys import PID, STATE, F

KEY = f"instance:{F}"
TOLD = Samples(
    "n1",
    samples=(Sample(PID, Measure.INIT, 1.0, 0.5), Sample(PID, Measure.CAST, 1.5, 0.00002)),
    entries=(Entry(PID, 2.0, "info", "a:b", "text"),),
)


class House:
    def __init__(self) -> None:
        self.glass, self.state = MemoryGlass(), STATE
        self.obeyed: list[Intent] = []
        self.refused: list[str] = []
        config = MirrorConfig(url="redis://here")
        self.mirror = Mirror(config, self.glass, ManualClock(), "run", lambda: self.state, self._obey, self._refuse)

    async def _obey(self, intents: list[Intent]) -> None:
        self.obeyed += intents

    def _refuse(self, errors: list[BadRequest]) -> None:
        self.refused += [error.message for error in errors]

    async def look(self) -> None:
        await self.mirror.look()
        await asyncio.sleep(0)

    def leave(self, key: str, value: str | None) -> None:
        if value is not None:
            self.glass.data[key] = value
        waiting = self.glass.data.setdefault("intents", [])
        assert isinstance(waiting, list)
        waiting.append(key)


def play(story: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House()
        await story(house)
        await house.mirror.close()

    asyncio.run(main())


def test_it_is_whole_again_after_the_database_was_gone(logged: Logged) -> None:
    async def story(house: House) -> None:
        await house.look()
        house.glass.is_gone = True
        house.mirror.collect(TOLD)
        for _ in range(3):
            await house.look()
        assert repr(house.mirror) == (
            "<Mirror <MemoryGlass 12 keys, 12 of them ours>, gone: 1 writings, 1 losses, <Reflection of nothing>>"
        )
        house.glass.empty()
        house.glass.is_gone = False
        house.glass.data["somebody"] = "else"
        await house.look()
        assert house.glass.data[KEY]
        assert house.glass.data["somebody"] == "else"
        told = {key: value for key, value in house.glass.data.items() if key.startswith("performance:")}
        assert told == {
            f"performance:{PID}:function_init_time": {"1:0.5": 1.0},
            f"performance:{PID}:function_execution_time": {"1.5:0.00002": 1.5},
            f"performance:function_execution_time:{PID}": ["0.00002,1.500"],
            f"performance:{PID}:a_b": {"2:text": 2.0},
        }, "what was measured meanwhile"

    with logged.at_level(logging.WARNING):
        play(story)
    assert [record.message[:30] for record in logged.records] == [
        "the mirror is not kept: the da", "the mirror is kept again",
    ]  # fmt: skip


def test_who_empties_it_finds_it_whole() -> None:
    async def story(house: House) -> None:
        await house.look()
        house.glass.empty()
        await house.look()
        await house.look()
        assert KEY in house.glass.data

    play(story)


def test_an_older_run_leaves_nothing_of_it_behind() -> None:
    async def story(house: House) -> None:
        await house.look()
        house.state = DomainState(domain="home")
        await house.glass.begin("another")
        for _ in range(2):
            await house.look()
        assert sorted(house.glass.data) == [
            "dependency:last_update", "domain_info:domain_id", "instance:last_update", "node:capabilities:last_update",
            "provider:last_update",
        ]  # fmt: skip

    play(story)


def test_intents_are_taken_in_their_order_and_what_is_none_is_refused() -> None:
    async def story(house: House) -> None:
        house.leave("intent:cordon:n1", "yes")
        house.leave("intent:scale:n1", "yes")
        house.leave("intent:migrate:a", "n1")
        house.leave("intent:migrate:a", "n2")  # the last word of one key counts
        house.leave("garbage", None)
        await house.look()
        assert house.obeyed == [Cordon(node="n1"), Migrate(component="a", to=("n2",))]
        assert house.refused == ["'intent:scale:n1': there is no intent 'scale'", "'garbage' is no intent"]

    play(story)


def test_a_value_may_come_late_but_not_never() -> None:
    async def story(house: House) -> None:
        house.leave("intent:migrate:a", None)
        await house.look()
        house.leave("intent:migrate:b", None)
        house.glass.data["intent:migrate:a"] = "n1"
        await house.look()
        assert house.obeyed == [Migrate(component="a", to=("n1",))]
        for _ in range(3):
            assert house.refused == []
            await house.look()
        assert house.refused == ["'intent:migrate:b' has no value"]

    play(story)


def test_domains_with_prefixes_share_a_database() -> None:
    async def obey(_: list[Intent]) -> None: ...

    async def main() -> None:
        data: dict[str, Value] = {}
        for number, prefix in enumerate(("home:", "away:", "")):
            glass, config = MemoryGlass(prefix), MirrorConfig(url="redis://here", prefix=prefix)
            glass.data = data
            state = msgspec.structs.replace(STATE, domain=str(number))
            await Mirror(
                config, glass, ManualClock(), "run", partial(msgspec.structs.replace, state), obey, print
            ).look()
        found = [data[f"{prefix}domain_info:domain_id"] for prefix in ("home:", "away:", "")]
        assert found == ["0", "1", "2"]

    asyncio.run(main())


def test_a_flood_is_taken_in_pieces() -> None:
    async def story(house: House) -> None:
        house.glass.data["intents"] = [f"garbage {number}" for number in range(INTENTS_MOST + 5)]
        await house.look()
        assert len(house.refused) == INTENTS_MOST
        assert KEY in house.glass.data, "and the mirror is kept meanwhile"
        await house.look()
        assert len(house.refused) == INTENTS_MOST + 5

    play(story)

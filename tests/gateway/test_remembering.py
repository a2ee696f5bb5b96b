"""Of few functions control is told at once, of many over several turns of the loop, and of nothing after the end."""

import asyncio

from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.history import TURN
from attacca.gateway.driver import Gateway
from attacca.kernel.clock import ManualClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.history import AskHistory, HistoryTold
from attacca.model.messages import Catalogue
from tests.gateway.play import revision


def gate(functions: int) -> Gateway:
    chance = Streams(1)
    made = Gateway(
        GatewayConfig(), ManualClock(), Ids(chance.stream("ids")), chance.stream("balancing"), lambda *_: None
    )
    made.receive(Catalogue(1, tuple(revision(f"f{number}") for number in range(functions))))
    return made


def test_of_few_it_is_told_at_once_and_of_many_in_turns() -> None:
    async def play() -> None:
        said: list[HistoryTold] = []
        gate(TURN - 1).remembering.tell(AskHistory("1"), said.append)
        assert [len(told.functions) for told in said] == [TURN - 1]
        gate(TURN).remembering.tell(AskHistory("2"), said.append)
        assert len(said) == 1
        await asyncio.sleep(0)
        assert (said[1].id, len(said[1].functions)) == ("2", TURN)

    asyncio.run(play())


def test_after_its_end_nobody_is_told() -> None:
    async def play() -> None:
        said: list[HistoryTold] = []
        made = gate(TURN)
        made.remembering.tell(AskHistory("1"), said.append)
        made.remembering.close()
        await asyncio.sleep(0)
        assert said == []

    asyncio.run(play())

"""What all planes do, reckoned in parts and only where it is otherwise: as if it were reckoned at once."""

import asyncio

from attacca.control.looking import TURN, Looking
from attacca.model.history import FunctionNow, HistoryTold
from attacca.model.overview import overview

WORKERS = [("w1", False, False)]


def told(*running: int) -> HistoryTold:
    rows = (FunctionNow(function=f"f{number:04}", revision=1, running=one) for number, one in enumerate(running))
    return HistoryTold("1", functions=tuple(rows))


def test_it_is_what_is_so_now_whatever_was_known_before() -> None:
    looking = Looking()
    for gateways in ([told(1, 2)], [told(1, 3)], [told(1, 3), told(1)], [told(0)], [], [told(1, 2)]):
        seen = asyncio.run(looking.look(gateways, WORKERS, ["g1"]))
        assert seen == overview(gateways, WORKERS, ["g1"])
    assert repr(looking) == "<Looking 2 functions>"


def test_who_is_as_before_is_not_reckoned_again() -> None:
    looking = Looking()
    first, second = (asyncio.run(looking.look([one], [], [])) for one in (told(1, 2), told(1, 3)))
    assert second.functions[0] is first.functions[0]
    assert second.functions[1].running == 3


def test_others_have_turns_between() -> None:
    async def play() -> list[str]:
        looking, order = Looking(), list[str]()

        async def other() -> None:
            order.append("another's turn")

        task = asyncio.get_running_loop().create_task(other())
        await looking.look([told(*[1] * TURN)], [], [])
        order.append("seen")
        await task
        return order

    assert asyncio.run(play()) == ["another's turn", "seen"]

import asyncio
from collections.abc import AsyncIterator

import msgspec

from attacca.model.log import LogLine
from attacca.workflow.http import lines


async def source(*at: float) -> AsyncIterator[LogLine]:
    for one in at:
        await asyncio.sleep(0)
        yield LogLine(one, 1, "s", "", "stdout", "x")


def told(*sources: AsyncIterator[LogLine], follow: bool) -> list[float]:
    async def all_of_them() -> list[bytes]:
        return [line async for line in lines(list(sources), follow=follow)]

    return [msgspec.json.decode(line, type=LogLine).at for line in asyncio.run(all_of_them())]


def test_what_several_functions_wrote_is_in_order() -> None:
    assert told(source(1.0, 4.0), source(2.0, 3.0), follow=False) == [1.0, 2.0, 3.0, 4.0]


def test_whoever_follows_hears_all_and_ends_with_the_last_of_them() -> None:
    assert sorted(told(source(1.0, 4.0), source(2.0, 3.0), source(), follow=True)) == [1.0, 2.0, 3.0, 4.0]
    assert told(follow=True) == []

import asyncio

import pytest

from attacca.errors import StateUnavailable
from attacca.workflow.mirror.conformance import Peek, check_glass
from attacca.workflow.mirror.memory import MemoryGlass
from attacca.workflow.mirror.types import Glass


class Hand:
    """A `conformance.Peek`."""

    def __init__(self, glass: MemoryGlass) -> None:
        self._glass = glass

    async def get(self, key: str) -> object:
        return self._glass.data.get(key)

    async def set(self, key: str, value: str) -> None:
        self._glass.data[key] = value

    async def push(self, key: str, value: str) -> None:
        there = self._glass.data.setdefault(key, [])
        assert isinstance(there, list)
        there.append(value)

    async def empty(self) -> None:
        self._glass.empty()


def made(prefix: str) -> tuple[Glass, Peek]:
    glass = MemoryGlass(prefix)
    return glass, Hand(glass)


def test_it_does_what_a_glass_does() -> None:
    asyncio.run(check_glass(made))


def test_it_can_be_gone() -> None:
    glass = MemoryGlass()
    assert repr(glass) == "<MemoryGlass 0 keys, 0 of them ours>"
    glass.is_gone = True
    with pytest.raises(StateUnavailable):
        asyncio.run(glass.begin("1"))

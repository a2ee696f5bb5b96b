"""What all planes do now, reckoned over several turns of the loop; of who is as before nothing is reckoned again."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from attacca.model.history import FunctionNow, HistoryTold, summed
from attacca.model.overview import FunctionLoad, Overview, load_of, overview

TURN: Final = 250  # functions, before others have a turn


class Looking:
    def __init__(self) -> None:
        self._known: dict[str, tuple[FunctionNow, FunctionLoad]] = {}

    def __repr__(self) -> str:
        return f"<Looking {len(self._known)} functions>"

    async def look(
        self, told: Sequence[HistoryTold], workers: Iterable[tuple[str, bool, bool]], gateways: Iterable[str]
    ) -> Overview:
        """As `overview` has it."""
        loads: dict[str, tuple[FunctionNow, FunctionLoad]] = {}
        for number, one in enumerate(summed(one.functions for one in told)):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            known = self._known.get(one.function)
            is_as_before = known is not None and (known[0] is one or known[0] == one)
            loads[one.function] = known if known is not None and is_as_before else (one, load_of(one))
        self._known = loads
        return overview(told, workers, gateways, tuple(load for _, load in loads.values()))

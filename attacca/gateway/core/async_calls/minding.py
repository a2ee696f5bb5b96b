"""Whether this gateway minds the schedules: for as long as control has said so, counted from before it was asked.

It gives up a margin before another may be told so. Who has lapsed asks anew where to begin.
"""

from math import inf

from attacca.gateway.core.async_calls.events import Minded
from attacca.model.async_call import Mark
from attacca.model.journals import MINDING_S, AskMinding, MindingTold

MARGIN = 0.2  # of MINDING_S


class MindingCore:
    def __init__(self, journal: str) -> None:
        """`journal`: a name that no other has."""
        self.journal = journal
        self.until = -inf
        self._fence = 0  # of when it began
        self._asked = 0  # times
        self._asked_at = -inf

    def __repr__(self) -> str:
        return f"<MindingCore until {self.until:.0f}: fence {self._fence}, {self._asked} asked>"

    def ask(self, now: float, marks: tuple[Mark, ...]) -> AskMinding:
        if now >= self.until:
            self._fence = 0
        self._asked += 1
        self._asked_at = now
        return AskMinding(str(self._asked), self.journal, self._fence, marks)

    def hear(self, now: float, told: MindingTold) -> Minded | None:
        """What is to be done about it. None: a later question is on its way, or is needed."""
        if told.id != str(self._asked):
            return None
        if not told.is_yours:
            self.until, self._fence = -inf, 0
            return Minded(-inf)
        is_known = told.fence == self._fence
        if is_known and now >= self.until:
            return None  # it has lapsed since it asked, and was not told where to begin
        self.until = self._asked_at + MINDING_S * (1 - MARGIN)
        if is_known:
            return Minded(self.until)
        self._fence = told.fence
        return Minded(self.until, told.marks, told.taken_at)

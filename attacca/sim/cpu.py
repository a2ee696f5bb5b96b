"""The processors of a simulated worker: as many as asked for, or shared fairly by whatever runs."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from attacca.sim.engine import Engine


class Cpu(Protocol):
    def begin(self, work_s: float, do: Callable[[Any], None], what: Any) -> int:
        """`do(what)` when that many seconds of a core have been had. The answer is for `give_up`."""

    def give_up(self, ticket: int) -> None: ...
    def set_speed(self, speed: float) -> None:
        """1: as built; 0.5: everything takes twice as long."""

    @property
    def busy(self) -> int | None:
        """So many compute now; None: nobody counts."""


class Unshared:
    """Nobody waits for a core. A new speed holds for what begins after it."""

    __slots__ = ("_engine", "_speed", "busy")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._speed = 1.0
        self.busy: int | None = None

    def begin(self, work_s: float, do: Callable[[Any], None], what: Any) -> int:
        engine = self._engine
        return engine.at(engine.now + work_s / self._speed, do, what)

    def give_up(self, ticket: int) -> None:
        self._engine.cancel(ticket)

    def set_speed(self, speed: float) -> None:
        self._speed = speed


class Shared:
    """Processor sharing: of n at work on c cores each gets min(1, c/n) of one. Exact, by its virtual time.

    The virtual time is the work that each present one has been given since the beginning: it is the same for all, so
    who needs work w now is done when the virtual time has grown by w, whoever comes and goes meanwhile.
    """

    __slots__ = ("_asked", "_at_work", "_cores", "_engine", "_heap", "_rate", "_since", "_speed", "_ticket", "_virtual")

    def __init__(self, engine: Engine, cores: int) -> None:
        self._engine = engine
        self._cores = cores
        self._speed = 1.0
        self._rate = 1.0  # of the virtual time
        self._virtual = 0.0
        self._since = 0.0  # when `_virtual` was right
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._at_work: dict[int, None] = {}
        self._asked = 0
        self._ticket: int | None = None

    @property
    def busy(self) -> int | None:
        return len(self._at_work)

    def begin(self, work_s: float, do: Callable[[Any], None], what: Any) -> int:
        self._advance()
        self._asked += 1
        heappush(self._heap, (self._virtual + work_s, self._asked, do, what))
        self._at_work[self._asked] = None
        self._wind()
        return self._asked

    def give_up(self, ticket: int) -> None:
        self._advance()
        del self._at_work[ticket]
        self._wind()

    def set_speed(self, speed: float) -> None:
        self._advance()
        self._speed = speed
        self._wind()

    def _advance(self) -> None:
        now = self._engine.now
        self._virtual += (now - self._since) * self._rate
        self._since = now

    def _wind(self) -> None:
        """Who is done first, and when, if nobody comes or goes before."""
        engine, heap, at_work = self._engine, self._heap, self._at_work
        if self._ticket is not None:
            engine.cancel(self._ticket)
            self._ticket = None
        while heap and heap[0][1] not in at_work:
            heappop(heap)
        if heap:
            self._rate = self._speed * min(1.0, self._cores / len(at_work))
            left = max(0.0, heap[0][0] - self._virtual)
            self._ticket = engine.at(engine.now + left / self._rate, self._finish)

    def _finish(self, _: None) -> None:
        self._ticket = None
        due, asked, do, what = heappop(self._heap)
        self._virtual, self._since = due, self._engine.now
        del self._at_work[asked]
        self._wind()
        do(what)

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

    def __repr__(self) -> str:
        return f"<Unshared at speed {self._speed:g}>"

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

    def __init__(self, engine: Engine, cores: float) -> None:
        self._engine = engine
        self._cores = cores
        self._speed = 1.0
        self._rate = 1.0  # of the virtual time
        self._virtual = 0.0
        self._since = 0.0  # when `_virtual` was right
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._at_work: dict[int, float] = {}  # by ticket: the virtual time at which it is done
        self._asked = 0
        self._ticket: int | None = None

    def __repr__(self) -> str:
        return f"<Shared {self.busy} at work on {self._cores:g} cores at speed {self._speed:g}>"

    @property
    def busy(self) -> int:
        return len(self._at_work)

    def begin(self, work_s: float, do: Callable[[Any], None], what: Any) -> int:
        self._advance()
        self._asked += 1
        heappush(self._heap, (self._virtual + work_s, self._asked, do, what))
        self._at_work[self._asked] = self._virtual + work_s
        self._wind()
        return self._asked

    def give_up(self, ticket: int) -> None:
        self.take(ticket)

    def take(self, ticket: int) -> float:
        """It gives up; the answer is the work that is left of it."""
        self._advance()
        left_s = self._at_work.pop(ticket) - self._virtual
        self._wind()
        return max(0.0, left_s)

    def oldest(self) -> int:
        """The ticket of the one that has been here for longest."""
        return next(iter(self._at_work))

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


class Task:
    """Where it is at work, and what is to be done then."""

    __slots__ = ("core", "do", "ticket", "what")

    def __init__(self, core: Shared, do: Callable[[Any], None], what: Any) -> None:
        self.core = core
        self.ticket = 0
        self.do = do
        self.what = what


class Cores:
    """As an operating system has it: each core is shared by its own queue. Who comes joins the shortest; nobody moves
    until another core has two fewer, so of three on two cores one has a whole core, and two have half a core each.

    `background`: cores that something else keeps busy. It goes where a core is idle, and takes its part of all of them
    when none is.
    """

    def __init__(self, engine: Engine, cores: int, background: float = 0.0) -> None:
        self._cores = [Shared(engine, 1) for _ in range(cores)]
        self._tasks: dict[int, Task] = {}
        self._asked = 0
        self._speed = 1.0
        self._left = max(0.0, 1.0 - background / cores)  # of a core, when none is idle
        self._is_slowed = False

    def __repr__(self) -> str:
        return f"<Cores {self.busy} at work on {len(self._cores)} cores at speed {self._speed:g}>"

    @property
    def busy(self) -> int | None:
        return len(self._tasks)

    def begin(self, work_s: float, do: Callable[[Any], None], what: Any) -> int:
        self._asked += 1
        task = self._tasks[self._asked] = Task(min(self._cores, key=_busy), do, what)
        self._place(self._asked, task, work_s)
        self._pace()
        return self._asked

    def give_up(self, ticket: int) -> None:
        task = self._tasks.pop(ticket)
        task.core.give_up(task.ticket)
        self._level()

    def set_speed(self, speed: float) -> None:
        self._speed = speed
        self._set_speeds()

    def _place(self, asked: int, task: Task, work_s: float) -> None:
        task.ticket = task.core.begin(work_s, self._finish, asked)

    def _finish(self, asked: int) -> None:
        task = self._tasks.pop(asked)
        self._level()
        task.do(task.what)

    def _level(self) -> None:
        fewest = min(self._cores, key=_busy)
        most = max(self._cores, key=_busy)
        if most.busy - fewest.busy > 1:
            ticket = most.oldest()
            asked = next(asked for asked, task in self._tasks.items() if task.core is most and task.ticket == ticket)
            task = self._tasks[asked]
            left_s = most.take(ticket)
            task.core = fewest
            self._place(asked, task, left_s)
        self._pace()

    def _pace(self) -> None:
        is_slowed = self._left < 1.0 and all(core.busy for core in self._cores)
        if is_slowed != self._is_slowed:
            self._is_slowed = is_slowed
            self._set_speeds()

    def _set_speeds(self) -> None:
        speed = self._speed * (self._left if self._is_slowed else 1.0)
        for core in self._cores:
            core.set_speed(speed)


def _busy(core: Shared) -> int:
    return core.busy

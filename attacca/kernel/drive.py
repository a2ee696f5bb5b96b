"""The one loop that drives a machine: events go in one at a time, its commands are carried out in their order.

    feed(event) ──▶ handle(now, event) ──▶ [command, ...] ──▶ perform, one after the other
                                              ▲                  │
                                              └── what arises ◀──┘
                                                  meanwhile

A machine is a core of any plane; a live plane, the simulator and the tests drive it with the same loop and differ in
their clock, their timer and what `perform` does.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Generic, Protocol, TypeVar

from attacca.errors import IllegalTransition
from attacca.kernel.timers import Alarm

E = TypeVar("E")
C = TypeVar("C")
Ring = Callable[[], None]


class Timer(Protocol):
    """Rings once, at the time it was set to last."""

    def set(self, at: float, ring: Ring) -> None:
        """In place of the time that it was set to before. What is past rings as soon as it can, but not in the call."""

    def clear(self) -> None: ...


class Drive(Generic[E, C]):
    """An event that arises while commands are carried out is decided at once, and its commands come after those: the
    machine has decided all of them already, so it comes to the same as if the event had waited.

    A refused event changes nothing: `refused` is told, and things go on.
    """

    __slots__ = ("_alarm", "_handle", "_now", "_perform", "_refused", "_rings_at", "_tick", "_timer", "_under_way")

    def __init__(
        self,
        handle: Callable[[float, E], list[C]],
        alarm: Alarm,
        perform: Callable[[list[C]], None],
        now: Callable[[], float],
        timer: Timer,
        tick: E,
        refused: Callable[[IllegalTransition], None],
    ) -> None:
        """`handle` and `alarm` are the machine's; `tick` is the event that says that the alarm's time has come.

        `perform` goes once through the commands; with each that it carries out there may be more of them at the end.
        """
        self._handle = handle
        self._alarm = alarm
        self._perform = perform
        self._now = now
        self._timer = timer
        self._tick = tick
        self._refused = refused
        self._under_way: list[C] | None = None
        self._rings_at = inf

    def __repr__(self) -> str:
        under_way = 0 if self._under_way is None else len(self._under_way)
        return f"<Drive {under_way} commands under way, rings at {self._rings_at:g}>"

    def feed(self, event: E) -> None:
        # `decide` and `carry_out` in one: a call that is saved here is saved at every event there is.
        try:
            commands = self._handle(self._now(), event)
        except IllegalTransition as error:
            self._refused(error)
            return
        under_way = self._under_way
        if under_way is not None:
            under_way += commands
            return
        if commands:
            self._under_way = commands
            try:
                self._perform(commands)
            finally:
                self._under_way = None
        at = self._alarm.at
        if at < self._rings_at:
            self._set(at)

    def decide(self, event: E) -> list[C]:
        """What the machine wants done; it must be given to `carry_out`. For those who look at it first."""
        try:
            return self._handle(self._now(), event)
        except IllegalTransition as error:
            self._refused(error)
            return []

    def carry_out(self, commands: list[C]) -> None:
        if self._under_way is not None:
            self._under_way += commands
            return
        self._under_way = commands
        try:
            self._perform(commands)
        finally:
            self._under_way = None
        self.wind()

    def wind(self) -> None:
        """Set the timer, if it rings later than the machine wants. Too early does no harm."""
        at = self._alarm.at
        if at < self._rings_at:
            self._set(at)

    def _set(self, at: float) -> None:
        self._rings_at = at
        self._timer.set(at, self._ring)

    def stop(self) -> None:
        """It is not woken any more, unless it is fed."""
        self._rings_at = inf
        self._timer.clear()

    def _ring(self) -> None:
        self._rings_at = inf
        self.feed(self._tick)


def each(perform: Callable[[C], None]) -> Callable[[list[C]], None]:
    """For those who carry out one command at a time."""

    def perform_all(commands: list[C]) -> None:
        for command in commands:
            perform(command)

    return perform_all


class LoopTimer:
    """On the asyncio loop that runs when it is set. `now` is the clock of the times that it is set to.

    Loops count in steps of their own, uvloop in milliseconds, and ring up to half a step early: that is waited out
    here, so that whoever is woken finds that its time has come.
    """

    __slots__ = ("_at", "_handle", "_now", "_ring")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at = inf
        self._ring: Ring | None = None
        self._handle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<LoopTimer {'off' if self._handle is None else 'on'}>"

    def set(self, at: float, ring: Ring) -> None:
        self.clear()
        self._at, self._ring = at, ring
        self._wait()

    def clear(self) -> None:
        self._ring = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(max(0.0, self._at - self._now()), self._go)

    def _go(self) -> None:
        if self._now() < self._at:
            self._wait()
            return
        ring = self._ring
        self.clear()
        if ring is not None:
            ring()


class HandTimer:
    """One that is turned by hand: whoever moves the clock calls `ring` when `at` has come."""

    __slots__ = ("_ring", "at")

    def __init__(self) -> None:
        self.at = inf
        self._ring: Ring | None = None

    def __repr__(self) -> str:
        return f"<HandTimer {self.at:g}>"

    def set(self, at: float, ring: Ring) -> None:
        self.at, self._ring = at, ring

    def clear(self) -> None:
        self.at, self._ring = inf, None

    def ring(self) -> None:
        ring = self._ring
        self.clear()
        if ring is not None:
            ring()


def raise_refused(error: IllegalTransition) -> None:
    """For those who must not go on after a bug: tests and simulations.

    Raises:
        IllegalTransition: always.
    """
    raise error


def report_refused(error: IllegalTransition) -> None:
    """For a live plane: it goes on, but it is a bug, and must be seen.

    Raises:
        IllegalTransition: no loop runs that could report it.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise error from None
    loop.call_exception_handler({"message": error.message, "exception": error})

"""Drives inputs through a door: grows the corpus by what is new, holds each to its cost, cuts faults down."""

import contextlib
import gc
import re
import signal
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, NamedTuple

from tests.fuzz.door import Door

ROOT = Path(__file__).parents[2]
OURS = str(ROOT / "attacca")
TRACED, WEIGHED, SOUND = 8, 32, 64  # one input in so many: lines followed, memory weighed, a seed tried once more
HANGS_S, STORY_HANGS_S = 60.0, 900.0  # what has not come back by then never would
MOST_CUTS, DEAR_CUTS, MOST_CUTS_S = 400, 20, 20.0  # tries to make an input that fails, or costs much, smaller
TIMES = 5  # a suspect is timed so often, and its best time counts
KEPT = 4000  # inputs in a corpus
FLOOR_S, FLOOR_BYTES = 0.002, 1 << 18  # below this nothing is dear


class Fault(NamedTuple):
    door: str
    mark: str  # faults with the same mark are one
    said: str  # in short
    told: str  # the whole of it
    data: bytes


class Tally(NamedTuple):
    """How far it came. `kinds` is how many different verdicts there were."""

    door: str
    tried: int
    taken: int
    kinds: int
    corpus: int
    lines: int
    spent_s: float
    faults: tuple[Fault, ...]


class Hangs(BaseException):
    """No oracle and no code of ours catches it."""


FINDINGS = (Exception, Hangs, SystemExit)


class Dear(AssertionError):
    """It is answered as it should be, and costs far more than that should."""


class Cost(NamedTuple):
    seconds: float
    bytes: int


class Fuzz:
    """One door's inputs, the same for the same seed."""

    def __init__(self, door: Door, seed: int) -> None:
        self.door, self._chance = door, Random(f"{door.name} {seed}")
        self._corpus: list[bytes] = []
        self._seeds: list[bytes] = []
        self._lines: set[tuple[str, int]] = set()
        self._verdicts: set[str] = set()
        self._faults: dict[str, Fault] = {}
        self._dearest = Cost(0.0, 0)
        self._tried = self._taken = 0
        self._began = time.perf_counter()

    def run(self, goes_on: Callable[[int], bool], tell: Callable[[Tally], None] = lambda _: None) -> Tally:
        """`goes_on` is asked before each input, and told how many there were."""
        self.door.open()
        try:
            self._begin()
            while goes_on(self._tried):
                self._try(self.door.make(self._chance, self._corpus))
                if self._tried % SOUND == 0:
                    self._expect_taken(self._chance.choice(self._seeds))
                    tell(self.tally())
        finally:
            self.door.close()
        return self.tally()

    def tally(self) -> Tally:
        spent_s, faults = time.perf_counter() - self._began, tuple(self._faults.values())
        sizes = len(self._verdicts), len(self._corpus), len(self._lines)
        return Tally(self.door.name, self._tried, self._taken, *sizes, spent_s, faults)

    def _begin(self) -> None:
        """Seeds must be taken, and the dearest of them says what an input may cost."""
        self._seeds = self.door.seeds()
        self._corpus = list(self._seeds)
        sound = [seed for seed in self._seeds if self._expect_taken(seed)]
        if sound and not self.door.is_slow:
            self._dearest = Cost(max(map(self._seconds, sound)), max(map(self._bytes, sound)))
        for data in self.door.traps():
            self._try(data)

    def _expect_taken(self, data: bytes) -> bool:
        try:
            with limited(self.door):
                verdict = self.door.check(data)
            assert verdict == "taken", f"a valid input came to {verdict!r}"
        except FINDINGS as error:
            self._faults.setdefault(mark_of(error), self._fault(error, data))
            return False
        return True

    def _try(self, data: bytes) -> None:
        self._tried += 1
        number, begun = self._tried, time.thread_time()
        try:
            with limited(self.door):
                verdict = self._follow(data) if number % TRACED == 0 else self.door.check(data)
            self._hold_to_cost(data, time.thread_time() - begun, weigh=number % WEIGHED == 0)
        except FINDINGS as error:
            self._found(error, data)
            return
        self._taken += verdict == "taken"
        kind = gist(verdict)
        if kind not in self._verdicts:
            self._verdicts.add(kind)
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        if len(self._corpus) < KEPT:
            self._corpus.append(data)

    def _follow(self, data: bytes) -> str:
        """Which lines of ours it reaches; with new ones it is worth changing further."""
        before, seen = len(self._lines), self._lines

        def lines(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                seen.add((frame.f_code.co_filename, frame.f_lineno))
            return lines

        def calls(frame: FrameType, _event: str, _: Any) -> Any:
            return lines if frame.f_code.co_filename.startswith(OURS) else None

        sys.settrace(calls)
        try:
            verdict = self.door.check(data)
        finally:
            sys.settrace(None)
        if len(seen) > before:
            self._keep(data)
        return verdict

    # What it may cost.

    def _hold_to_cost(self, data: bytes, seconds: float, *, weigh: bool) -> None:
        if self.door.is_slow or not self.door.is_a_strangers(data):
            return
        may, dearest = self.door.may_cost, self._dearest
        if seconds > may * max(dearest.seconds, FLOOR_S):
            seconds = self._seconds(data)
            ratio = seconds / max(dearest.seconds, FLOOR_S)
            if ratio > may:
                raise Dear(f"it takes {ratio:.0f} times as long as the dearest valid input")
        if weigh:
            ratio = self._bytes(data) / max(dearest.bytes, FLOOR_BYTES)
            if ratio > may:
                raise Dear(f"it takes {ratio:.0f} times as much memory as the dearest valid input")

    def _seconds(self, data: bytes) -> float:
        best = float("inf")
        for _ in range(TIMES):
            begun = time.thread_time()
            self.door.check(data)
            best = min(best, time.thread_time() - begun)
        return best

    def _bytes(self, data: bytes) -> int:
        gc.collect(0)
        tracemalloc.start()
        try:
            self.door.check(data)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What goes wrong.

    def _found(self, error: BaseException, data: bytes) -> None:
        mark = mark_of(error)
        if mark in self._faults:
            return
        self._faults[mark] = self._fault(error, data)
        if not self.door.is_slow and not isinstance(error, Hangs):
            most = DEAR_CUTS if isinstance(error, Dear) else MOST_CUTS
            smaller = cut_down(data, lambda one: self._mark(one) == mark, most)
            again = self._error(smaller)
            self._faults[mark] = self._fault(error if again is None else again, smaller)._replace(mark=mark)

    def _fault(self, error: BaseException, data: bytes) -> Fault:
        said = f"{type(error).__name__}: {first_line(error)}"
        return Fault(self.door.name, mark_of(error), said[:300], "".join(traceback.format_exception(error)), data)

    def _mark(self, data: bytes) -> str:
        error = self._error(data)
        return "" if error is None else mark_of(error)

    def _error(self, data: bytes) -> BaseException | None:
        begun = time.thread_time()
        try:
            with limited(self.door):
                self.door.check(data)
            self._hold_to_cost(data, time.thread_time() - begun, weigh=True)
        except FINDINGS as error:
            return error
        return None


def replay(door: Door, data: bytes) -> Fault | None:
    """Give one input again."""
    fuzz = Fuzz(door, 0)
    door.open()
    try:
        fuzz._begin()
        fuzz._faults.clear()
        fuzz._try(data)
    finally:
        door.close()
    return next(iter(fuzz._faults.values()), None)


@contextlib.contextmanager
def limited(door: Door) -> Iterator[None]:
    """What never comes back is a fault too."""
    limit_s = STORY_HANGS_S if door.is_slow else HANGS_S

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hangs(f"it does not come back within {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s, 1.0)  # again, where nobody heard it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def gist(verdict: str) -> str:
    """Without what was quoted from the input."""
    return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "_", verdict)[:120]


def mark_of(error: BaseException) -> str:
    """Where it happened, and for an oracle's complaint which one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename.startswith(str(ROOT)) and "/.venv" not in frame.filename]
    if isinstance(error, RecursionError):  # how deep it was when it ended is chance
        mine = [frame for frame in mine if frame.filename.startswith(OURS)][:1]
    last = mine[-1] if mine else frames[-1]
    what = gist(first_line(error))[:60] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} {what}".strip()


def first_line(error: BaseException) -> str:
    """pytest adds more to a failed assertion."""
    return str(error).partition("\n")[0]


def cut_down(data: bytes, fails: Callable[[bytes], bool], most: int = MOST_CUTS) -> bytes:
    """Leave out pieces, ever smaller ones, as long as it still fails in the same way."""
    left, ends_at, size = most, time.monotonic() + MOST_CUTS_S, max(len(data) // 2, 1)
    while left > 0 and time.monotonic() < ends_at:
        at, is_smaller = 0, False
        while at < len(data) and left > 0 and time.monotonic() < ends_at:
            left -= 1
            shorter = data[:at] + data[at + size :]
            if fails(shorter):
                data, is_smaller = shorter, True
            else:
                at += size
        if size == 1 and not is_smaller:
            break
        size = max(size // 2, 1)
    return data

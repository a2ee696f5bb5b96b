"""Whether a worker's loop stays awake for what comes next, or lets its processor sleep until then.

A processor that sleeps has to be woken, for tens of microseconds on a virtual machine: longer than a short function
runs. So while one invocation is all there is, its answer is awaited awake, for `watch_s` at most; and where it came in
time, so is the next invocation. Waits that pay are paid for by their number; others draw on an allowance. Where others
want the processor for more than a share of the time, it is left to them: a sleeper is woken before its turn.
"""

PER_S = 50.0  # the allowance: waits in vain, in the long run, beyond as many as paid
MOST = 32.0  # credit, in waits
STOLEN_AFTER = 2  # times `watch_s` between two looks: others had the processor
STOLEN_SHARE = 0.1  # of the time others may have it: who needs it for more is not to find us awake, and in the queue
STOLEN_MOST_S = 0.02  # so much at once is no more than somebody's turn, or a virtual machine's without its own
STOLEN_REST_S, STOLEN_LEFT_S = 0.1, 0.015  # it counts for, where it was more; and is too much again soon after that
REST_S, REST_MOST_S = 0.002, 1.0  # a function whose answer did not come is not awaited for so long, then twice as long
SLOW_MOST = 1024  # such functions remembered


class Vigil:
    """Told of each hand-over, it says whether to stay awake; asked again and again meanwhile, when to stop."""

    __slots__ = ("_at", "_awaits", "_credit", "_is_busy", "_looked", "_since", "_slow", "_stolen_s", "_watch_s")

    def __init__(self, watch_s: float) -> None:
        self._watch_s = watch_s
        self._credit, self._at = MOST, 0.0  # as of then, as is what follows
        self._stolen_s, self._is_busy = 0.0, False  # what others had, beyond their share; too much of it
        self._awaits: str | None = None  # the function whose answer is awaited; empty: the next invocation
        self._since = self._looked = 0.0
        self._slow: dict[str, tuple[float, float]] = {}  # functions that rest: for how long, and until when

    def __repr__(self) -> str:
        state = "leaving the processor to others" if self._is_busy else "asleep" if self._awaits is None else "awake"
        return f"<Vigil {state}, credit {self._credit:.0f} of {MOST:.0f}, {len(self._slow)} slow>"

    def handed(self, now: float, function: str, busy: int) -> bool:
        """A sandbox was given an invocation: stay awake? `busy` are all that have not ended, with this one."""
        self._came(now, "")
        return busy == 1 and not self._is_resting(now, function) and self._begin(now, function)

    def answered(self, now: float, function: str, busy: int) -> bool:
        """It has given its answer, and `busy` others have not ended: stay awake?

        Behind an answer that was not awaited neither is what follows: with each but the other there is as much to wake.
        """
        return self._came(now, function) and busy == 0 and self._begin(now, "")

    def goes_on(self, now: float) -> bool:
        """Nothing has come so far: stay awake?"""
        awaits = self._awaits
        if awaits is None:
            return False
        looked, self._looked = self._looked, now
        if now - self._since <= self._watch_s:
            return True
        self._awaits = None
        if self._is_stolen(now - looked):
            return False
        self._credit -= 1.0
        if awaits:
            self._let_rest(now, awaits)
        return False

    def _begin(self, now: float, awaits: str) -> bool:
        passed_s, self._at = now - self._at, now
        self._credit = min(MOST, self._credit + passed_s * PER_S)
        if self._stolen_s:
            self._stolen_s = max(0.0, self._stolen_s - passed_s * STOLEN_SHARE)
            self._is_busy = self._is_busy and self._stolen_s > STOLEN_LEFT_S
        if self._credit < 1.0 or self._is_busy:
            return False
        self._awaits, self._since, self._looked = awaits, now, now
        return True

    def _came(self, now: float, what: str) -> bool:
        """Was it awaited?"""
        awaits, self._awaits = self._awaits, None
        if awaits != what:
            return False
        if self._slow:
            self._slow.pop(what, None)
        if not self._is_stolen(now - self._looked) and self._credit < MOST:
            self._credit += 1.0
        return True

    def _is_stolen(self, gap_s: float) -> bool:
        """Between two looks others had the processor; it is counted."""
        if gap_s <= STOLEN_AFTER * self._watch_s:
            return False
        self._stolen_s += gap_s
        if self._stolen_s > STOLEN_MOST_S:
            self._stolen_s, self._is_busy = STOLEN_REST_S, True
        return True

    def _is_resting(self, now: float, function: str) -> bool:
        rest = self._slow.get(function)
        return rest is not None and now < rest[1]

    def _let_rest(self, now: float, function: str) -> None:
        rest = self._slow.get(function)
        rest_s = REST_S if rest is None else min(2 * rest[0], REST_MOST_S)
        if rest is None and len(self._slow) >= SLOW_MOST:
            self._slow.clear()
        self._slow[function] = rest_s, now + rest_s

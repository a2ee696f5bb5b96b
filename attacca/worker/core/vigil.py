"""Whether a worker's loop stays awake for what comes next, or lets its processor sleep until then.

A processor that sleeps has to be woken, for tens of microseconds on a virtual machine: longer than a short function
runs. So while one invocation is all there is, its answer is awaited awake, for `watch_s` at most; and where it came in
time, so is the next invocation. Waits that pay are paid for by their number; others draw on an allowance.
"""

PER_S = 50.0  # the allowance: waits in vain, in the long run, beyond as many as paid
MOST, LEAST = 32.0, -100.0  # credit, in waits
STOLEN = 50.0  # the price of a wait during which others had the processor: they need it, and we would queue for it
STOLEN_FIRST = STOLEN / 8  # of the first; with each the price doubles. A virtual machine loses its own once in a while
CALM = 400  # waits that paid, with none of those among them: the next of those is a first one again
STOLEN_AFTER = 2  # times `watch_s` between two looks
REST_S, REST_MOST_S = 0.002, 1.0  # a function whose answer did not come is not awaited for so long, then twice as long
SLOW_MOST = 1024  # such functions remembered


class Vigil:
    """Told of each hand-over, it says whether to stay awake; asked again and again meanwhile, when to stop."""

    __slots__ = ("_at", "_awaits", "_calm", "_credit", "_looked", "_price", "_since", "_slow", "_watch_s")

    def __init__(self, watch_s: float) -> None:
        self._watch_s = watch_s
        self._credit, self._at = MOST, 0.0  # credit as of then
        self._awaits: str | None = None  # the function whose answer is awaited; empty: the next invocation
        self._since = self._looked = 0.0
        self._price, self._calm = STOLEN_FIRST, 0  # of the next that is stolen; waits that paid since the last
        self._slow: dict[str, tuple[float, float]] = {}  # functions that rest: for how long, and until when

    def __repr__(self) -> str:
        state = "asleep" if self._awaits is None else "awake"
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
            self._pay_for_stolen()
            return False
        self._spend(1.0)
        if awaits:
            self._let_rest(now, awaits)
        return False

    def _begin(self, now: float, awaits: str) -> bool:
        self._credit = min(MOST, self._credit + (now - self._at) * PER_S)
        self._at = now
        if self._credit < 1.0:
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
        if self._is_stolen(now - self._looked):
            self._pay_for_stolen()
            return True
        self._calm += 1
        if self._credit < MOST:
            self._credit += 1.0
        return True

    def _is_stolen(self, gap_s: float) -> bool:
        return gap_s > STOLEN_AFTER * self._watch_s

    def _pay_for_stolen(self) -> None:
        price = STOLEN_FIRST if self._calm >= CALM else self._price
        self._spend(price)
        self._price, self._calm = min(2 * price, STOLEN), 0

    def _spend(self, waits: float) -> None:
        self._credit = max(LEAST, self._credit - waits)

    def _is_resting(self, now: float, function: str) -> bool:
        rest = self._slow.get(function)
        return rest is not None and now < rest[1]

    def _let_rest(self, now: float, function: str) -> None:
        rest = self._slow.get(function)
        rest_s = REST_S if rest is None else min(2 * rest[0], REST_MOST_S)
        if rest is None and len(self._slow) >= SLOW_MOST:
            self._slow.clear()
        self._slow[function] = rest_s, now + rest_s

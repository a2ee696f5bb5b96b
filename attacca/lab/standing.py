"""How a live run stands: counted while answers come in, shown on the way, and summed up at the end."""

from collections import Counter

import msgspec

from attacca.kernel.window import Measure
from attacca.load.sending.pacing import Gate

COLD = ("cold", "template")  # starts that somebody had to wait for


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a progress bar has to say."""

    elapsed_s: float
    length_s: float
    answered: int
    failed: int
    rate: float  # answers per second, lately
    p50_ms: float
    p99_ms: float
    warning: str
    phase: str = ""  # warm-up, or what it still waits for


class Standing:
    """Responses are measured from when they were due. The warm-up is left out."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.invocations = 0
        self.errors: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self._response_ms = Measure()
        self._late_ms = Measure()
        self._answered = 0
        self._shown_count, self._shown_at = 0, 0.0

    def __repr__(self) -> str:
        return f"<Standing {self._answered} answered, {self.invocations} measured, {self.errors.total()} failed>"

    def add(
        self, late_s: float, turn_s: float, response_s: float, error: str, start: str, *, is_warmup: bool
    ) -> None:  # fmt: skip
        """`late_s`: sent after it was due; `turn_s`: of that, until the generator came to it."""
        self._answered += 1
        if is_warmup:
            return
        self.gate.add(turn_s, late_s - turn_s, is_failed=error != "")
        self.invocations += 1
        self._late_ms.add(max(0.0, late_s * 1000))
        if error:
            self.errors[error] += 1
        else:
            self._response_ms.add(max(0.0, response_s * 1000))
        if start:
            self.starts[start] += 1

    def shown(self, elapsed_s: float, length_s: float, phase: str = "") -> Shown:
        p50, p99 = self._response_ms.percentiles((0.5, 0.99))
        since = max(elapsed_s - self._shown_at, 1e-3)
        rate = (self._answered - self._shown_count) / since
        self._shown_count, self._shown_at = self._answered, elapsed_s
        verdict = self.gate.verdict()
        return Shown(
            elapsed_s=elapsed_s,
            length_s=length_s,
            answered=self._answered,
            failed=self.gate.failed,
            rate=rate,
            p50_ms=p50,
            p99_ms=p99,
            warning=verdict.why if verdict is not None else "",
            phase=phase,
        )

    def totals(self, measured_s: float) -> dict[str, float | str]:
        """`measured_s`: how long invocations were sent after the warm-up."""
        p50, p99 = self._response_ms.percentiles((0.5, 0.99))
        late_p50, late_p99 = self._late_ms.percentiles((0.5, 0.99))
        started = sum(self.starts.values())
        verdict = self.gate.verdict()
        totals: dict[str, float | str] = {
            "invocations": self.invocations,
            "ok": self._response_ms.count,
            "failed": sum(self.errors.values()),
            "measured_s": measured_s,
            "rate": self.invocations / measured_s if measured_s > 0 else 0.0,
            "cold_share": sum(self.starts[start] for start in COLD) / started if started else 0.0,
            "mean_ms": self._response_ms.mean,
            "p50_ms": p50,
            "p99_ms": p99,
            "max_ms": self._response_ms.max,
            "late_p50_ms": late_p50,
            "late_p99_ms": late_p99,
            "late_max_ms": self._late_ms.max,
            "late_share": self.gate.late / self.gate.count if self.gate.count else 0.0,
            "held_share": self.gate.held / self.gate.count if self.gate.count else 0.0,
        }
        totals |= {f"start_{start}": float(self.starts[start]) for start in sorted(self.starts)}
        totals |= {f"error_{error}": float(self.errors[error]) for error in sorted(self.errors)}
        if verdict is not None:
            totals["warning"] = verdict.why
        return totals

"""Many invocations from several connections at once, and what they add up to."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from attacca.client.http import Answer, Client, decoded
from attacca.errors import AttaccaError
from attacca.kernel.clock import SystemClock
from attacca.model.invocation import Start

QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


class Shot(NamedTuple):
    """One invocation as its client saw it. `error` is empty when it went well."""

    ms: float
    start: str
    error: str


def fire(
    send: Callable[[Client], Answer], connect: Callable[[], Client], count: int, at_once: int, tick: Callable[[], None]
) -> tuple[list[Shot], float]:
    """`count` invocations over `at_once` connections; all of them, and the seconds they took together.

    Raises:
        Unreachable: no server answers, from the first one on.
    """
    shots: list[Shot] = []
    now = SystemClock().now
    left = iter(range(count))
    lock = threading.Lock()
    lost: list[AttaccaError] = []

    def work() -> None:
        with connect() as client:
            while True:
                with lock:
                    if lost or next(left, None) is None:
                        return
                began = now()
                try:
                    answer: Answer | AttaccaError = send(client)
                except AttaccaError as error:
                    answer = error
                shot = _shot(answer, (now() - began) * 1000)
                with lock:
                    if isinstance(answer, AttaccaError) and not shots:
                        lost.append(answer)
                        return
                    shots.append(shot)
                    tick()

    began = now()
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if lost:
        raise lost[0]
    return shots, now() - began


def summary(shots: Sequence[Shot], elapsed_s: float) -> dict[str, Any]:
    """Everything there is to say about a burst, ready for JSON."""
    fine = sorted(shot.ms for shot in shots if not shot.error)
    errors = Counter(shot.error for shot in shots if shot.error)
    starts = Counter(shot.start for shot in shots if shot.start)
    by_start = {start: sorted(s.ms for s in shots if s.start == start and not s.error) for start in Start}
    return {
        "invocations": len(shots),
        "ok": len(fine),
        "elapsed_s": round(elapsed_s, 4),
        "per_s": round(len(shots) / elapsed_s, 1) if elapsed_s else 0.0,
        "latency_ms": spread(fine),
        "starts": {start.value: starts[start] for start in Start if starts[start]},
        "latency_ms_by_start": {start.value: spread(values) for start, values in by_start.items() if values},
        "errors": dict(errors.most_common()),
    }


def spread(ordered: Sequence[float]) -> dict[str, float]:
    if not ordered:
        return {}
    values = {name: quantile(ordered, q) for name, q in QUANTILES.items()}
    values |= {"max": ordered[-1], "min": ordered[0], "mean": sum(ordered) / len(ordered)}
    return {name: round(value, 3) for name, value in values.items()}


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that at least the share `q` does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def histogram(values: Sequence[float], rows: int = 8) -> list[tuple[float, float, int]]:
    """Buckets of equal ratio from the smallest to the largest: from, to, how many."""
    low, high = min(values), max(values)
    if low <= 0 or high / low < 1.001:
        return [(low, high, len(values))]
    ratio = (high / low) ** (1 / rows)
    edges = [low * ratio**i for i in range(rows)] + [high]
    counts = [0] * rows
    for value in values:
        counts[min(rows - 1, int(math.log(value / low) / math.log(ratio)))] += 1
    return list(zip(edges, edges[1:], counts, strict=False))


def _shot(answer: Answer | AttaccaError, ms: float) -> Shot:
    if isinstance(answer, AttaccaError):
        return Shot(ms, "", answer.code)
    start = answer.headers.get("x-attacca-start", "")
    if answer.status < 400:
        return Shot(ms, start, "")
    try:
        return Shot(ms, start, str(decoded(answer.body)["error"]["code"]))
    except (ValueError, KeyError, TypeError):
        return Shot(ms, start, f"HTTP {answer.status}")

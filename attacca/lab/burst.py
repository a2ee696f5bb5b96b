"""Many invocations from several connections at once, and what they add up to."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from attacca.cli.screens.terminal import STARTS, console, counted, marked, milliseconds
from attacca.client.http import Answer, Client, decoded
from attacca.errors import AttaccaError
from attacca.kernel.clock import SystemClock

QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
BLOCKS = " ▏▎▍▌▋▊▉█"


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
    by_start = {start: sorted(s.ms for s in shots if s.start == start and not s.error) for start in STARTS}
    return {
        "invocations": len(shots),
        "ok": len(fine),
        "elapsed_s": round(elapsed_s, 4),
        "per_s": round(len(shots) / elapsed_s, 1) if elapsed_s else 0.0,
        "latency_ms": spread(fine),
        "starts": {start: starts[start] for start in STARTS if starts[start]},
        "latency_ms_by_start": {start: spread(values) for start, values in by_start.items() if values},
        "errors": dict(errors.most_common()),
    }


def spread(ordered: Sequence[float]) -> dict[str, float]:
    if not ordered:
        return {}
    found = {name: quantile(ordered, q) for name, q in QUANTILES.items()}
    found |= {"max": ordered[-1], "min": ordered[0], "mean": sum(ordered) / len(ordered)}
    return {name: round(value, 3) for name, value in found.items()}


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


def show(name: str, shots: Sequence[Shot], elapsed_s: float, at_once: int, width: int | None = None) -> None:
    said = summary(shots, elapsed_s)
    screen = console(width=width)
    what = "[bold]{}[/] of [cyan]{}[/], {} at once, in {} s: [bold]{}[/] per second"
    many, per_s = counted(said["invocations"], "invocation"), f"{said['per_s']:g}"
    screen.print(marked(what, many, name, at_once, f"{elapsed_s:.2f}", per_s))
    if said["latency_ms"]:
        screen.print()
        screen.print(_latencies(said))
        screen.print()
        screen.print(_histogram([shot.ms for shot in shots if not shot.error]))
    for error, count in said["errors"].items():
        screen.print(marked("[red]{}[/] {}", f"{count:>6}", error))


def _latencies(said: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ms")
    for heading in ("count", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    rows = [("all", "", said["ok"], said["latency_ms"])]
    rows += [
        (start, STARTS[start], said["starts"][start], values) for start, values in said["latency_ms_by_start"].items()
    ]
    for label, style, count, values in rows:
        cells = (milliseconds(values[name]) for name in ("p50", "p90", "p99", "max"))
        table.add_row(marked(f"[{style}]{{}}[/]", label) if style else label, str(count), *cells)
    return table


def _histogram(values: Sequence[float], width: int = 32) -> Any:
    from rich.table import Table

    buckets = histogram(values)
    most = max(count for _, _, count in buckets)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column(style="green", min_width=width)
    table.add_column(justify="right")
    for low, high, count in buckets:
        eighths = round(8 * width * count / most)
        block = "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()
        if count and not block:
            block = BLOCKS[1]
        table.add_row(f"{milliseconds(low)} to {milliseconds(high)}", block, str(count) if count else "")
    return table


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


def progress(total: int, *, quiet: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """Two calls: one more is done, and all are. A bar on a terminal, nothing elsewhere."""
    if quiet or not console(stderr=True).is_terminal:
        return (lambda: None), (lambda: None)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    shown = Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console(stderr=True), transient=True
    )
    task = shown.add_task("", total=total)
    shown.start()
    return (lambda: shown.advance(task)), shown.stop

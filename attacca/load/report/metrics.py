"""The numbers by which runs are compared: names, units, and which way is better."""

from typing import Final

import msgspec


class Metric(msgspec.Struct, frozen=True):
    label: str
    unit: str
    about: str
    is_better_small: bool = True


METRICS: Final = {
    "mean_ms": Metric("mean response", "ms", "from when it was due until its answer was there"),
    "p50_ms": Metric("median response", "ms", "half took at most this long"),
    "p90_ms": Metric("p90 response", "ms", "nine of ten took at most this long"),
    "p99_ms": Metric("p99 response", "ms", "99 of 100 took at most this long"),
    "p999_ms": Metric("p99.9 response", "ms", "999 of 1000 took at most this long"),
    "slowdown": Metric("slowdown", "×", "response over duration alone; geometric mean of each function, then of all"),
    "slowdown_p99": Metric("p99 slowdown", "×", "each function's 99th percentile, geometric mean over functions"),
    "slowdown_apps": Metric(
        "slowdown of applications", "×", "geometric mean over the invocations of each application, then of all"
    ),
    "overhead_ms": Metric("median overhead", "ms", "response less the time in the handler"),
    "cold_share": Metric("cold share", "%", "of the started, those for which a sandbox was made (cold or template)"),
    "error_share": Metric("errors", "%", "no answer, or one with status 400 or more"),
    "throughput": Metric("throughput", "/s", "good answers a second", is_better_small=False),
    "sandboxes": Metric("sandboxes", "", "mean over time"),
    "busy": Metric("busy sandboxes", "", "mean over time"),
    "queued": Metric("queue", "", "invocations that wait, mean over time"),
    "memory_gb": Metric("memory held", "GB", "reserved by sandboxes, mean over time"),
    "wasted_gb_s": Metric(
        "wasted memory", "GB s", "memory held over the measured time, less what handlers ran in: memory × their time"
    ),
    "idle_share": Metric("idle sandboxes", "%", "of the sandboxes there are, those that run nothing, over time"),
    "fairness": Metric("fairness", "", "Jain's index of the functions' slowdowns; 1: alike", is_better_small=False),
}  # fmt: skip


def number(value: float) -> str:
    """Three figures, or whole."""
    size = abs(value)
    if size >= 1e6:
        return f"{value:.3g}"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    if size == 0:
        return "0"
    return f"{value:.3f}" if size >= 0.01 else f"{value:.2g}"


def span(value_s: float) -> str:
    """A time for people, with the unit that fits it."""
    size = abs(value_s)
    if size < 1e-3:
        return f"{number(value_s * 1e6)} µs"
    if size < 1:
        return f"{number(value_s * 1e3)} ms"
    if size < 120:
        return f"{number(value_s)} s"
    return f"{number(value_s / 60)} min" if size < 7200 else f"{number(value_s / 3600)} h"

"""The experiments of Dirigent's artifact as scenarios: a replay of Azure's trace, and cold starts at a rising rate."""

from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path

from msgspec.structs import replace

from attacca.load.workload.scenario import (
    Body,
    Choice,
    Distribution,
    FunctionPlan,
    Hardware,
    Record,
    Scenario,
    Shape,
    System,
    TraceUse,
    Workload,
)

MODES = ("worker", "cluster")
WARMUP_MIN = 10  # of the replay: left out, as there
WARMUP_SHARE = 1 / 3  # of a shorter one, and of a sweep's step
DRAIN_S = 900.0
LONGEST_MS = 60_000.0
AT_ONCE, AT_ONCE_MOST = 64, 4096  # invocations for each core: that compute, and that mostly wait
KEEP_S = 60.0  # the last sandbox, in both schools: the stable window of the autoscaler
KEPT_SHARE = 0.6  # of the time between two calls of a function of the sweep: so each of them is a cold start
STABLE_SHARE, PANIC_SHARE = 0.4, 0.2  # windows of its autoscaler
# A container of theirs: 180 ms until it is ready. A message takes as long as on a network of machines side by side.
HARDWARE = Hardware(
    sandbox=Distribution(kind="lognormal", mean_ms=100.0, sigma=0.25),
    code=Distribution(mean_ms=5.0),
    imports=Distribution(kind="lognormal", mean_ms=80.0, sigma=0.5),
    overhead=Distribution(mean_ms=0.3),
    network=Distribution(mean_ms=0.1),
    control=Distribution(mean_ms=0.1),
)


def machines(mode: str, workers: int, cores: int, memory_mb: int) -> System:
    """Both schools keep what is not called for as long, and neither has templates."""
    return System(
        mode="cluster" if mode == "cluster" else "worker",
        workers=workers,
        cores=cores,
        memory_mb=memory_mb,
        templates=False,
        concurrency=_at_once(AT_ONCE * cores),
        keepalive=Choice(policy="ttl", options={"idle_s": KEEP_S}),
        scaling=Choice(policy="knative", options={"stable_s": KEEP_S, "grace_s": 0.0, "utilization": 1.0}),
    )


def _at_once(count: int) -> Choice:
    return Choice(policy="fixed", options={"count": count})


def azure(trace: Path, system: System, *, functions: int, minutes: int, seed: int, busy: float = 1.0) -> Scenario:
    """The first minutes of so many functions of the trace, the beginning of it not measured. `busy`: the share of its
    duration for which a function computes; it waits for the rest, and as many more may run at once."""
    return Scenario(
        name="azure",
        about=f"{functions} functions of {trace.name}, {minutes} minutes",
        seed=seed,
        workload=Workload(
            warmup_s=60.0 * min(WARMUP_MIN, minutes * WARMUP_SHARE),
            drain_s=DRAIN_S,
            trace=TraceUse(
                path=str(trace), minutes=minutes, sample=functions, duration_most_ms=LONGEST_MS, body=Body(busy=busy)
            ),
        ),
        system=replace(system, concurrency=_at_once(ceil(AT_ONCE * system.cores / max(busy, AT_ONCE / AT_ONCE_MOST)))),
        hardware=HARDWARE,
        record=Record(sample_s=5.0),
    )


def cold_starts(rate: float, system: System, *, seconds: float, again_s: float, seed: int) -> Scenario:
    """So many cold starts a second: of as many functions that each is called every `again_s` only, one after the other,
    and does nothing."""
    kept_s = again_s * KEPT_SHARE
    windows = {
        "stable_s": max(1.0, again_s * STABLE_SHARE),
        "panic_s": max(1.0, again_s * PANIC_SHARE),
        "grace_s": 0.0,
        "utilization": 1.0,
    }
    shape = Shape(kind="constant", rate=1 / again_s)
    return Scenario(
        name=f"rps-{rate:g}",
        about=f"{rate:g} cold starts a second",
        seed=seed,
        workload=Workload(duration_s=seconds, warmup_s=seconds * WARMUP_SHARE, drain_s=DRAIN_S),
        functions=(
            FunctionPlan(
                name="cold", copies=ceil(rate * again_s), shape=shape, duration=Distribution(), body=Body(kind="sleep")
            ),
        ),
        system=_with(system, kept_s, windows),
        hardware=HARDWARE,
        record=Record(sample_s=1.0),
    )


def _with(system: System, kept_s: float, windows: dict[str, float]) -> System:
    return replace(
        system,
        keepalive=Choice(policy="ttl", options={"idle_s": kept_s}),
        scaling=Choice(policy="knative", options=dict(windows)),
    )


KEEPS_UP = 0.9  # of what was asked for, so much is answered by whoever carries it
FAILS_MOST = 0.01  # as Dirigent's artifact accepts it
SLOW_MS = 5_000.0  # where its plots end


def overload(rate: float, metrics: Mapping[str, float]) -> str:
    """Why a sweep's step is more than what was measured carries; empty if it is not."""
    failed, answered, p99_ms = (metrics.get(name, 0.0) for name in ("error_share", "throughput", "p99_ms"))
    if failed > FAILS_MOST:
        return f"{failed:.0%} failed"
    if answered < KEEPS_UP * rate:
        return f"{answered:,.0f} a second were answered"
    return f"the p99 is {p99_ms / 1e3:,.1f} s" if p99_ms > SLOW_MS else ""


def rates(low: float, high: float) -> Iterator[float]:
    """From one to the other, by ones, twos and fives of each power of ten."""
    yield low
    power = 10.0**-6
    while power <= high:
        yield from (power * step for step in (1, 2, 5) if low < power * step < high)
        power = round(power * 10, 9)
    if high > low:
        yield high

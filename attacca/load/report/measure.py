"""Make the digest of a run from its records: one pass over the columns that matter."""

import math
from array import array
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from attacca.errors import StateCorrupt
from attacca.load.records.columns import INFO, RECORDS
from attacca.load.records.info import RunInfo
from attacca.load.records.reading import Run, read_run
from attacca.load.report.breakdown import added, gantt, idle_share, series, split, time_mean, with_parts
from attacca.load.report.digest import (
    COLD,
    FILE,
    SHARES,
    VERSION,
    ApplicationDigest,
    Digest,
    FunctionDigest,
    Windows,
)
from attacca.load.sending.pacing import LATE_S
from attacca.load.statistics.samples import (
    LEAST_S,
    Interval,
    WarmUp,
    fairness,
    least_samples,
    quantile,
    warm_up,
)
from attacca.load.statistics.within import mean_within, quantiles_within, share_within

NEEDED: Final = (
    "phase", "idx", "app", "func", "due", "sent", "late", "enq", "deq", "cold_begin", "ready", "exec_begin", "exec_end",
    "recv", "status", "err", "start", "req_dur", "mem",
)  # fmt: skip
WINDOWS: Final = 150  # at most so many windows of a run
QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}


def read(path: Path) -> Digest:
    """A run's digest: the one that is kept beside its records while it is newer than they are, else made and kept.

    Raises:
        NotFound: there is no run in this directory.
        StateCorrupt: its run.json cannot be read.
    """
    kept = _kept(path)
    if kept is not None:
        return kept
    run = read_run(path)
    if (path / FILE).exists() and not any((path / RECORDS).glob("part-*")):
        raise StateCorrupt(f"{path / FILE} is not of this version, and its records are gone", "make the run again")
    digest = digest_of(run)
    write(digest, path)
    return digest


def _kept(path: Path) -> Digest | None:
    try:
        if (path / FILE).stat().st_mtime < (path / INFO).stat().st_mtime:
            return None
        kept = msgspec.json.decode((path / FILE).read_bytes(), type=Digest)
    except (OSError, ValueError, RecursionError):  # msgspec's own is a ValueError
        return None
    return kept if kept.version == VERSION else None


def write(digest: Digest, path: Path) -> None:
    """Beside the records; a directory that cannot be written to only means that it is made again next time."""
    try:
        (path / f"{FILE}.new").write_bytes(msgspec.json.encode(digest))
        (path / f"{FILE}.new").rename(path / FILE)
    except OSError:
        return


def _sampled_s(info: RunInfo) -> float:
    """Of a simulation, which looks once in each interval, at a moment that is drawn. 0: not known."""
    record = info.scenario.get("record")
    return float(record.get("sample_s", 0.0)) if info.kind == "simulated" and isinstance(record, dict) else 0.0


def digest_of(run: Run) -> Digest:
    rows = _derived(run.records)
    settled, settled_s = _settled(_measured(rows))
    workload = run.info.scenario.get("workload")
    if isinstance(workload, dict) and workload.get("settle") and settled.is_settled:
        rows = _cut(rows, settled_s)
    measured = _measured(rows)
    answered = measured.filter(pl.col("is_good"))
    ordered = ascending(answered["response"])
    functions, applications = _functions(measured), _applications(measured)
    samples = run.samples.collect()
    during = samples.filter(pl.col("t").is_between(measured["due"].min(), measured["due"].max()))
    span_s = _span(measured)
    return Digest(
        info=run.info,
        metrics=_metrics(measured, answered, ordered, functions, during, _rate(rows, measured, span_s))
        | _more(rows, measured, during, applications),
        intervals=_intervals(measured, answered, during),
        phases=_counts(rows["phase"]),
        errors=_counts(measured.filter(~pl.col("is_good"))["reason"]),
        starts=_counts(measured.filter(pl.col("start") != "")["start"]),
        span_s=span_s,
        late=_late(measured["late"].drop_nulls()),
        warm_up=settled,
        warm_up_s=settled_s,
        quantiles=_quantiles(ordered),
        scheduling=_quantiles(ascending(answered["scheduling"])),
        functions=functions,
        applications=applications,
        series=series(rows, samples, _sampled_s(run.info)),
        windows=windows(answered, span_s),
        split=split(answered),
        gantt=gantt(answered),
        durations=_durations(measured),
    )


def _derived(records: pl.LazyFrame) -> pl.DataFrame:
    rows = records.select(NEEDED).with_columns(
        pl.col("phase", "start", "err").cast(pl.String).fill_null(""),
        pl.col("late").fill_null(pl.col("sent") - pl.col("due")),
        response=pl.col("recv") - pl.col("due"),
        run_s=pl.col("exec_end") - pl.col("exec_begin"),
        scheduling=pl.col("recv") - pl.coalesce("sent", "due") - (pl.col("exec_end") - pl.col("exec_begin")),
        is_good=(pl.col("status") > 0) & (pl.col("status") < 400) & pl.col("recv").is_not_null(),
    )
    reason = pl.when(pl.col("err") != "").then("err").otherwise(pl.format("status {}", pl.col("status")))
    rows = rows.with_columns(
        reason=pl.when(pl.col("status") == 0, pl.col("err") == "").then(pl.lit("no answer")).otherwise(reason)
    )
    alone = pl.col("run_s").filter((pl.col("start") == "warm") & pl.col("is_good")).median().over("func")
    fallback = pl.col("run_s").filter(pl.col("is_good")).median().over("func")
    duration = pl.coalesce("req_dur", alone, fallback)
    return with_parts(
        rows.with_columns(duration=duration, is_cold=pl.col("start").is_in(COLD))
        .with_columns(slowdown=(pl.col("response") / pl.col("duration").clip(LEAST_S)).clip(1.0))
        .collect()
    )


def _durations(rows: pl.DataFrame) -> str:
    if len(rows) and rows["req_dur"].null_count() == 0:
        return "the duration that was asked for"
    return "the duration that was asked for; where none was, the function's median time in the handler when warm"


def _span(rows: pl.DataFrame) -> float:
    if rows.is_empty():
        return 0.0
    first, last = rows["due"].min(), rows["due"].max()
    assert isinstance(first, float)
    assert isinstance(last, float)
    return last - first


def _rate(rows: pl.DataFrame, measured: pl.DataFrame, span_s: float) -> float | None:
    """Good answers that came while the measured ones were due, of whomever: what is answered in the drain, or was
    due in the warm-up and answered later, says how much the system did then, not how much was asked of it."""
    if span_s <= 0:
        return None
    came = rows.filter(pl.col("is_good"), pl.col("recv").is_between(measured["due"].min(), measured["due"].max()))
    return len(came) / span_s


def ascending(column: pl.Series) -> "array[float]":
    """The values in order, packed: a list of them would take four times the memory."""
    return array("d", column.drop_nulls().cast(pl.Float64).sort().to_numpy().tobytes())


def _quantiles(ordered: "array[float]") -> list[float]:
    return [quantile(ordered, share) for share in SHARES] if len(ordered) else []


def _counts(column: pl.Series) -> dict[str, int]:
    frame = column.cast(pl.String).value_counts(sort=True)
    return dict(sorted(zip(frame[column.name].to_list(), frame["count"].to_list(), strict=True)))


def _late(column: pl.Series) -> dict[str, float]:
    ordered = ascending(column)
    if not len(ordered):
        return {}
    over = int((column > LATE_S).sum())
    return {
        "p50_s": quantile(ordered, 0.5), "p99_s": quantile(ordered, 0.99), "most_s": ordered[-1],
        "share": over / len(ordered),
    }  # fmt: skip


def _measured(rows: pl.DataFrame) -> pl.DataFrame:
    measured = rows.filter(pl.col("phase") == "run")
    return rows if measured.is_empty() else measured


def _settled(measured: pl.DataFrame) -> tuple[WarmUp, float]:
    """Where MSER-5 would cut, and how many seconds that is from the first that is measured."""
    answered = measured.filter(pl.col("is_good")).sort("due")
    settled = warm_up(answered["response"].to_list())
    if not settled.drop:
        return settled, 0.0
    return settled, float(answered["due"][settled.drop]) - float(measured["due"].min())  # type: ignore[arg-type]


def _cut(rows: pl.DataFrame, settled_s: float) -> pl.DataFrame:
    """What is due so soon after the first that is measured belongs to the warm-up."""
    is_early = (pl.col("phase") == "run") & (
        pl.col("due") < pl.col("due").filter(pl.col("phase") == "run").min() + settled_s
    )
    return rows.with_columns(phase=pl.when(is_early).then(pl.lit("warmup")).otherwise("phase"))


def _functions(rows: pl.DataFrame) -> list[FunctionDigest]:
    good = pl.col("is_good")
    frame = (
        rows.group_by(pl.col("func").cast(pl.String).alias("name"))
        .agg(
            pl.len().alias("invocations"),
            (~good).sum().alias("errors"),
            pl.col("is_cold").sum().alias("cold"),
            pl.col("duration").filter(good).mean().alias("duration_s"),
            pl.col("response").filter(good).mean().alias("mean_s"),
            pl.col("response").filter(good).quantile(0.5, "higher").alias("p50_s"),
            pl.col("response").filter(good).quantile(0.99, "higher").alias("p99_s"),
            pl.col("slowdown").filter(good).log().mean().exp().alias("slowdown"),
            pl.col("slowdown").filter(good).quantile(0.99, "higher").alias("slowdown_p99"),
            pl.col("scheduling").filter(good).mean().alias("scheduling_s"),
        )
        .sort("name")
    )
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    return [FunctionDigest(**row) for row in frame.iter_rows(named=True)]


def _applications(rows: pl.DataFrame) -> list[ApplicationDigest]:
    """A function without one is one by itself."""
    good, app, func = pl.col("is_good"), pl.col("app").cast(pl.String), pl.col("func").cast(pl.String)
    frame = (
        rows.group_by(pl.when(app.fill_null("") == "").then(func).otherwise(app).alias("name"))
        .agg(
            pl.len().alias("invocations"),
            pl.col("is_cold").mean().alias("cold_share"),
            pl.col("slowdown").filter(good).log().mean().exp().alias("slowdown"),
        )
        .sort("name")
    )
    return [
        ApplicationDigest(**row) for row in frame.with_columns(pl.col("slowdown").fill_nan(None)).iter_rows(named=True)
    ]


def _more(
    rows: pl.DataFrame, measured: pl.DataFrame, samples: pl.DataFrame, applications: list[ApplicationDigest]
) -> dict[str, float]:
    metrics = {
        "wasted_gb_s": _wasted(rows, measured, time_mean(samples, "memory_mb", 1024.0)),
        "slowdown_apps": _geometric(
            [application.slowdown for application in applications if application.slowdown is not None]
        ),
    }
    return {name: value for name, value in metrics.items() if value is not None and math.isfinite(value)}


def _wasted(rows: pl.DataFrame, measured: pl.DataFrame, held_gb: float | None) -> float | None:
    """What was held while the measured were due, less what invocations ran in meanwhile, of whatever phase."""
    if held_gb is None or measured.is_empty():
        return None
    begin, end = measured["due"].min(), measured["due"].max()
    ran_s = (pl.min_horizontal("exec_end", pl.lit(end)) - pl.max_horizontal("exec_begin", pl.lit(begin))).clip(0.0)
    used = float(rows.select((ran_s * pl.col("mem").cast(pl.Float64)).sum()).item()) / 1024.0
    return max(held_gb * _span(measured) - used, 0.0)


def _metrics(
    rows: pl.DataFrame, answered: pl.DataFrame, ordered: "array[float]", functions: list[FunctionDigest],
    samples: pl.DataFrame, rate: float | None,
) -> dict[str, float]:  # fmt: skip
    started = int((rows["start"] != "").sum())
    slow = [function.slowdown for function in functions if function.slowdown is not None]
    metrics: dict[str, float | None] = {
        "mean_ms": _milliseconds(answered["response"].mean()),
        **{name: quantile(ordered, share) * 1e3 if len(ordered) else None for name, share in QUANTILES.items()},
        "slowdown": _geometric(slow),
        "slowdown_p99": _geometric(
            [function.slowdown_p99 for function in functions if function.slowdown_p99 is not None]
        ),
        "overhead_ms": _milliseconds((answered["response"] - answered["run_s"]).median()),
        "cold_share": int(rows["is_cold"].sum()) / started if started else None,
        "error_share": 1.0 - len(answered) / len(rows) if len(rows) else None,
        "throughput": rate,
        "sandboxes": time_mean(samples, "sandboxes"),
        "busy": time_mean(samples, "busy"),
        "queued": time_mean(samples, "queued"),
        "memory_gb": time_mean(samples, "memory_mb", 1024.0),
        "idle_share": idle_share(samples),
        "fairness": fairness(slow) if slow else None,
    }
    return {name: value for name, value in metrics.items() if value is not None and math.isfinite(value)}


def _milliseconds(value: object) -> float | None:
    return value * 1e3 if isinstance(value, float) else None


def _geometric(values: list[float]) -> float | None:
    return math.exp(math.fsum(math.log(value) for value in values) / len(values)) if values else None


def _intervals(rows: pl.DataFrame, answered: pl.DataFrame, samples: pl.DataFrame) -> dict[str, Interval]:
    """In the order in which they were due: neighbours depend on each other."""
    responses = answered.sort("due")["response"].to_numpy()
    tails = quantiles_within(responses, list(QUANTILES.values()))
    intervals = {name: _scaled(tail, 1e3) for name, tail in zip(QUANTILES, tails, strict=True)}
    intervals["mean_ms"] = _scaled(mean_within(responses), 1e3)
    inorder = rows.sort("due")
    intervals["cold_share"] = share_within(inorder.filter(pl.col("start") != "")["is_cold"].to_numpy())
    intervals["error_share"] = share_within((~inorder["is_good"]).to_numpy())
    for name in ("sandboxes", "busy", "queued"):
        intervals[name] = mean_within(added(samples)[name].cast(pl.Float64).to_numpy())
    return {name: interval for name, interval in intervals.items() if math.isfinite(interval.value)}


def _scaled(interval: Interval, factor: float) -> Interval:
    low = None if interval.low is None else interval.low * factor
    high = None if interval.high is None else interval.high * factor
    return Interval(interval.value * factor, low, high, interval.samples, interval.note, interval.confidence)


def windows(answered: pl.DataFrame, span_s: float) -> Windows:
    """What came back in each window, by the moment it was due."""
    every_s = max(1.0, span_s / WINDOWS)
    if answered.is_empty():
        return Windows(every_s)
    frame = (
        answered.group_by((pl.col("due") // every_s).alias("window"))
        .agg(
            pl.len().alias("count"),
            pl.col("response").quantile(0.5, "higher").alias("p50"),
            pl.col("response").quantile(0.99, "higher").alias("p99"),
        )
        .sort("window")[1:-1]  # the first and the last are seldom whole
    )
    enough = least_samples(0.9)
    tails = [tail if count >= enough else None for tail, count in zip(frame["p99"], frame["count"], strict=True)]
    return Windows(every_s, [count / every_s for count in frame["count"]], frame["p50"].to_list(), tails)

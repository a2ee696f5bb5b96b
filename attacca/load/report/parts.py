"""Where an invocation's time went: each part between two moments of its record, and rows to draw of them."""

from typing import Final

import polars as pl

from attacca.load.report.digest import PARTS, STARTS, Bar, Gantt

COUNT: Final = 5  # bars of each group of single invocations
NAME_MOST: Final = 20  # letters: names of traces are hashes


def with_parts(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of seconds that add up to the response. A moment that was not recorded gives its part to the next."""
    sent = pl.coalesce("sent", "due")
    entered = pl.coalesce("enq", sent)
    begun = pl.coalesce("exec_begin", "ready", "deq", "recv")
    made_from = pl.coalesce("cold_begin", begun).clip(entered, begun)
    made_to = pl.coalesce("ready", made_from).clip(made_from, begun)
    is_made = pl.col("cold_begin").is_not_null()
    left = pl.when(is_made).then(made_from).otherwise(pl.coalesce("deq", begun).clip(entered, begun))
    ended = pl.coalesce("exec_end", begun)
    return rows.with_columns(
        late=(sent - pl.col("due")).clip(0.0),
        sending=(entered - sent).clip(0.0),
        queued=(left - entered).clip(0.0),
        making=pl.when(is_made).then(made_to - made_from).otherwise(0.0),
        handing=(begun - pl.when(is_made).then(made_to).otherwise(left)).clip(0.0),
        running=(ended - begun).clip(0.0),
        answering=(pl.col("recv") - ended).clip(0.0),
    )


def split(answered: pl.DataFrame) -> list[Bar]:
    """The mean of each kind of start, from warm to cold."""
    bars = []
    for start in STARTS:
        some = answered.filter(pl.col("start") == start)
        if len(some):
            means = some.select(pl.col(PARTS).mean()).row(0)
            bars.append(Bar(start, len(some), [float(value or 0.0) for value in means]))
    return bars


def gantt(answered: pl.DataFrame) -> list[Gantt]:
    """Single invocations: those around the median, those around the 99th percentile, and the slowest."""
    if len(answered) < COUNT:
        return []
    ordered = answered.sort("response", "idx")
    count = len(ordered)
    places = {"around the median": 0.5, "around the 99th percentile": 0.99, "the slowest": 1.0}
    starts = {title: min(int(count * share) - COUNT // 2, count - COUNT) for title, share in places.items()}
    return [Gantt(title, _bars(ordered[max(at, 0) : max(at, 0) + COUNT])) for title, at in starts.items()]


def _bars(rows: pl.DataFrame) -> list[Bar]:
    wanted = rows.select(
        pl.format("{} #{} {}", pl.col("func").cast(pl.String).str.head(NAME_MOST), "idx", "start"), *PARTS
    )
    return [Bar(row[0], 1, [float(value or 0.0) for value in row[1:]]) for row in wanted.iter_rows()]

"""What every database of time series does that can be asked; `check_timeseries` holds a real one and the twin to it."""

from collections.abc import Callable

from attacca.io.timeseries.types import Point, TimeSeries

NOW = 1_700_000_000.0
SINCE_S = 60.0
HOSTILE = 'a b,c=d"e\\f'


def _load(name: str, at: float, **fields: float) -> Point:
    tags = (("name", name), ("node_type", "worker"))
    return Point(measurement="worker_load", tags=tags, fields=tuple(fields.items()), at=at)


def _has_newest_of_each(series: TimeSeries) -> None:
    series.write([_load("w1", NOW - 30, cpu_loadavg=1.0, cpu_util=50.0), _load("w1", NOW - 10, cpu_loadavg=2.0)])
    series.write([_load("w2", NOW - 20, cpu_loadavg=0.25)])
    found = series.last("worker_load", "name", SINCE_S, NOW)
    assert found == {"w1": {"cpu_loadavg": 2.0, "cpu_util": 50.0}, "w2": {"cpu_loadavg": 0.25}}, found


def _takes_the_later_of_the_same_moment(series: TimeSeries) -> None:
    series.write([_load("again", NOW - 5, cpu_loadavg=1.0)])
    series.write([_load("again", NOW - 5, cpu_loadavg=3.0)])
    assert series.last("worker_load", "name", SINCE_S, NOW)["again"] == {"cpu_loadavg": 3.0}


def _forgets_what_is_older(series: TimeSeries) -> None:
    series.write([_load("old", NOW - 120, cpu_loadavg=1.0)])
    assert "old" not in series.last("worker_load", "name", SINCE_S, NOW)
    assert series.last("nothing_of_that_name", "name", SINCE_S, NOW) == {}


def _takes_names_as_they_are(series: TimeSeries) -> None:
    point = Point(measurement=HOSTILE, tags=((HOSTILE, HOSTILE),), fields=((HOSTILE, 1.5),), at=NOW - 1)
    assert series.write([point]).status in (200, 204)
    found = series.last(HOSTILE, HOSTILE, SINCE_S, NOW)
    assert found == {HOSTILE: {HOSTILE: 1.5}}, found


def _takes_nothing(series: TimeSeries) -> None:
    assert series.write([]).status in (200, 204, 400)


CHECKS: tuple[Callable[[TimeSeries], None], ...] = (
    _has_newest_of_each, _takes_the_later_of_the_same_moment, _forgets_what_is_older, _takes_names_as_they_are,
    _takes_nothing,
)  # fmt: skip


def check_timeseries(series: TimeSeries) -> list[str]:
    """An empty one, which has what was written afterwards. The names of what was checked."""
    for check in CHECKS:
        check(series)
    return [check.__name__.removeprefix("_") for check in CHECKS]

"""A run in a few thousand numbers: everything that a report shows, without the records themselves."""

import math
from typing import Final

import msgspec

from attacca.load.records.info import RunInfo
from attacca.load.statistics.samples import Interval, WarmUp

FILE: Final = "digest.json"
VERSION: Final = 3
COLD: Final = ("cold", "template")  # a sandbox was made while the invocation waited
STARTS: Final = ("warm", "prewarmed", "template", "cold")
PARTS: Final = ("late", "sending", "queued", "making", "handing", "running", "answering")  # in the order they pass
PART_NAMES: Final = {
    "late": "generator late", "sending": "way there", "queued": "queued", "making": "sandbox made",
    "handing": "handed over", "running": "handler", "answering": "way back",
}  # fmt: skip
# Shares at which the distribution is kept: every thousandth, then denser and denser towards the end.
SHARES: Final[tuple[float, ...]] = tuple(
    [index / 1000 for index in range(1000)]
    + [1.0 - 10.0 ** -(3 + step / 40) for step in range(1, 121)]
    + [1.0]
)  # fmt: skip


class FunctionDigest(msgspec.Struct, frozen=True):
    """Times are None where none of its invocations went well."""

    name: str
    invocations: int
    errors: int
    cold: int
    duration_s: float | None  # how long it takes alone, the mean of what slowdown is measured by
    mean_s: float | None
    p50_s: float | None
    p99_s: float | None
    slowdown: float | None  # geometric mean
    slowdown_p99: float | None
    scheduling_s: float | None  # mean of what passed from being sent until the answer, less the time in the handler


class ApplicationDigest(msgspec.Struct, frozen=True):
    """An application's functions taken together."""

    name: str
    invocations: int
    cold_share: float  # of its invocations
    slowdown: float | None  # geometric mean over its invocations; None where none went well


class Series(msgspec.Struct, frozen=True):
    """Over the whole run, warm-up and drain included; nan where nothing was sampled. Times are middles of bins."""

    every_s: float
    t: list[float] = []
    arrivals: list[float] = []  # a second
    sandboxes: list[float | None] = []
    busy: list[float | None] = []
    queued: list[float | None] = []
    memory_mb: list[float | None] = []


class Windows(msgspec.Struct, frozen=True):
    """Of the measured part, window by window: what came back, and how long it had taken."""

    every_s: float
    rate: list[float] = []
    p50_s: list[float] = []
    p99_s: list[float | None] = []  # None: too few


class Bar(msgspec.Struct, frozen=True):
    """One invocation, or the mean of many, as a row of parts in seconds."""

    label: str
    count: int
    parts: list[float]

    @property
    def total_s(self) -> float:
        return math.fsum(self.parts)


class Gantt(msgspec.Struct, frozen=True):
    title: str
    bars: list[Bar]


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    version: int = VERSION
    info: RunInfo
    metrics: dict[str, float]  # names of metrics.py; what could not be measured is not in it
    intervals: dict[str, Interval]  # within this run, by batches that follow one another
    phases: dict[str, int]
    errors: dict[str, int]  # code -> how many
    starts: dict[str, int]
    span_s: float  # of the measured part
    late: dict[str, float]  # p50_s, p99_s, most_s, share: of the generator, not of the system
    warm_up: WarmUp  # where MSER-5 would cut the measured part
    warm_up_s: float  # the same, in seconds from its begin
    quantiles: list[float]  # of response, seconds, at SHARES
    scheduling: list[float]  # of scheduling latency, likewise
    functions: list[FunctionDigest]
    applications: list[ApplicationDigest]
    series: Series
    windows: Windows
    split: list[Bar]  # the mean of each kind of start
    gantt: list[Gantt]
    durations: str  # what slowdown is measured by

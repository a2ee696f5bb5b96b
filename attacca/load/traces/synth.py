"""A trace like Azure's that needs no data: applications, rates, gaps, durations and memory drawn from published curves.

Functions that a timer calls keep their period; others come as renewals whose gaps vary as published: gamma below a
coefficient of variation of 1, balanced hyperexponential above. A gentle day and week bends time under them.
The load of a few functions is most of the load, so one draw may be ten times another: give `target_rps`.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.kernel.rand import Streams
from attacca.load.traces import azure_tables as azure
from attacca.load.traces.draws import Floats
from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.types import MINUTE_S

DAY_S = 86_400.0
WARM_IN = 10  # renewals before the trace begins, so that its beginning is like its middle
BATCH = 500_000


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    functions: int = 100
    minutes: int = 60
    start_minute: int = 0  # of the week, from Monday 00:00: where in the day and week it lies
    target_rps: float | None = None  # invocations are thinned, or rates raised, to this mean
    rank_coupling: float = 0.0  # 0 to 1: how much the popular are the short ones
    jitter_s: float = 0.1  # of timers, standard deviation
    seed: int = 1


class Azure:
    """Draws the functions; then, one after another, their invocations."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.streams = Streams(recipe.seed)
        self.apps = self._apps()
        luck = self._chance("rates").random(recipe.functions)
        self.rates = azure.rates(luck)
        self.triggers = self._triggers()
        self.means_s = self._durations(luck)
        self.within = self._chance("within").uniform(*azure.DURATION_WITHIN, recipe.functions)
        memory = azure.memory_mb(self._chance("memory").random(int(self.apps.max()) + 1))
        sizes = np.bincount(self.apps)
        self.app_memory_mb = memory
        self.memory_mb = np.maximum(np.ceil(memory / sizes), 1.0)[self.apps]
        drawn = self._chance("variation").random(recipe.functions)
        self.variation = azure.from_curve(azure.VARIATION, drawn)
        self.cold_ms = np.exp(azure.COLD_MU + azure.COLD_SIGMA * self._normal("cold")) * 1000
        self.drawn_rps = float(self.rates.sum()) / DAY_S
        pace = float(self._pace()[1].mean())
        here_rps = float(sum(self.rates * np.where(np.array(self.triggers) == "timer", 1.0, pace))) / DAY_S
        self.factor = 1.0 if recipe.target_rps is None else recipe.target_rps / here_rps

    def __repr__(self) -> str:
        return f"<Azure {self.recipe.functions} functions, {self.drawn_rps:.3g}/s>"

    def trace(self) -> Events:
        gathering = Gathering()
        for frame in self._batches():
            gathering.rows(frame)
        length_s = self.recipe.minutes * MINUTE_S
        notes = (f"made up: the rates that were drawn come to {self.drawn_rps:.1f} invocations per second",)
        table = gathering.counted(self._table())
        silent = pl.col("invocations") == 0
        means = pl.when(silent).then(pl.Series(self.means_s * 1000)).otherwise("duration_ms")
        return Events(table.with_columns(duration_ms=means), gathering.spool, notes=notes, between=(0.0, length_s))

    def _table(self) -> pl.DataFrame:
        names = [f"f{row:05d}" for row in range(self.recipe.functions)]
        return pl.DataFrame({
            "function": names, "app": [f"a{app:05d}" for app in self.apps.tolist()], "trigger": self.triggers,
            "memory_mb": self.memory_mb, "cold_ms": self.cold_ms,
        })  # fmt: skip

    def _batches(self) -> Iterator[pl.DataFrame]:
        held: list[pl.DataFrame] = []
        rows = 0
        for function in range(self.recipe.functions):
            frame = self._invocations(function)
            held.append(frame)
            rows += frame.height
            if rows >= BATCH:
                yield pl.concat(held)
                held, rows = [], 0
        if held:
            yield pl.concat(held)

    def _invocations(self, function: int) -> pl.DataFrame:
        chance = self._chance(f"function/{function}")
        keep = min(self.factor, 1.0)
        rate_s = self.rates[function] * max(self.factor, 1.0) / DAY_S
        length_s = self.recipe.minutes * MINUTE_S
        if self.triggers[function] == "timer":
            arrivals = self._periodic(chance, rate_s, length_s)
        else:
            arrivals = self._bent(_renewals(chance, rate_s, float(self.variation[function]), length_s))
        arrivals = arrivals[(arrivals >= 0) & (arrivals < length_s)]
        arrivals = arrivals[chance.random(len(arrivals)) < keep]
        sigma = self.within[function]
        mu = np.log(self.means_s[function]) - sigma**2 / 2
        durations = np.exp(mu + sigma * chance.standard_normal(len(arrivals)))
        durations = np.clip(durations, azure.DURATION_LEAST_S, azure.DURATION_MOST_S) * 1000
        whose = np.full(len(arrivals), function, dtype=np.uint32)
        return pl.DataFrame({"arrival_s": arrivals, "function": whose, "duration_ms": durations})

    def _periodic(self, chance: np.random.Generator, rate_s: float, length_s: float) -> Floats:
        phase = chance.random() / rate_s
        ticks = phase + np.arange(int(length_s * rate_s) + 2) / rate_s
        jittered: Floats = np.sort(ticks + self.recipe.jitter_s * chance.standard_normal(len(ticks)))
        return jittered

    def _bent(self, even: Floats) -> Floats:
        """Arrivals in even time, to where the day's and the week's rhythm puts them."""
        grid, pace = self._pace()
        passed = np.concatenate([[0.0], np.cumsum(pace[:-1] * MINUTE_S)])
        inside = even[(even >= 0) & (even < passed[-1])]
        bent: Floats = np.interp(inside, passed, grid)
        return bent

    def _pace(self) -> tuple[Floats, Floats]:
        """Minutes of the trace, in seconds, and how busy each is: least at midnight, and at weekends."""
        grid: Floats = np.arange(self.recipe.minutes + 1, dtype=np.float64) * MINUTE_S
        at = self.recipe.start_minute * MINUTE_S + grid
        weekend = (at / DAY_S % 7) >= 5
        swing = azure.DAY_SWING * np.sin(2 * np.pi * (at / DAY_S - 0.25))
        pace: Floats = 1.0 + swing - azure.WEEKEND_DIP * weekend
        return grid, pace

    def _apps(self) -> npt.NDArray[np.int64]:
        """For each function its application; sizes as published, the last one cut to what is left."""
        chance = self._chance("apps")
        values, shares = (np.array(column) for column in zip(*azure.APP_SIZES, strict=True))
        apps: list[int] = []
        app = 0
        while len(apps) < self.recipe.functions:
            at = int(np.searchsorted(shares, chance.random()))
            least = int(values[at - 1]) + 1 if at else 1
            apps += [app] * int(chance.integers(least, int(values[at]) + 1))
            app += 1
        return np.array(apps[: self.recipe.functions], dtype=np.int64)

    def _triggers(self) -> list[str]:
        """A rate that is a timer's is one; the rest is drawn so that in all there are as many as published."""
        names = list(azure.TRIGGER_MIX)
        shares = np.array([share for share, _ in azure.TRIGGER_MIX.values()])
        timer = names.index("timer")
        is_timed = np.any(
            [(self.rates > 0.995 * period) & (self.rates <= 1.0005 * period) for period in azure.PERIODS], axis=0
        )
        shares[timer] = max(0.0, shares[timer] - azure.PERIODIC) / (1 - azure.PERIODIC)
        drawn = self._chance("triggers").choice(len(shares), self.recipe.functions, p=shares / shares.sum())
        return [names[timer if timed else kind] for timed, kind in zip(is_timed, drawn.tolist(), strict=True)]

    def _durations(self, rate_luck: Floats) -> Floats:
        """Means, log-normal and cut at both ends; coupled to the rates by as much as is asked."""
        order = np.argsort(np.argsort(-rate_luck)) if len(rate_luck) else rate_luck
        coupled = _probit((order + 0.5) / max(len(rate_luck), 1))
        weight = self.recipe.rank_coupling
        normal = weight * coupled + np.sqrt(1 - weight**2) * self._normal("durations")
        seconds: Floats = np.exp(azure.DURATION_MU + azure.DURATION_SIGMA * normal)
        return np.clip(seconds, azure.DURATION_LEAST_S, azure.DURATION_MOST_S)

    def _normal(self, name: str) -> Floats:
        return self._chance(name).standard_normal(self.recipe.functions)

    def _chance(self, name: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.streams.stream(f"traces/synth/{name}").getrandbits(128)))


def _renewals(chance: np.random.Generator, rate_s: float, variation: float, length_s: float) -> Floats:
    """From some gaps before the beginning until after the end."""
    mean_s = 1.0 / rate_s
    reach = length_s * 1.25 + WARM_IN * mean_s
    arrived: list[Floats] = []
    at = -WARM_IN * mean_s * (0.5 + chance.random())
    while at < reach - WARM_IN * mean_s:
        number = int(max(reach - WARM_IN * mean_s - at, 0.0) * rate_s * 1.1) + 16
        times = at + np.cumsum(_gaps(chance, number, mean_s, variation))
        arrived.append(times)
        at = float(times[-1])
    return np.concatenate(arrived)


def _gaps(chance: np.random.Generator, number: int, mean_s: float, variation: float) -> Floats:
    if variation < 0.02:
        return np.full(number, mean_s)
    if variation <= 1.0:
        shape = 1.0 / variation**2
        return chance.gamma(shape, mean_s / shape, number)
    lean = np.sqrt((variation**2 - 1) / (variation**2 + 1))  # both kinds of gap take the same part of the time
    short = (1 + lean) / 2
    means = np.where(chance.random(number) < short, mean_s / (2 * short), mean_s / (2 * (1 - short)))
    gaps: Floats = chance.exponential(1.0, number) * means
    return gaps


def _probit(share: Floats) -> Floats:
    """Of the normal distribution, by its own table: accurate enough to couple ranks."""
    grid = np.linspace(-6, 6, 4001)
    density = np.exp(-(grid**2) / 2)
    passed = np.cumsum(density)
    scores: Floats = np.interp(share, passed / passed[-1], grid)
    return scores

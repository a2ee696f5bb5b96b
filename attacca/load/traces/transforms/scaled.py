"""A trace made smaller, larger, slower or faster. What is kept under one seed does not depend on what else is done.

rate below 1  each invocation stays with that chance; what stays at 0.1 also stays at 0.5
rate above 1  each comes floor(rate) times, and once more with the chance that is left; copies fall anywhere in the
              minute of the first
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.traces.draws import Floats, Marks, keys
from attacca.load.traces.events import invocations_of
from attacca.load.traces.types import CHUNK, MINUTE_S, Trace


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    rate: float = 1.0
    time: float = 1.0  # 2: half the speed
    duration: float = 1.0
    duration_most_ms: float = float("inf")
    memory_least_mb: int = 1


class Scaled:
    def __init__(self, trace: Trace, scale: Scale, seed: int) -> None:
        self.trace, self.scale = trace, scale
        self.length_s = trace.length_s * scale.time
        self.notes = trace.notes
        self._marks, self._copies = Marks(seed, "rate"), Marks(seed, "copies")
        self._keys = keys((trace.functions["app"] + "/" + trace.functions["function"]).to_list())
        mean = (pl.col("duration_ms") * scale.duration).clip(upper_bound=scale.duration_most_ms)
        levels = [
            (pl.col(name) * scale.duration).clip(upper_bound=scale.duration_most_ms)
            for name in trace.functions.columns if name.startswith("p") and name.endswith("_ms")
        ]  # fmt: skip
        memory = pl.col("memory_mb").clip(lower_bound=scale.memory_least_mb)
        self.functions = trace.functions.with_columns(mean, memory, *levels)
        if scale.rate != 1.0:
            totals = invocations_of(self.invocations(), self.functions.height)
            self.functions = self.functions.with_columns(invocations=pl.Series(totals))

    def __repr__(self) -> str:
        return f"<Scaled {self.functions.height} functions in {self.length_s:g} s>"

    def invocations(self) -> Iterator[pl.DataFrame]:
        takes = (pl.col("duration_ms") * self.scale.duration).clip(upper_bound=self.scale.duration_most_ms)
        for chunk in self._as_often():
            if chunk.height:
                yield chunk.with_columns(pl.col("arrival_s") * self.scale.time, takes)

    def _as_often(self) -> Iterator[pl.DataFrame]:
        if self.scale.rate == 1.0:
            yield from self.trace.invocations()
        elif self.scale.rate < 1.0:
            for chunk in self.trace.invocations():
                yield chunk.filter(pl.Series(self._luck(self._marks, chunk, 0) < self.scale.rate))
        else:
            for chunk in whole_minutes(self.trace.invocations()):
                yield self._multiplied(chunk)

    def _luck(self, marks: Marks, chunk: pl.DataFrame, number: int) -> Floats:
        """Of the invocation itself: its function and its arrival."""
        arrivals = chunk["arrival_s"].to_numpy().view(np.uint64)
        states = marks.cells(self._keys[chunk["function"].to_numpy()], arrivals)
        return marks.draws(states, np.full(chunk.height, number))

    def _multiplied(self, chunk: pl.DataFrame) -> pl.DataFrame:
        whole, part = divmod(self.scale.rate, 1.0)
        begins = pl.Series(np.floor(chunk["arrival_s"].to_numpy() / MINUTE_S) * MINUTE_S)
        copies = [chunk]
        for number in range(1, int(whole) + 1):
            anywhere = begins + self._luck(self._copies, chunk, number) * MINUTE_S
            copy = chunk.with_columns(arrival_s=anywhere)
            if number == int(whole):
                copy = copy.filter(pl.Series(self._luck(self._marks, chunk, 0) < part))
            copies.append(copy)
        return pl.concat(copies).sort("arrival_s", maintain_order=True)


def whole_minutes(chunks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows, cut so that no minute lies in two chunks."""
    held: list[pl.DataFrame] = []
    for chunk in chunks:
        minutes: npt.NDArray[np.float64] = np.floor(chunk["arrival_s"].to_numpy() / MINUTE_S)
        cut = int(np.searchsorted(minutes, minutes[-1])) if len(minutes) else 0
        if cut:
            yield pl.concat([*held, chunk[:cut]])
            held = []
        elif held and len(minutes) and np.floor(held[-1]["arrival_s"][-1] / MINUTE_S) < minutes[0]:
            yield pl.concat(held)
            held = []
        held.append(chunk[cut:])
    rest = pl.concat(held) if held else None
    if rest is not None and rest.height:
        yield rest


def evenly(chunks: Iterator[pl.DataFrame], rows: int = CHUNK) -> Iterator[pl.DataFrame]:
    """The same rows in chunks of at least so many, but for the last."""
    held: list[pl.DataFrame] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(frame.height for frame in held) >= rows:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)

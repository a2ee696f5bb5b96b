"""How near some functions are to all: in what functions are like (their shape), and in how much they are invoked (their
load).

The shape is the sum of three Wasserstein distances, in powers of ten: of invocations, mean durations, and memory. The
load is how far the invocations per function are off, as a share of the whole's.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.errors import BadConfig
from attacca.load.traces.draws import Floats
from attacca.load.traces.types import Keep

Rows = npt.NDArray[np.int64]

FIRST: Final = 50.0  # where the load is kept, so much of the shape is given for it


class Distance(msgspec.Struct, frozen=True):
    """Wasserstein distances to the whole, of what functions are: in powers of ten, memory too; and of its mean rate."""

    rate: float
    duration: float
    memory: float
    load: float  # how far the invocations per function are off, relatively

    @property
    def shape(self) -> float:
        return self.rate + self.duration + self.memory

    def total(self, keep: Keep) -> float:
        """What a sample is judged by."""
        return {"shape": self.shape, "load": self.load, "both": self.shape + self.load}[keep]


class Nearness:
    def __init__(self, functions: pl.DataFrame) -> None:
        self.invocations = functions["invocations"].to_numpy().astype(np.float64)
        durations = functions["duration_ms"].fill_null(0.0).to_numpy().astype(np.float64)
        memory = functions["memory_mb"].fill_null(0).to_numpy().astype(np.float64)
        self.features: list[Floats] = [
            np.log10(1.0 + self.invocations), np.log10(np.maximum(durations, 0.1)), np.log10(np.maximum(memory, 1.0)),
        ]  # fmt: skip
        self.work = self.invocations * durations
        self.mean = float(self.invocations.mean()) if len(self.invocations) else 0.0
        self._curves = [_Curve(feature) for feature in self.features]

    def __repr__(self) -> str:
        return f"<Nearness {len(self.invocations)} functions>"

    def distance(self, rows: Sequence[int] | Rows) -> Distance:
        chosen = np.asarray(rows, dtype=np.int64)
        rate, duration, memory = (curve.distance(chosen) for curve in self._curves)
        return Distance(rate=rate, duration=duration, memory=memory, load=abs(self.off(chosen)))

    def off(self, rows: Rows) -> float:
        """Invocations per function beside the whole's, relatively, with their sign."""
        return float(self.invocations[rows].mean()) / self.mean - 1.0 if self.mean > 0 and len(rows) else 0.0

    def cost(self, rows: Rows, keep: Keep) -> float:
        """What is made small in the search. The load can nearly always be met, so where it is kept the shape decides
        between those that meet it."""
        if keep == "shape":
            return sum(curve.distance(rows) for curve in self._curves)
        load = abs(self.off(rows))
        shape = sum(curve.distance(rows) for curve in self._curves)
        return shape + load if keep == "both" else FIRST * load + shape


class _Curve:
    """One feature's distribution over all functions, so that a sample's distance costs one walk over its values."""

    def __init__(self, feature: Floats) -> None:
        values, places = np.unique(feature, return_inverse=True)
        self._places: Rows = places.astype(np.int64).reshape(-1)
        self._widths: Floats = np.diff(values)
        self._below: Floats = np.cumsum(np.bincount(self._places))[:-1] / max(len(feature), 1)

    def __repr__(self) -> str:
        return f"<_Curve {len(self._widths) + 1} values>"

    def distance(self, rows: Rows) -> float:
        """The area between the two distribution functions."""
        if not len(self._widths) or not len(rows):
            return 0.0
        counts = np.bincount(self._places[rows], minlength=len(self._widths) + 1)[:-1]
        return float(np.abs(np.cumsum(counts) / len(rows) - self._below) @ self._widths)


def as_keep(word: str) -> Keep:
    """
    Raises:
        BadConfig: it is none.
    """
    match word:
        case "shape" | "load" | "both":
            return word
        case _:
            raise BadConfig(f"a sample cannot keep {word!r}", "shape, load or both")


def wasserstein(lefts: Floats, rights: Floats) -> float:
    """Between two samples, both ascending: the area between their distribution functions."""
    every = np.sort(np.concatenate([lefts, rights]))
    widths = np.diff(every)
    first = np.searchsorted(lefts, every[:-1], side="right") / len(lefts)
    second = np.searchsorted(rights, every[:-1], side="right") / len(rights)
    return float(np.sum(np.abs(first - second) * widths))

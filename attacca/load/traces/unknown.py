"""What a trace does not say, made up: durations around a median of 30 ms, memory of 128 MB. Every use is noted."""

import numpy as np
import numpy.typing as npt

from attacca.load.traces.marks import Floats, Keys, Marks

MEMORY_MB = 128
MEDIAN_MS, BETWEEN, WITHIN = 30.0, 1.5, 0.75  # medians of Huawei's regions lie from 4 to 100 ms; spreads of logarithms
NORMAL = {0: -3.0902, 1: -2.3263, 25: -0.6745, 50: 0.0, 75: 0.6745, 99: 2.3263, 100: 3.0902}


def durations_ms(seed: int, functions: Keys) -> Floats:
    """Percentiles as in NORMAL for each function, log-normal, its median drawn from a log-normal too."""
    zeros = np.zeros(len(functions), dtype=np.int64)
    marks = Marks(seed, "unknown durations")
    states = marks.cells(functions, zeros)
    across = _normal(marks.draws(states, zeros), marks.draws(states, zeros + 1))
    medians = MEDIAN_MS * np.exp(BETWEEN * across)
    table: Floats = medians[:, None] * np.exp(WITHIN * np.array(list(NORMAL.values())))
    return table


def _normal(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> Floats:
    drawn: Floats = np.sqrt(-2.0 * np.log1p(-one)) * np.cos(2.0 * np.pi * two)
    return drawn

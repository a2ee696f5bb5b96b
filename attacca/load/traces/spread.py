"""Where inside its minute an invocation falls, when the trace only counts them.

uniform      independent and uniform: given their number, what a Poisson process does
exponential  gaps are exponential, scaled to fill the minute, and the minute turned by a random phase. Given the number
             this is the law of `uniform` too; it is kept because others draw it this way
equidistant  equal gaps, and a random phase for each function and minute
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from attacca.load.traces.marks import Floats, Keys, Marks

Spread = Literal["uniform", "exponential", "equidistant"]
PHASE = 2**40  # a number that no invocation has


def places(
    spread: Spread, marks: Marks, cells: Keys, counts: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> Floats:
    """For each invocation a place in [0, 1). `cells` has one state per function and minute, `counts` its invocations,
    `numbers` counts them from 0 within each cell."""
    if spread == "uniform":
        return marks.draws(np.repeat(cells, counts), numbers)
    phase = np.repeat(marks.draws(cells, np.full(len(cells), PHASE)), counts)
    if spread == "equidistant":
        return (numbers + phase) / np.repeat(counts, counts)
    gaps = -np.log1p(-marks.draws(np.repeat(cells, counts), numbers))
    ends = np.cumsum(counts)
    sums = np.cumsum(gaps)
    before = np.concatenate([[0.0], sums[ends[:-1] - 1]])
    total = np.repeat(sums[ends - 1] - before, counts)
    turned: Floats = ((sums - np.repeat(before, counts)) / total + phase) % 1.0
    return turned

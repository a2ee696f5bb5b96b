"""What is published of Azure Functions 2019, as tables to draw from and to be measured against.

Shahrad et al., Serverless in the Wild (USENIX ATC 2020); curves are read off its figures, to about 0.01.
"""

from math import erf, sqrt
from typing import Final

import numpy as np

from attacca.load.traces.draws import Floats

Curve = tuple[tuple[float, float], ...]  # (value, share of functions or applications up to it)

# Invocations of a function per day, as (share, value). Jumps are timers. Above: a bounded Pareto up to RATE_MOST.
RATES: Final = (
    (0.067, 0.0), (0.067, 0.071), (0.115, 0.143), (0.17, 0.3), (0.211, 0.5), (0.255, 0.99), (0.344, 1), (0.421, 2),
    (0.508, 5), (0.565, 10), (0.625, 23.9), (0.646, 24), (0.685, 47.9), (0.694, 48), (0.732, 95.9), (0.741, 96),
    (0.77, 144), (0.80, 287), (0.837, 288), (0.883, 720), (0.905, 1439), (0.929, 1440), (0.946, 2880), (0.969, 1e4),
)  # fmt: skip
RATE_TAIL_FROM: Final = 1e4
RATE_MOST: Final = 3e7
RATE_ALPHA: Final = 0.75
PERIODS: Final = (24.0, 48.0, 96.0, 288.0, 1440.0)  # per day: what timers are set to
PERIODIC: Final = 0.100  # share of functions at the jumps
SKEW: Final[Curve] = ((1e-4, 0.31), (1e-3, 0.635), (1e-2, 0.914), (1e-1, 0.993))  # share of functions, of invocations

TRIGGER_MIX: Final = {
    "http": (0.550, 0.359), "queue": (0.152, 0.335), "event": (0.022, 0.247), "orchestration": (0.069, 0.023),
    "timer": (0.156, 0.020), "storage": (0.028, 0.007), "others": (0.022, 0.010),
}  # of functions, of invocations  # fmt: skip
APP_SIZES: Final[Curve] = ((1, 0.54), (2, 0.71), (3, 0.80), (5, 0.88), (10, 0.95), (50, 0.997), (100, 1.0))

DURATIONS_S: Final[Curve] = (
    (0.01, 0.01), (0.1, 0.14), (0.3, 0.30), (1.0, 0.51), (3.0, 0.70), (10.0, 0.84), (60.0, 0.95),
)  # of functions' means  # fmt: skip
DURATION_MU, DURATION_SIGMA = -0.38, 2.36  # log-normal, of the logarithm of seconds
DURATION_LEAST_S, DURATION_MOST_S = 1e-3, 900.0
DURATION_WITHIN = (0.5, 1.0)  # sigma of the logarithm, within one function: drawn between these

MEMORY_C, MEMORY_K, MEMORY_SCALE = 11.652, 0.221, 107.083  # Burr XII, MB of an application
MEMORY_LEAST_MB, MEMORY_MOST_MB = 10.0, 10_240.0

# Coefficient of variation of the gaps: timers alone are exact; these are functions without one.
VARIATION: Final[Curve] = ((0.0, 0.11), (1.0, 0.35), (4.0, 0.76), (10.0, 0.91), (20.0, 1.0))
DAY_SWING, WEEKEND_DIP = 0.12, 0.10
COLD_MU, COLD_SIGMA = 0.296, 1.326  # seconds, log-normal; Joosen et al., Serverless Cold Starts (EuroSys 2025)


def rates(luck: Floats) -> Floats:
    """Invocations per day: straight lines of logarithms between the points; the tail beyond them."""
    shares, values = (np.array(column) for column in zip(*RATES[1:], strict=True))
    drawn = np.exp(np.interp(luck, shares, np.log(values)))
    beyond = np.clip((luck - shares[-1]) / (1.0 - shares[-1]), 0.0, 1.0)
    least, most = RATE_TAIL_FROM**-RATE_ALPHA, RATE_MOST**-RATE_ALPHA
    tail = (least - beyond * (least - most)) ** (-1.0 / RATE_ALPHA)
    drawn_rates: Floats = np.where(luck > shares[-1], tail, drawn)
    return drawn_rates


def rate_share(value: Floats) -> Floats:
    """The share of functions up to a rate: `rates` turned round."""
    shares, values = (np.array(column) for column in zip(*RATES[1:], strict=True))
    below = np.interp(np.log(np.maximum(value, 1e-9)), np.log(values), shares, left=0.0)
    least, most = RATE_TAIL_FROM**-RATE_ALPHA, RATE_MOST**-RATE_ALPHA
    beyond = np.clip((least - np.maximum(value, 1.0) ** -RATE_ALPHA) / (least - most), 0.0, 1.0)
    share: Floats = np.where(value > values[-1], shares[-1] + (1 - shares[-1]) * beyond, below)
    return share


def memory_mb(luck: Floats) -> Floats:
    """Of an application, by Burr XII."""
    drawn = MEMORY_SCALE * ((1.0 - luck) ** (-1.0 / MEMORY_K) - 1.0) ** (1.0 / MEMORY_C)
    memory: Floats = np.clip(drawn, MEMORY_LEAST_MB, MEMORY_MOST_MB)
    return memory


def memory_share(value: Floats) -> Floats:
    share: Floats = 1.0 - (1.0 + (value / MEMORY_SCALE) ** MEMORY_C) ** -MEMORY_K
    return share


def duration_share(value: Floats) -> Floats:
    """Of the fitted log-normal, cut at both ends."""
    normal = (np.log(value) - DURATION_MU) / DURATION_SIGMA
    below = np.array([0.5 * (1 + erf(value_of / sqrt(2))) for value_of in normal.tolist()])
    share: Floats = np.where(value >= DURATION_MOST_S, 1.0, below)
    return share


def from_curve(curve: Curve, luck: Floats) -> Floats:
    values, shares = (np.array(column) for column in zip(*curve, strict=True))
    drawn: Floats = np.interp(luck, shares, values)
    return drawn

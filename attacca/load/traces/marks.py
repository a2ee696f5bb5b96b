"""Luck that belongs to an invocation and not to the order of drawing: a hash of seed, function, minute and number.

So a function's invocations stay what they are when other functions are left out, when the trace is cut, or thinned:
samples of one trace under one seed have common random numbers.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from attacca.kernel.rand import Streams

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64 (Steele, Lea, Flood: OOPSLA 2014), as are the numbers below


def mixed(state: Keys) -> Keys:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


class Marks:
    """One named stream. `cells` makes a state for each function and minute, `draws` its n-th number in [0, 1)."""

    def __init__(self, seed: int, name: str) -> None:
        self.key = np.uint64(Streams(seed).stream(f"traces/{name}").getrandbits(64))

    def cells(self, functions: Keys, minutes: npt.NDArray[np.integer]) -> Keys:
        return mixed(mixed(functions ^ self.key) + minutes.astype(np.uint64) * GOLDEN)

    def draws(self, cells: Keys, numbers: npt.NDArray[np.integer]) -> Floats:
        bits = mixed(cells + (numbers.astype(np.uint64) + np.uint64(1)) * GOLDEN)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keys(names: Iterable[str]) -> Keys:
    """What stands for each function: its name's digest."""
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64)

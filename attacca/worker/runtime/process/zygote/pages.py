"""Memory as those find it who are forked: what they take is side by side, so that few pages are copied."""

from collections.abc import Callable

POOL_B, HEAD_B = 16_384, 48  # of pymalloc's pools, from Python 3.10 on
SIZES = range(16, 513, 16)  # of its blocks
BYTES_B = 33  # of an empty bytes object
IN_A_ROW = 3  # blocks that show that a pool is new
MOST_B = 1 << 20  # of one size

_kept: list[object] = []


def fill(in_a_row: int = IN_A_ROW) -> None:
    """Take all blocks that are free in pools that are in use, so that of each size the next ones are in a new pool.

    Where memory is given out otherwise, the first size shows it, and nothing is kept.
    """
    for size in SIZES:
        make, row = _maker(size), 0
        before = len(_kept)
        for _ in range(MOST_B // size):
            block = make()
            _kept.append(block)
            row = row + 1 if id(block) % POOL_B == HEAD_B + row * size else 0
            if row == in_a_row:
                break
        else:
            del _kept[before:]
            return


def _maker(size: int) -> Callable[[], object]:
    """Of objects of this size."""
    if size == 16:
        return object
    if size == 32:
        return lambda: float("1.5")
    return lambda: bytes(size - BYTES_B)

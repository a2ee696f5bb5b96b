"""Memory as those find it who are forked: what they take is side by side, so that few pages are copied."""

POOL_B, HEAD_B = 16_384, 48  # of pymalloc's pools, from Python 3.10 on
SIZES = range(48, 513, 16)  # of its blocks; the smallest ones are taken while others are counted
BYTES_B = 33  # of an empty bytes object
IN_A_ROW = 8  # blocks that show that a pool is new
MOST_B = 1 << 20  # of one size

SMALL_B, BATCH = 32, 512  # what numbers take, and how many are taken at once: to count them takes some, too

_kept: list[object] = []


def fill(in_a_row: int = IN_A_ROW) -> None:
    """Take all blocks that are free in pools that are in use, so that of each size the next ones are in a new pool.

    Where memory is given out otherwise, the first size shows it, and nothing is kept.
    """
    for size in SIZES:
        row, before = 0, len(_kept)
        for _ in range(MOST_B // size):
            block = bytes(size - BYTES_B)
            _kept.append(block)
            row = row + 1 if id(block) % POOL_B == HEAD_B + row * size else 0
            if row == in_a_row:
                break
        else:
            del _kept[before:]
            return
    for _ in range(MOST_B // SMALL_B // BATCH):
        numbers = [number + 0.5 for number in range(BATCH)]
        _kept.append(numbers)
        if id(numbers[-1]) == id(numbers[-in_a_row]) + (in_a_row - 1) * SMALL_B:
            return

import sys
from collections import Counter

import pytest

from attacca.worker.runtime.process.zygote import pages


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is of CPython's own memory")
def test_what_is_taken_next_is_side_by_side() -> None:
    """Most of it: what else is made meanwhile lies in between."""
    pages.fill()
    together = 0
    for size in range(64, 417, 32):
        blocks = [bytes(size - pages.BYTES_B) for _ in range(8)]
        together += Counter(id(block) // pages.POOL_B for block in blocks).most_common(1)[0][1]
    assert together > 8 * 12 * 0.75


def test_where_no_pool_is_new_nothing_is_kept() -> None:
    before = len(pages._kept)
    pages.fill(in_a_row=-1)
    assert len(pages._kept) == before


def test_the_c_librarys_blocks_are_taken_until_they_lie_one_behind_the_other() -> None:
    """Here of a library that has some holes, and then goes on and on."""
    holes, asked = [(1 << 20) + 5000 * number for number in range(40)], []
    end = 1 << 24

    def malloc(size: int) -> int:
        nonlocal end
        asked.append(size)
        if holes:
            return holes.pop()
        end += size + pages.MARGIN_B // 2
        return end

    pages.fill_heap(malloc)
    assert not holes
    assert asked[: 40 + pages.IN_A_ROW + 1] == [pages.LARGEST_B - pages.MARGIN_B // 2] * (40 + pages.IN_A_ROW + 1)
    assert min(asked) == pages.SMALL_B - pages.MARGIN_B // 2
    assert len(asked) < 150


def test_where_they_never_do_it_ends() -> None:
    taken = 0

    def malloc(size: int) -> int:
        nonlocal taken
        taken += size
        return 0

    pages.fill_heap(malloc)
    assert taken <= pages.MOST_HEAP_B * 7

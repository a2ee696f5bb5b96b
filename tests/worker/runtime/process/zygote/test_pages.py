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

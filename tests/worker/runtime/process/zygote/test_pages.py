import sys

import pytest

from attacca.worker.runtime.process.zygote import pages


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is of CPython's own memory")
def test_what_is_taken_next_is_side_by_side() -> None:
    pages.fill()
    for size in (64, 176, 416):
        one, other = bytes(size - pages.BYTES_B), bytes(size - pages.BYTES_B)
        assert (id(one) // pages.POOL_B, abs(id(one) - id(other))) == (id(other) // pages.POOL_B, size)


def test_where_no_pool_is_new_nothing_is_kept() -> None:
    before = len(pages._kept)
    pages.fill(in_a_row=-1)
    assert len(pages._kept) == before

import os
import resource
from collections.abc import Iterator

import pytest

from attacca.errors import NoCapacity
from attacca.worker.runtime.process.ends import SPARE, Ends, ends


@pytest.fixture
def most() -> Iterator[int]:
    """So many descriptors that this process has room for one birth, and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    highest = max(map(int, os.listdir("/proc/self/fd")), default=free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + SPARE + 8, before[1]))
    yield highest + SPARE + 8
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def closed(found: Ends) -> None:
    for descriptor in (*found.ours, found.output, *found.inner):
        os.close(descriptor)


def test_what_is_written_at_one_end_is_read_at_the_other() -> None:
    found = ends()
    assert isinstance(found, Ends)
    for written, read in ((found.ours[1], found.inner[0]), (found.inner[1], found.ours[0])):
        os.write(written, b"x")
        assert os.read(read, 2) == b"x"
    os.write(found.inner[2], b"printed")
    assert os.read(found.output, 9) == b"printed"
    closed(found)


def test_those_that_are_left_to_clients_are_not_taken_and_nothing_is_kept(most: int) -> None:
    given = []
    while isinstance(one := ends(), Ends):
        given.append(one)
    assert given
    there = len(os.listdir("/proc/self/fd"))
    again = ends()
    assert isinstance(again, NoCapacity)
    assert len(os.listdir("/proc/self/fd")) == there
    assert f"may have {most:,} descriptors" in again.message
    for each in given:
        closed(each)
    last = ends()
    assert isinstance(last, Ends)
    closed(last)

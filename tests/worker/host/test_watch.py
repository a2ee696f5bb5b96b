"""What one sandbox holds, from the texts of /proc, and when that is too much."""

import os

from attacca.worker.host.watch import (
    DESCRIPTORS,
    Limit,
    Own,
    TooMuch,
    Usage,
    fields,
    mapped,
    no_group,
    own,
    own_share,
    too_much,
)
from tests.cases import each

STATUS = """Name:\tpython3
Umask:\t0022
Pid:\t 12
VmRSS:\t   48000 kB
RssAnon:\t   30000 kB
RssFile:\t   10000 kB
RssShmem:\t    8000 kB
VmPTE:\t     140 kB
VmSwap:\t      60 kB
HugetlbPages:\t       4 kB
Threads:\t3
"""
ROLLUP = """55d0c0a00000-7ffd3b1ff000 ---p 00000000 00:00 0                          [rollup]
Rss:               48000 kB
Pss:               25000 kB
Pss_Dirty:         20000 kB
Pss_Anon:          20000 kB
Pss_File:           3000 kB
Pss_Shmem:          2000 kB
Swap:                 60 kB
SwapPss:              30 kB
"""
MAPS = """55d0c0a00000-55d0c0a01000 r--p 00000000 08:01 4711                       /usr/bin/python3.11
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000300000 rw-s 00000000 00:01 42                         /memfd:some name (deleted)
7f0000400000-7f0000500000 rw-s 00000000 00:2a 7                          /tmp/a file
7ffd3b1de000-7ffd3b1ff000 rw-p 00000000 00:00 0                          [stack]
"""


def test_a_process_tells_of_its_own_and_not_of_files() -> None:
    assert own(STATUS) == Own(anonymous=30000, shared=8000, swapped=60, tables=140, huge=4, threads=3)
    assert own("") == own("Name:\tkthreadd\n") == Own()


def test_shared_pages_count_by_their_part_when_it_is_told() -> None:
    assert own_share(own(STATUS), ROLLUP) == Own(20000, 2000, 30, tables=140, huge=4, threads=3)
    assert own_share(own(STATUS), "") == own(STATUS), "the process has hidden it, or is gone"


def test_only_what_is_asked_for_is_read() -> None:
    assert fields(STATUS, ("Threads", "VmPTE", "Missing")) == {"Threads": 3, "VmPTE": 140}


def test_files_that_are_mapped() -> None:
    assert mapped(MAPS) == {
        (os.makedev(8, 1), 4711): "/usr/bin/python3.11",
        (os.makedev(0, 1), 42): "/memfd:some name (deleted)",
        (os.makedev(0, 0x2A), 7): "/tmp/a file",
    }


SOME = Usage(anonymous=1, shared=2, swapped=4, tables=8, files=16, pipes=32, sockets=64, processes=5, descriptors=9)


def test_every_part_counts_and_what_is_no_memory_does_not() -> None:
    assert SOME.memory_kb == 127
    for part in ("anonymous", "shared", "swapped", "tables", "files", "pipes", "sockets"):
        assert Usage(**{part: 7}).memory_kb == 7
    assert Usage(processes=3, descriptors=3).memory_kb == 0


def test_the_largest_part_is_named_first() -> None:
    assert str(Usage(anonymous=3 << 10, files=70 << 10, tables=1023)) == "70 MB files, 3 MB anonymous"
    assert str(SOME) == "less than 1 MB"


def test_a_limit_may_be_reached_and_not_passed() -> None:
    full = Usage(files=1024, processes=8, descriptors=DESCRIPTORS)
    assert too_much(full, Limit(1024, 8)) is None
    assert too_much(full, Limit(1023, 8)) == TooMuch("it went over its memory: 1 MB files", is_memory=True)
    assert too_much(full, Limit(1024, 7)) == TooMuch("it had more than 7 processes and threads")
    many = too_much(full._replace(descriptors=DESCRIPTORS + 1), Limit(1024, 8))
    assert many is not None
    assert not many.is_memory
    assert f"more than {DESCRIPTORS} open files" in many.why


@each(
    "isolation, limits, is_told",
    [
        ("process", "rlimits and a watchdog", True),
        ("process", "cgroup v2", False),
        ("process", "cgroup v1", False),
        ("none", "rlimits and a watchdog", False),
    ],
)
def test_people_are_told_when_memory_is_watched(isolation: str, limits: str, is_told: bool) -> None:  # noqa: FBT001
    assert bool(no_group({"isolation": isolation, "memory_limits": limits})) == is_told

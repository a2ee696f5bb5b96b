"""A child is found among several, once, and only while it lives."""

import os
import resource
import subprocess
from collections.abc import Iterator
from typing import NamedTuple, cast

import pytest

from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process.lineage import MANY, Lineage, children

Child = subprocess.Popen[bytes]


@pytest.fixture
def two() -> Iterator[tuple[Child, Child]]:
    made = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    yield made
    for one in made:
        one.kill()
        one.wait()


@pytest.fixture
def lineage() -> Lineage:
    made = Lineage()
    made.settle(os.getpid())
    return made


def test_who_is_told_of_is_found_and_no_other(lineage: Lineage, two: tuple[Child, Child]) -> None:
    for child in reversed(two):
        pid, pidfd = lineage.find(child.pid, 0)
        os.close(pidfd)
        assert pid == child.pid
    assert {child.pid for child in two} <= set(children(os.getpid()))


def test_nobody_is_found_twice_before_it_is_forgotten(lineage: Lineage, two: tuple[Child, Child]) -> None:
    first = two[0].pid
    os.close(lineage.find(first, 0)[1])
    assert lineage.find(first, 0) == (0, -1)
    assert repr(lineage) == f"<Lineage of {os.getpid()}, 1 known>"
    lineage.forget(first)
    os.close(lineage.find(first, 0)[1])


class Born(NamedTuple):
    """A group, as far as it matters here."""

    pids: list[int]

    def processes(self) -> list[int]:
        return self.pids


def test_among_many_it_is_looked_for_where_it_was_born_and_then_everywhere(two: tuple[Child, Child]) -> None:
    for born, is_many in (([0], False), ([1], True), ([0], True), ([], True), ([0, 1], True)):
        lineage = Lineage()
        lineage.settle(os.getpid())
        others = range(1 << 22, (1 << 22) + MANY + 1) if is_many else ()
        lineage._known |= set(others)
        pid, pidfd = lineage.find(two[1].pid, 0, cast(Group, Born([two[one].pid for one in born])))
        os.close(pidfd)
        assert pid == two[1].pid
    lineage.pid = 1  # whose children none of them are
    assert lineage.find(two[0].pid, 0, cast(Group, Born([two[0].pid]))) == (0, -1), "a group proves nothing"


def test_who_is_no_child_or_has_another_number_is_not_found(lineage: Lineage, two: tuple[Child, Child]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number, innermost in ((os.getpid(), 0), (os.getppid(), 0), (1, 0), (two[0].pid, 1), (two[0].pid, 2)):
        assert lineage.find(number, innermost) == (0, -1)
    assert len(os.listdir("/proc/self/fd")) == before, "nothing is left open"


def test_who_has_ended_is_not_found(lineage: Lineage, two: tuple[Child, Child]) -> None:
    two[0].kill()
    os.waitid(os.P_PID, two[0].pid, os.WEXITED | os.WNOWAIT)
    assert lineage.find(two[0].pid, 0) == (0, -1)


def test_it_is_found_by_whoever_has_many_files_open(lineage: Lineage, two: tuple[Child, Child]) -> None:
    """More than select() can name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2000, hard), hard))
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        pid, pidfd = lineage.find(two[0].pid, 0)
        os.close(pidfd)
        assert (pid, pidfd > 1023) == (two[0].pid, True)
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

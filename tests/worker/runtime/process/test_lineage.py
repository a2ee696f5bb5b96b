"""Texts of /proc/PID/status, as the kernel writes them, and as somebody with a hostile name would have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.lineage import Ids, Lineage, is_child, read_ids
from tests.cases import each

STATUS = """Name:\t{name}
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4242
Ngid:\t0
Pid:\t4242
PPid:\t{parent}
TracerPid:\t0
Uid:\t2000000001\t2000000001\t2000000001\t2000000001
Gid:\t2000000001\t2000000001\t2000000001\t2000000001
FDSize:\t64
Groups:\t{groups}
NStgid:\t{numbers}
NSpid:\t{numbers}
NSpgid:\t{numbers}
NSsid:\t{numbers}
Kthread:\t0
VmPeak:\t   24584 kB
Threads:\t1
NoNewPrivs:\t1
Seccomp:\t2
"""
ESCAPES = {"\n": "\\n", "\\": "\\\\"}  # what the kernel does to names, in this file
NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=15)
NUMBERS = st.lists(st.integers(1, 1 << 22), min_size=1, max_size=4)


def status(parent: int, numbers: list[int], name: str = "python3", groups: str = "") -> bytes:
    escaped = "".join(ESCAPES.get(letter, letter) for letter in name)
    told = "\t".join(map(str, numbers))
    return STATUS.format(name=escaped, parent=parent, numbers=told, groups=groups).encode("latin-1")


@given(st.integers(0, 1 << 22), NUMBERS, NAMES)
def test_a_name_changes_nothing(parent: int, numbers: list[int], name: str) -> None:
    assert read_ids(status(parent, numbers, name)) == Ids(parent, tuple(numbers))


@each(
    "name", ["PPid:\t1", "x\nPPid:\t1", "x\nNSpid:\t1", "\rPPid:\t1\r", "x\x0bPPid:\t1", "x\x85PPid:\t1", "\\nPPid:\t1"]
)
def test_nor_does_a_hostile_one(name: str) -> None:
    assert read_ids(status(7, [4242, 3], name)) == Ids(7, (4242, 3))


def test_without_them_there_are_none() -> None:
    whole = status(7, [4242, 3])
    assert read_ids(b"") is None
    assert read_ids(whole.replace(b"NSpid", b"Xspid")) is None
    assert read_ids(whole.replace(b"PPid", b"XPid")) is None


ZYGOTE = 100  # at depth 2: 100 outside, 1 in its own namespace


@each(
    "found, is_it",
    [
        (Ids(ZYGOTE, (4242, 5, 1)), True),
        (Ids(ZYGOTE, (4242, 5)), False),  # in no namespace of its own
        (Ids(ZYGOTE, (4242, 5, 2)), False),  # not the first of it
        (Ids(ZYGOTE, (4242, 5, 1, 1)), False),  # in one more
        (Ids(ZYGOTE, (4242, 6, 1)), False),  # another child
        (Ids(101, (4242, 5, 1)), False),  # another's child
        (Ids(ZYGOTE, (4242,)), False),
        (Ids(ZYGOTE, (5,)), False),
        (None, False),
    ],
)
def test_a_child_is_who_its_parent_says_only_if_it_is_seen_to_be(found: Ids | None, is_it: bool) -> None:  # noqa: FBT001 - a table
    assert is_child(found, ZYGOTE, 2, 5, 1) is is_it


@pytest.mark.parametrize(
    ("found", "is_it"),
    [(Ids(ZYGOTE, (4242,)), True), (Ids(ZYGOTE, (4242, 1)), False), (Ids(ZYGOTE, (4243,)), False)],
)
def test_without_namespaces_its_number_is_what_we_call_it(found: Ids, is_it: bool) -> None:  # noqa: FBT001 - a table
    assert is_child(found, ZYGOTE, 1, 4242, 0) is is_it


def test_it_says_how_it_is() -> None:
    assert repr(Lineage()) == "<Lineage of 0, 0 known>"

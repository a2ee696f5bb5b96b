"""Which process a profile is of, and what is said when there is none."""

import os
from pathlib import Path

import pytest

from attacca.cli.watch.profile import Profiled, Running, one_of, parent, serving, topmost, trouble
from attacca.errors import Conflict, NotFound
from tests.cases import each

PYTHON = "/usr/bin/python3"
HOME = Path("/home")
MODULE = [PYTHON, "-P", "-m", "attacca.cli.app"]
SCRIPT = [PYTHON, "/venv/bin/attacca"]


@each(
    "words, planes",
    [
        ([*MODULE, "up"], "control gateway worker"),
        ([*SCRIPT, "up", "--port", "0"], "control gateway worker"),
        ([*SCRIPT, "up", "--workers", "2"], ""),  # which have processes of their own
        ([*SCRIPT, "up", "--gateways=2"], ""),
        ([*MODULE, "worker", "--name", "w1"], "worker"),
        ([*MODULE, "worker", "--name", "w1", "--gateway", "g1"], "gateway worker"),
        ([*MODULE, "control", "--json"], "control"),
        ([*SCRIPT, "profile", "worker"], ""),
        ([*SCRIPT], ""),
        (["timeout", "60", "attacca", "up"], ""),
        ([PYTHON, "other.py", "attacca", "up"], ""),
        ([""], ""),
    ],
)
def test_a_process_is_the_planes_that_its_words_name(words: list[str], planes: str) -> None:
    assert [plane.value for plane in Profiled if list(serving([Running(7, words, HOME)], plane))] == sorted(
        planes.split()
    )


def test_of_several_the_state_directory_chooses() -> None:
    found = [
        Running(1, [*MODULE, "worker", "--state-dir", "/a/worker-1"], HOME),
        Running(2, [*MODULE, "worker", "--state-dir=/b"], HOME),
        Running(3, [*MODULE, "gateway", "--set", "control.state_dir=/a"], HOME),
    ]
    assert list(serving(found, Profiled.WORKER)) == [1, 2]
    assert (
        list(serving(found, Profiled.WORKER, "/a")) == list(serving(found, Profiled.WORKER, "/a/x/../worker-1")) == [1]
    )
    assert list(serving(found, Profiled.GATEWAY, "/a")) == [3]


def test_a_relative_directory_is_below_where_that_process_is() -> None:
    words = [*MODULE, "up", "--state-dir", "./state"]
    found = [Running(1, words, Path("/a")), Running(2, words, Path("/b"))]
    assert list(serving(found, Profiled.WORKER, "/b/state")) == [2]


def test_one_is_chosen_or_it_is_said_why_none_is() -> None:
    assert one_of([4], Profiled.WORKER) == 4
    with pytest.raises(NotFound, match="no worker runs"):
        one_of([], Profiled.WORKER)
    with pytest.raises(Conflict, match="4, 5"):
        one_of([5, 4], Profiled.WORKER)


@each(
    "said, words",
    [
        ("Error: Permission Denied: Try running again with elevated permissions", "is not to be looked into"),
        ("Error: No such process (os error 3)", "no Python process"),
        ("Error: Failed to open executable: entity not found", "no Python process"),
        ("Error: Failed to write flamegraph: No stack counts found", "did nothing"),
        ("Error: Failed to find python version from target process\n\nStack backtrace:\n 0: x", "no Python process"),
        ("Error: it rains\n\nStack backtrace:\n 0: x", "it rains"),
        ("", "said nothing"),
    ],
)
def test_what_goes_wrong_is_said_in_clear_words(said: str, words: str) -> None:
    assert words in str(trouble(7, said))


def test_a_child_that_has_not_yet_begun_to_be_something_else_is_its_parent() -> None:
    parents = {10: 1, 11: 10, 20: 11, 30: 12}
    assert topmost([10, 11, 30], parents.__getitem__) == [10, 30]
    assert (parent(os.getpid()), parent(1 << 30)) == (os.getppid(), 0)

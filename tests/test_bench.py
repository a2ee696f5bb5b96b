"""What the bench makes of what it measured."""

import os
from pathlib import Path

import msgspec
import pytest

from bench.client import read
from bench.open_loop import counted, schedule
from bench.places import PREFIX, abandoned, mounts
from scripts import docs

TOLD = """Running 1s test @ http://127.0.0.1:1/
  Latency Distribution
     50%    1.20ms
     99%{}
  9 requests in 1.00s, 1.00KB read
Requests/sec:     12.50
"""


@pytest.mark.parametrize(("p99", "us"), [("  850.00us", 850.0), ("    2.50ms", 2500.0), ("    1.20s ", 1_200_000.0)])
def test_units_of_wrk_are_read(p99: str, us: float) -> None:
    found = read(TOLD.format(p99))
    assert found == pytest.approx((12.5, us))


def test_a_refusal_is_no_throughput() -> None:
    with pytest.raises(RuntimeError, match="Non-2xx"):
        read(TOLD.format("  1.00ms") + "Non-2xx or 3xx responses: 3\n")


def test_a_schedule_is_its_seeds_and_ends_in_time() -> None:
    due = schedule(1000.0, 0.5, seed=7)
    assert due == schedule(1000.0, 0.5, seed=7) != schedule(1000.0, 0.5, seed=8)
    assert due == sorted(due)
    assert due[-1] < 0.5
    assert len(due) == pytest.approx(500, rel=0.2)


def test_an_open_loop_counts_from_when_it_was_due_and_without_the_warm_up() -> None:
    due = [0.1, 1.0, 2.0, 3.0, 4.0]
    took = [(0.1, 4.9, True), (1.0, 1.01, True), (2.0, 2.02, True), (3.0, 3.03, True), (4.0, 4.04, True)]
    found = counted(due, took, late=[0.1, 2.0], seconds=5.0)
    assert (found.asked_per_s, found.fine_per_s, found.late) == (1.0, 1.0, 0.25)
    assert found.p50_ms == pytest.approx(30.0)
    assert found.p99_ms == pytest.approx(40.0)
    assert found.is_fine


def test_what_was_refused_or_is_still_waited_for_took_as_long_as_it_was_waited_for() -> None:
    due = [1.0, 2.0, 3.0, 4.0]
    took = [(1.0, 1.01, True), (2.0, 2.02, False), (4.0, 5.5, True)]
    found = counted(due, took, late=[], seconds=5.0)
    assert found.fine_per_s == 0.25  # the last came when its queue alone was left
    assert found.p99_ms == pytest.approx(6000.0)
    assert not found.is_fine


def line(*measures: tuple[str, str], gone: tuple[str, ...] = ()) -> str:
    told = [
        {"name": name, "floor": floor, "unit": "us", "median": 2.0, "bar": 3.0, "at_least": False, "met": True,
         "rounds": [[2.0, 1.0]]}
        for name, floor in measures
    ]  # fmt: skip
    return msgspec.json.encode({"measures": told, "gone": gone}).decode()


def test_a_measure_that_is_gone_is_in_no_table_until_it_is_measured_again() -> None:
    lines = [line(("a", "x"), ("b", "x")), line(gone=("a",))]
    assert [found["name"] for found in docs.newest(lines)] == ["b"]
    assert [found["name"] for found in docs.newest([*lines, line(("a", "y"))])] == ["b", "a"]


def test_peers_come_before_floors() -> None:
    told = [line(("warm throughput", "relay"), ("many_gateways", "relay")), line(("app", "gunicorn, 2 workers"))]
    assert [row[0] for row in docs.shown(docs.newest(told))] == ["app", "warm throughput"]


def test_what_a_bench_left_that_was_killed_is_another_ones_to_remove(tmp_path: Path) -> None:
    names = [f"{PREFIX}{os.getpid()}-a", f"{PREFIX}4194305-b", f"{PREFIX}x-c", f"{PREFIX}abc_", "4194305-d"]
    for name in names:
        (tmp_path / name).mkdir()
    assert abandoned(tmp_path) == [tmp_path / names[1]]


def test_what_is_mounted_upon_others_goes_first() -> None:
    lines = ["30 1 0:9 / /b rw - tmpfs none rw", "31 30 0:9 / /b/x rw - tmpfs none rw", "32 31 0:9 / /b/x/y rw - o n r"]
    assert mounts("\n".join([*lines, "33 1 0:9 / /bx rw - tmpfs none rw"]), "/b") == ["/b/x/y", "/b/x"]

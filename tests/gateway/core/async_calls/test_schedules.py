"""What is due by itself: once per due time whoever is there, and told when nobody was."""

from datetime import UTC, datetime

import msgspec
import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import WallClock
from attacca.gateway.core.async_calls.schedules import LATE_S
from attacca.io.journal.memory import Book
from attacca.model.async_call import Kind
from attacca.model.function import Missed
from attacca.model.messages import Catalogue
from tests.gateway.core.async_calls.stage import AHEAD, Stage, Wall
from tests.gateway.play import revision

EACH = revision("f", schedule=("*/5 * * * *",))


def starts(stage: Stage) -> list[str]:
    calls = [record.call for record in stage.book.records.values() if record.call.kind is Kind.SCHEDULE]
    return [f"{datetime.fromtimestamp(call.at, UTC):%H:%M}" for call in sorted(calls, key=lambda call: call.at)]


@pytest.mark.long
def test_a_schedule_wakes_its_function_at_each_due_time() -> None:
    stage = Stage(EACH)
    stage.go(1000)
    assert f"{datetime.fromtimestamp(100 + AHEAD, UTC):%H:%M}" == "22:13"
    assert starts(stage) == ["22:15", "22:20", "22:25", "22:30"]
    assert all(record.call.state.value == "done" for record in stage.book.records.values())


@pytest.mark.long
def test_several_gateways_make_one_run_for_each_due_time() -> None:
    clock, book = Wall(100.0), Book()
    stages = [Stage(EACH, book=book, clock=clock) for _ in range(3)]
    for _ in range(1000):
        clock.time += 1
        for stage in stages:
            if stage.timer.at <= clock.time:
                stage.timer.ring()
            stage.turn()
    assert starts(stages[0]) == ["22:15", "22:20", "22:25", "22:30"]
    assert sum(sum(stage.runs.values()) for stage in stages) == 4


def test_what_was_missed_is_told_and_left_out() -> None:
    stage = Stage(EACH)
    stage.go(50)
    stage.clock.time += 3600
    later = Stage(EACH, book=stage.book, clock=stage.clock)
    later.go(1)
    assert ("missed", "f", 12) in later.said
    assert later.runs == {}
    later.go(300)
    assert sum(later.runs.values()) == 1
    assert later.book.marks["f UTC */5 * * * *"].missed == 12


def test_what_was_missed_is_made_good_once_where_that_is_asked_for() -> None:
    function = revision("f", schedule=("*/5 * * * *",), missed=Missed.ONCE)
    stage = Stage(function)
    stage.go(50)
    stage.clock.time += 3600
    later = Stage(function, book=stage.book, clock=stage.clock)
    beside = Stage(function, book=stage.book, clock=stage.clock)
    later.go(1)
    beside.go(1)
    assert sum(later.runs.values()) + sum(beside.runs.values()) == 1


def test_what_is_late_by_seconds_is_not_missed() -> None:
    stage = Stage(EACH)
    stage.go(50)
    due = stage.core.schedules.next_at - AHEAD
    stage.clock.time = due + LATE_S - 1
    later = Stage(EACH, book=stage.book, clock=stage.clock)
    later.go(0.1)
    assert sum(later.runs.values()) == 1
    assert [said for said in later.said if said[0] == "missed"] == []


def test_a_journal_that_fails_delays_a_run() -> None:
    stage = Stage(EACH)
    stage.go(50)
    stage.journal_fails = StateUnavailable("the disk is full")
    stage.go(200)
    assert stage.runs == {}
    stage.journal_fails = None
    stage.go(5)
    assert sum(stage.runs.values()) == 1


def test_schedules_come_and_go_with_their_functions() -> None:
    stage = Stage(revision("f"))
    stage.go(10)
    assert repr(stage.core.schedules) == "<Schedules 0, next at inf>"
    stage.functions.learn(Catalogue(2, (revision("f", 2, schedule=("0 3 * * *", "30 4 * * 1")),)))
    stage.feed(WallClock(stage.clock.wall()))
    stage.go(1)
    assert list(stage.core.schedules.by_name) == ["f UTC 0 3 * * *", "f UTC 30 4 * * 1"]
    assert set(stage.book.marks) == set(stage.core.schedules.by_name)
    stage.functions.learn(Catalogue(3, ()))
    stage.feed(WallClock(stage.clock.wall()))
    assert stage.core.schedules.by_name == {}


def test_one_deployed_again_after_a_while_has_missed_nothing() -> None:
    stage = Stage(EACH)
    stage.go(50)
    stage.clock.time += 3600
    again = msgspec.structs.replace(EACH, number=2, created_at=stage.clock.wall() - 10)
    later = Stage(again, book=stage.book, clock=stage.clock)
    later.go(1)
    assert later.said == []


def test_the_function_is_told_what_for() -> None:
    stage = Stage(EACH)
    stage.behave = lambda _, __: None
    stage.go(201)
    (record,) = stage.book.records.values()
    assert record.request is not None
    assert msgspec.json.decode(record.request.body) == {
        "schedule": "*/5 * * * *",
        "timezone": "UTC",
        "due": "2023-11-14T22:15:00Z",
    }


def test_a_clock_that_is_set_is_followed() -> None:
    stage = Stage(EACH)
    stage.go(10)
    at = stage.core.schedules.next_at
    stage.feed(WallClock(at + 1))
    stage.go(0.1)
    assert sum(stage.runs.values()) == 1

"""The last hour of a gateway, from the counters of its functions."""

import pytest

from attacca.gateway.core.history import FUNCTIONS_MOST, TURN, History, Tally
from attacca.gateway.core.inflight import NO_REQUEST, Function, Inflight
from attacca.gateway.core.workers import WorkerHandle
from attacca.model.history import FUNCTION_STEP_S, HOUR_S, STEP_S, FunctionNow, Step, bucket, percentile
from tests.gateway.play import Waiter, revision


class Place:
    """A gateway's functions, whose invocations end as they are told to."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.history = History()
        self.wall = 0.0

    def end(self, name: str, start: str = "warm", ms: float = 1.0, count: int = 1) -> None:
        function = self.functions.setdefault(name, Function(revision(name), 200))
        function.statistics.taken += count
        function.statistics.ended[start] += count
        ended = Inflight("1", function, NO_REQUEST, Waiter(), WorkerHandle("w1", 0.0), "there is one", 0.0, 0.0)
        ended.total_ms = ms
        function.recent.extend([ended] * count)

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.wall += STEP_S
            self.history.step(self.wall, self.functions)


def test_a_step_counts_what_has_ended_since_the_last() -> None:
    place = Place()
    place.end("f", "cold", 50.0)
    place.end("f", "warm", 1.0, 3)
    place.end("g", "none", 2.0)
    place.functions["g"].statistics.failed("timeout")
    place.functions["g"].statistics.refuse("queue_full")
    place.functions["g"].waiting, place.functions["f"].running = 2, 1
    place.step()
    place.step()
    first, second = place.history.of("")
    assert (first.at, first.warm, first.cold, first.unborn, first.failed, first.refused) == (10.0, 3, 1, 1, 1, 1)
    assert (first.waiting, first.running, first.ended) == (2, 1, 5)
    assert dict(first.took) == {bucket(1.0): 3, bucket(2.0): 1, bucket(50.0): 1}
    assert (second.ended, second.refused, second.failed, second.took) == (0, 0, 0, ())


def test_where_more_ended_than_are_remembered_those_stand_for_all() -> None:
    place = Place()
    place.end("f", ms=100.0, count=400)
    place.end("f", ms=1.0, count=200)
    place.step()
    [step] = place.history.of("")
    assert (step.warm, dict(step.took)) == (600, {bucket(1.0): 600})


def test_a_step_of_very_much_looks_at_a_few_of_each() -> None:
    place = Place()
    for number in range(30):
        place.end(f"f{number}", count=200)
    place.step()
    [step] = place.history.of("")
    assert (step.warm, dict(step.took)) == (6000, {bucket(1.0): 6000})


def test_a_function_has_minutes_of_its_own_and_those_without_anything_are_left_out() -> None:
    place = Place()
    per_minute = int(FUNCTION_STEP_S / STEP_S)
    place.end("f", count=2)
    place.step()
    place.end("f", "template")
    place.step(3 * per_minute - 1)
    place.end("f")
    place.step(per_minute)
    assert [(step.at, step.warm, step.template) for step in place.history.of("f")] == [(60.0, 2, 1), (240.0, 1, 0)]
    place.end("f", count=4)
    place.step()
    assert place.history.of("f")[2] == Step(at=250.0, warm=4, took=((bucket(1.0), 4),)), "of the minute so far"
    place.step(per_minute - 1)
    assert [(step.at, step.warm) for step in place.history.of("f")] == [(60.0, 2), (240.0, 1), (300.0, 4)]
    assert place.history.of("other") == ()
    place.step(int(HOUR_S / STEP_S))
    assert place.history.of("f") == ()
    assert len(place.history.of("")) == HOUR_S / STEP_S


def test_what_functions_are_now_has_the_percentiles_of_their_hour() -> None:
    place = Place()
    place.end("f", "cold", 80.0)
    place.end("f", ms=2.0, count=9)
    place.step()
    place.end("f", ms=2.0, count=9)
    place.step(10)
    [now] = place.history.now(place.functions.values())
    assert now == FunctionNow(function="f", revision=1, ended=19, cold=1, took=((bucket(2.0), 18), (bucket(80.0), 1)))
    assert percentile(now.took, 0.5) is not None


def test_who_is_as_before_has_the_row_that_it_had() -> None:
    place = Place()
    place.end("f")
    place.end("g")
    place.step()
    f, g = place.history.now(place.functions.values())
    place.end("g")
    again = place.history.now(place.functions.values())
    assert again[0] is f
    assert (again[1].ended, again[1].took) == (2, g.took)
    place.step()
    assert [row.took for row in place.history.now(place.functions.values())] == [f.took, ((bucket(1.0), 2),)]
    place.functions["f"].waiting = 1
    assert place.history.now(place.functions.values())[0].waiting == 1
    place.step(int((HOUR_S + FUNCTION_STEP_S) / STEP_S))
    assert [row.took for row in place.history.now(place.functions.values())] == [(), ()]
    del place.functions["f"]
    place.step()
    place.end("f", count=0)
    assert place.history.now(place.functions.values())[1].waiting == 0


def test_rows_of_many_functions_come_in_parts() -> None:
    place, rows = Place(), list[FunctionNow]()
    for number in range(2 * TURN):
        place.end(f"f{number}", count=0)
    assert len(list(place.history.rows(place.functions.values(), rows))) == 2
    assert tuple(rows) == place.history.now(place.functions.values())


def test_who_is_deleted_is_forgotten_and_who_is_deployed_anew_begins_anew() -> None:
    place = Place()
    place.end("f", count=5)
    place.step()
    del place.functions["f"]
    place.step()
    assert repr(place.history) == "<History 2 steps, 0 functions>"
    place.end("f", count=5)
    place.step()
    place.functions["f"] = Function(revision("f"), 200)
    place.end("f", count=2)
    place.step()
    assert [step.warm for step in place.history.of("")] == [5, 0, 5, 2]


@pytest.mark.long
def test_of_many_functions_those_called_last_are_remembered() -> None:
    place = Place()
    for number in range(FUNCTIONS_MOST + 5):
        place.end(f"f{number}")
    place.step()
    place.end("f0", count=3)
    place.step(int(FUNCTION_STEP_S / STEP_S) - 1)
    assert [step.warm for step in place.history.of("")][:2] == [FUNCTIONS_MOST + 5, 3]
    assert [step.warm for step in place.history.of("f0")] == [3]
    assert place.history.of("f1") == ()
    assert [step.warm for step in place.history.of("f9")] == [1]
    assert repr(place.history) == f"<History 6 steps, {FUNCTIONS_MOST + 5} functions>"
    assert repr(place.history._seen["f0"]) == "<Seen 4 taken, 0 open, 1 steps>"
    assert repr(Tally()) == "<Tally 0 warm, 0 cold, 0 failed>"


def test_a_step_of_many_functions_is_taken_in_parts_between_which_they_come_and_go() -> None:
    place = Place()
    for number in range(TURN + 1):
        place.end(f"f{number}")
    parts = place.history.parts(10.0, place.functions)
    next(parts)
    del place.functions["f0"], place.functions[f"f{TURN}"]
    place.end("late")
    assert list(parts) == []
    assert place.history.steps[-1].warm == TURN + 1  # those that were there when it began
    place.step()
    assert (place.history.steps[-1].warm, repr(place.history)) == (1, f"<History 2 steps, {TURN} functions>")

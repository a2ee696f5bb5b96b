"""Gateways with a journal each: a due time is one run, whoever is told to mind the schedules."""

from collections import Counter

import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import Minded
from attacca.gateway.core.async_calls.minding import MARGIN, MindingCore
from attacca.model.async_call import Kind, Mark
from attacca.model.function import Missed
from attacca.model.journals import MINDING_S, AskMinding, MindingTold
from tests.gateway.core.async_calls.stage import Stage, Wall
from tests.gateway.play import revision

EACH = revision("f", schedule=("* * * * *",))
ONCE = revision("f", schedule=("* * * * *",), missed=Missed.ONCE)
NAME, LASTS_S = "f UTC * * * * *", MINDING_S * (1 - MARGIN)


def told(asked: AskMinding, fence: int = 1, *marks: Mark, taken_at: float = 0.0) -> MindingTold:
    return MindingTold(asked.id, is_yours=True, fence=fence, taken_at=taken_at, marks=marks)


def test_it_minds_for_a_time_that_counts_from_the_question() -> None:
    core = MindingCore("one")
    first = core.ask(100.0, ())
    assert first == AskMinding("1", "one")
    assert core.hear(101.0, told(first, 3, Mark("f", 5.0), taken_at=7.0)) == Minded(
        100 + LASTS_S, (Mark("f", 5.0),), 7.0
    )
    second = core.ask(110.0, (Mark("f", 6.0),))
    assert second == AskMinding("2", "one", 3, (Mark("f", 6.0),))
    assert core.hear(111.0, told(second, 3)) == Minded(110 + LASTS_S)
    assert core.hear(111.0, told(first, 3)) is None, "an old word does nothing"
    assert repr(core) == "<MindingCore until 158: fence 3, 2 asked>"


def test_who_has_lapsed_or_been_refused_asks_where_to_begin() -> None:
    core = MindingCore("one")
    core.hear(100.0, told(core.ask(100.0, ()), 3))
    assert core.ask(100 + LASTS_S, ()).fence == 0
    asked = core.ask(100 + LASTS_S, ())
    core.hear(100 + LASTS_S, told(asked, 3))
    asked = core.ask(120 + LASTS_S, ())
    assert asked.fence == 3
    assert core.hear(130 + LASTS_S, MindingTold(asked.id, is_yours=False)) == Minded(float("-inf"))
    assert core.ask(121 + LASTS_S, ()).fence == 0


def test_who_lapses_while_it_asks_asks_again() -> None:
    core = MindingCore("one")
    core.hear(100.0, told(core.ask(100.0, ()), 3))
    asked = core.ask(110.0, ())
    assert core.hear(100 + LASTS_S, told(asked, 3)) is None
    assert core.ask(101 + LASTS_S, ()).fence == 0


class Two:
    """Each with a journal of its own, on one clock."""

    def __init__(self, function: object = EACH) -> None:
        self.clock = Wall(100.0)
        self.one, self.two = (Stage(function, clock=self.clock) for _ in range(2))  # type: ignore[arg-type]
        for stage in (self.one, self.two):
            stage.feed(Minded(float("-inf")))

    def go(self, duration_s: int) -> None:
        for _ in range(duration_s):
            self.clock.time += 1
            for stage in (self.one, self.two):
                if stage.timer.at <= self.clock.time:
                    stage.timer.ring()
                stage.turn()

    def dues(self) -> list[int]:
        """The minute of each run."""
        records = [record for stage in (self.one, self.two) for record in stage.book.records.values()]
        return sorted(int(one.call.at // 60) for one in records if one.call.kind is Kind.SCHEDULE)


def test_nothing_is_run_by_who_is_not_told_so() -> None:
    pair = Two()
    pair.go(300)
    assert pair.dues() == []
    assert pair.one.book.marks == {}


@pytest.mark.long
def test_one_is_told_so_and_then_the_other() -> None:
    pair = Two()
    pair.go(5)
    pair.one.feed(Minded(pair.clock.time + 100, ()))
    pair.go(200)
    first = pair.dues()
    assert 1 <= len(first) <= 2, "it ends by itself"
    marks = pair.one.core.schedules.marks()
    assert [mark.name for mark in marks] == [NAME]
    pair.two.feed(Minded(float("inf"), marks, pair.clock.wall()))
    pair.go(180)
    missed = [word for word in pair.two.said if word[0] == "missed"]
    dues = pair.dues()
    assert max(Counter(dues).values()) == 1
    assert len(dues) == len(first) + 3
    assert [count for _, _, count in missed] == [dues[-1] - dues[0] + 1 - len(dues)], "none is not told of"
    marks = pair.two.core.schedules.marks()
    pair.two.feed(Minded(float("-inf")))
    pair.one.feed(Minded(float("inf"), marks, pair.clock.wall()))
    pair.go(120)
    assert pair.dues() == [*dues, dues[-1] + 1, dues[-1] + 2]


def test_what_the_one_before_has_not_told_of_is_made_up_for_where_that_is_asked_for() -> None:
    for function, again in ((EACH, 0), (ONCE, 1)):
        pair = Two(function)
        pair.go(5)
        pair.one.feed(Minded(float("inf"), ()))
        pair.go(1)
        before = pair.one.core.schedules.marks()
        pair.go(60)
        runs = len(pair.dues())
        assert runs == 1
        pair.one.feed(Minded(float("-inf")))  # its machine is gone before it could tell
        pair.two.feed(Minded(float("inf"), before, pair.clock.wall()))
        pair.go(1)
        assert len(pair.dues()) == runs + again


def test_a_run_that_could_not_be_written_is_not_written_when_another_minds() -> None:
    pair = Two()
    pair.go(5)
    pair.one.feed(Minded(float("inf"), ()))
    pair.go(1)
    pair.one.journal_fails = StateUnavailable("full", "free space")
    pair.go(70)
    assert len(pair.one.core.books.pending) == 1
    pair.one.feed(Minded(float("-inf")))
    pair.one.journal_fails = None
    pair.go(120)
    assert (pair.dues(), pair.one.core.books.pending) == ([], {})
    pair.one.feed(Minded(float("inf"), ()))
    pair.go(1)
    assert ("missed", "f", 2) in pair.one.said

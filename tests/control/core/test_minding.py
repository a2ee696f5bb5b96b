"""Whose journal minds the schedules, and where it begins."""

from attacca.control.core.minding import Minder, later, minded
from attacca.model.async_call import Mark
from attacca.model.journals import AskMinding

F, G = Mark("f", 100.0, 2), Mark("g", 50.0)


def test_the_first_begins_with_what_it_has() -> None:
    assert minded(None, AskMinding("1", "one", 0, (F,)), 7, 1000.0) == Minder("one", 0.0, (F,))


def test_what_it_tells_later_is_all_there_is() -> None:
    before = Minder("one", 0.0, (F, G))
    told = AskMinding("2", "one", 7, (Mark("f", 160.0),))
    assert minded(before, told, 7, 1000.0) == Minder("one", 0.0, (Mark("f", 160.0, 2),))
    assert minded(before, AskMinding("2", "one", 7), 7, 1000.0) == before, "it does not know the functions yet"


def test_another_begins_where_the_one_before_has_told_that_it_was() -> None:
    taken = minded(Minder("one", 0.0, (F, G)), AskMinding("1", "two", 0, (Mark("g", 40.0),)), 8, 1000.0)
    assert taken == Minder("two", 1000.0, (F, G))
    assert minded(taken, AskMinding("2", "two", 0), 9, 2000.0) == taken, "it lapsed, and nobody was there meanwhile"


def test_a_mark_never_goes_back() -> None:
    assert later(None, F) is F
    assert later(F, Mark("f", 90.0, 3)) == Mark("f", 100.0, 3)

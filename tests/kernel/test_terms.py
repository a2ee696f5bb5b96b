from math import inf

from attacca.kernel.terms import Terms


def test_the_highest_term_is_obeyed_and_lower_ones_are_not() -> None:
    terms = Terms()
    assert terms.hear(0.0, 3) == ""
    assert terms.hear(1.0, 3) == ""
    assert terms.hear(2.0, 5) == ""
    assert terms.hear(3.0, 4) == "it leads by term 4, and term 5 has begun: another control leads"
    assert repr(terms) == "<Terms up to 5, silent at inf>"


def test_a_leader_that_says_nothing_is_missed_once() -> None:
    terms = Terms(silent_s=2.0)
    assert not terms.is_silent(99.0)
    terms.hear(10.0, 1)
    assert not terms.is_silent(11.9)
    assert terms.is_silent(12.0)
    terms.lose()
    assert terms.silent_at == inf


def test_one_that_is_refused_is_not_heard() -> None:
    terms = Terms(silent_s=2.0)
    terms.hear(0.0, 2)
    terms.hear(1.0, 1)
    assert terms.is_silent(2.0)

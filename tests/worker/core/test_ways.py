"""What workers of two domains say to each other comes in its order, or not at all."""

import random

from attacca.model.events import Carried, Done, Event, Passed, Torn
from attacca.worker.core.ways import Ways


def passed(number: int) -> Passed:
    return Passed(number, 1, Event("w.b.1", "w.a.1@w1", b"%d" % number))


def test_what_follows_a_gap_is_of_no_use_until_all_is_said_again() -> None:
    mine, theirs = Ways("w1", b"p"), Ways("w2", b"q")
    first, second, third = (mine.carry("b/w2", passed(number)) for number in (1, 2, 3))
    assert theirs.hear(first) == passed(1)
    assert theirs.hear(third) == Torn("w2", "w1")
    assert theirs.hear(third) is None, "it is said once"
    assert theirs.hear(second) == passed(2), "which comes late"
    assert not mine.anew("c/w3"), "nothing was ever said there"
    assert mine.anew("b/w2")
    again = [mine.carry("b/w2", passed(number)) for number in (3, 4)]
    assert [theirs.hear(one) for one in again] == [passed(3), passed(4)]
    assert theirs.hear(third) is None, "it is of the session before"
    assert (repr(mine), repr(theirs)) == ("<Ways to 1, from 0>", "<Ways to 0, from 1>")
    assert repr(theirs._into["w1"]) == "<Session 2: 2 heard>"


def test_a_domain_speaks_for_its_own_workers() -> None:
    mine = Ways("w1", b"p")
    told = Carried("b/w2", "w1", b"q", 1, 1, passed(1))
    heard = mine.hear(told)
    assert isinstance(heard, Passed)
    assert isinstance(heard.message, Event)
    assert heard.message.source == "w.a.1@b/w2"
    assert mine.hear(Carried("b/w2", "w1", b"r", 1, 1, Done(1))) == Done(1), "another process begins anew"


def test_whatever_is_lost_nothing_is_out_of_order() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        mine, theirs = Ways("w1", b"p"), Ways("w2", b"q")
        heard, kept = [], [passed(number) for number in range(1, 30)]
        while kept:
            mine.anew("b/w2")
            for one in kept:
                told = mine.carry("b/w2", one)
                came = theirs.hear(told) if chance.random() < 0.9 else None
                heard += [came.number] if isinstance(came, Passed) else []
            kept = [one for one in kept if one.number not in heard]
        assert heard == list(range(1, 30)), seed

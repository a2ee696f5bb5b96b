"""Who waits for room: kinds, their order, and what is taken out."""

from typing import cast

from attacca.control.core.cluster.scaled import ScaledFunction
from attacca.control.core.cluster.short import Short
from attacca.policy.scaling.types import Scalers
from tests.worker.stage import revision

NOBODY = cast(Scalers, None)


def function(name: str, memory_mb: int = 100) -> ScaledFunction:
    return ScaledFunction(revision(name, memory_mb=memory_mb), NOBODY)


def test_of_each_kind_the_first_stays_first_until_it_is_taken_out() -> None:
    short = Short()
    assert not short
    a, large, b = function("a"), function("large", 900), function("b")
    for one in (a, large, b, a):
        short.add(one)
    assert repr(short) == "<Short of room: 3 functions of 2 kinds>"
    assert list(short.kinds()) == [[a, b], [large]]
    short.remove("a")
    short.remove("a")
    assert "a" not in short
    short.add(a)
    assert list(short.kinds()) == [[b, a], [large]]
    for name in ("a", "b", "large"):
        short.remove(name)
    assert not short
    assert list(short.kinds()) == []


def test_whose_needs_have_changed_is_of_another_kind() -> None:
    short = Short()
    one = function("a")
    short.add(one)
    one.renew(revision("a", memory_mb=900), NOBODY)
    short.add(one)
    short.add(function("b"))
    assert [[each.name for each in kind] for kind in short.kinds()] == [["a"], ["b"]]


def test_they_may_be_taken_out_while_they_are_asked() -> None:
    short = Short()
    for name, memory_mb in (("a", 100), ("b", 100), ("c", 900)):
        short.add(function(name, memory_mb))
    asked = []
    for alike in short.kinds():
        for one in alike:
            asked.append(one.name)
            for name in "abc":
                short.remove(name)
    assert asked == ["a", "b"], "the rest of its own kind had been handed out, and the other kind is gone"

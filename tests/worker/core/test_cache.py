from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.cache import CacheBook

NAMES = st.sampled_from("abcdef")


def test_those_that_were_used_last_and_those_in_use_stay() -> None:
    book = CacheBook(10)
    for name, size in (("a", 4), ("b", 4), ("c", 4), ("d", 4)):
        book.add(name, size)
    book.use("b")
    assert book.drop({"a"}) == ["c", "d"]
    assert repr(book) == "<CacheBook 2 entries, 8 of 10 bytes>"
    assert book.drop(()) == []


def test_what_is_in_use_may_be_more_than_fits() -> None:
    book = CacheBook(1)
    book.add("a", 5)
    assert book.drop({"a"}) == []
    assert book.drop(()) == ["a"]


@given(st.lists(st.tuples(NAMES, st.integers(0, 9))), st.sets(NAMES), st.integers(0, 20))
def test_no_more_goes_than_must_and_nothing_that_is_held(
    added: list[tuple[str, int]], held: set[str], limit: int
) -> None:
    book = CacheBook(limit)
    for name, size in added:
        book.add(name, size)
    before = dict(book.sizes)
    gone = book.drop(held)
    assert not held & set(gone)
    assert book.used_bytes <= limit or set(book.sizes) <= held
    if gone:
        assert book.used_bytes + before[gone[-1]] > limit

from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams


def ids(seed: int, kind: str = "") -> list[str]:
    made = Ids(Streams(seed).stream("ids"), kind)
    return [made.next() for _ in range(20)]


def test_one_prefix_of_48_bits_and_a_hexadecimal_count() -> None:
    prefixes, counts = zip(*(name.split("-") for name in ids(1)), strict=True)
    assert len(set(prefixes)) == 1
    assert {len(name.partition("-")[0]) for seed in range(9) for name in ids(seed)} == {12}
    assert [int(count, 16) for count in counts] == list(range(1, 21))
    assert ids(1, "s") == [f"s{name}" for name in ids(1)]


def test_what_comes_next_is_known_before() -> None:
    made = Ids(Streams(1).stream("ids"))
    made.next()
    ahead = made.ahead(3)
    assert ahead == [made.next() for _ in range(3)]
    assert made.ahead(0) == []


def test_another_start_has_other_names() -> None:
    assert not set(ids(1)) & set(ids(2))


def test_it_says_how_many_it_has_given() -> None:
    given = Ids(Streams(1).stream("ids"))
    prefix = given.next().removesuffix("1")
    assert repr(given) == f"<Ids 1 given, as {prefix}>"

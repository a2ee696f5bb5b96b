"""The cut of the pure tests' files into shares."""

from hypothesis import given
from hypothesis import strategies as st

from scripts.shares import LONG, ROUNDS, SHORT, cut, deal, weight

SIZES = st.lists(st.integers(1, 40), max_size=30)


@given(SIZES, st.integers(1, 9))
def test_every_file_is_in_one_piece_and_neighbours_stay_together(sizes: list[int], pieces: int) -> None:
    shares = [sizes[piece] for piece in cut(sizes, pieces)]
    assert [size for share in shares for size in share] == sizes
    assert len(shares) <= pieces
    assert not sizes or all(shares)


@given(SIZES, st.integers(1, 9))
def test_no_piece_is_larger_than_its_part_by_more_than_a_file(sizes: list[int], pieces: int) -> None:
    part, largest = sum(sizes) / pieces, max(sizes, default=0)
    assert all(sum(sizes[piece]) <= part + largest for piece in cut(sizes, pieces))


def test_what_is_even_is_cut_evenly() -> None:
    assert [range(6)[piece] for piece in cut([5] * 6, 3)] == [range(2), range(2, 4), range(4, 6)]


@given(SIZES, st.integers(1, 4))
def test_every_file_is_dealt_to_one_process(sizes: list[int], processes: int) -> None:
    shares = deal([str(index) for index in range(len(sizes))], sizes, processes)
    assert sorted(name for share in shares for name in share) == sorted(str(index) for index in range(len(sizes)))
    assert len(shares) <= processes


def test_what_takes_ever_less_time_a_byte_is_dealt_to_and_fro() -> None:
    count = 4 * ROUNDS
    first, second = deal([str(index) for index in range(count)], [1] * count, 2)
    costs = [sum(count - int(name) for name in share) for share in (first, second)]
    assert abs(costs[0] - costs[1]) <= 4


def test_a_file_is_weighed_by_those_of_its_tests_that_are_run() -> None:
    text = b"@given(x)\n@pytest.mark.long\n" + b"-" * 90
    law = weight(b"@given(y)", LONG)
    assert (weight(text, SHORT), weight(text, LONG)) == (len(text) + law, 2 * law)
    assert weight(text) == len(text) + 2 * law
    text += b"\npytestmark = pytest.mark.long"
    assert (weight(text, SHORT), weight(text, LONG)) == (0, len(text))

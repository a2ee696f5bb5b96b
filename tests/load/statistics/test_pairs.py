import math
import random
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from attacca.load.statistics.pairs import EXACT, compare, ratio, signed_ranks
from attacca.load.statistics.samples import TOO_FEW

# Hours of sleep gained with two drugs, ten patients each (Student 1908).
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_students_own_pairs() -> None:
    found = compare(FIRST, SECOND)
    assert found.difference.value == pytest.approx(1.58)
    assert (found.base.value, found.other.value) == pytest.approx((0.75, 2.33))
    assert found.difference.low == pytest.approx(0.7001142, abs=1e-6)
    assert found.difference.high == pytest.approx(2.4598858, abs=1e-6)
    assert found.verdict == "worse"
    assert compare(SECOND, FIRST).verdict == "better"


def test_wilcoxon_counts_sign_patterns() -> None:
    assert signed_ranks([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 32)
    assert signed_ranks([1.0, -2.0, 3.0, 4.0, 5.0]) == pytest.approx(6 / 32)
    assert signed_ranks([1.0, -1.0]) == 1.0
    assert signed_ranks([0.0, 0.0]) == 1.0
    assert signed_ranks([float(value) for value in range(1, 41)]) < 1e-6


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30, 31, 80])
def test_signed_ranks_are_scipys_where_no_two_are_equal(count: int) -> None:
    draw = random.Random(count)
    gaps = [draw.gauss(0.4, 1.0) for _ in range(count)]
    theirs = wilcoxon(gaps, correction=True, method="exact" if count <= EXACT else "asymptotic")
    assert signed_ranks(gaps) == pytest.approx(float(theirs.pvalue), rel=1e-9)


def test_what_many_pairs_are_told_is_close_to_what_is_counted() -> None:
    draw = random.Random(5)
    gaps = [draw.gauss(0.3, 1.0) for _ in range(30)]
    counted = signed_ranks(gaps)
    more = signed_ranks([*gaps, 1e-9])
    assert math.isclose(counted, more, rel_tol=0.15)


def test_fiellers_interval_of_a_ratio() -> None:
    found = ratio([10.0, 11.0, 9.0, 10.5, 9.5], [20.0, 22.0, 18.0, 21.0, 19.0])
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio([0.0, 0.0], [1.0, 1.0]).note == TOO_FEW
    assert ratio([1.0, -0.9, 1.1], [1.0, 1.0, 1.0]).low is None  # the first may as well be nothing


@given(st.lists(st.tuples(st.integers(50, 150), st.integers(50, 150)), min_size=3, max_size=12))
def test_a_ratio_holds_one_if_and_only_if_the_difference_holds_nothing(pairs: list[tuple[int, int]]) -> None:
    base, other = [float(one) for one, _ in pairs], [float(two) for _, two in pairs]
    found = compare(base, other)
    assume(found.ratio.low is not None)
    assume(found.difference.half != 0.0)
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assume(min(abs(found.ratio.low - 1.0), abs(found.ratio.high - 1.0)) > 1e-9)
    assert found.difference.is_sure == (not found.ratio.low <= 1.0 <= found.ratio.high)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_signed_ranks_against_every_pattern_of_signs(gaps: list[int]) -> None:
    sizes = sorted(abs(gap) for gap in gaps if gap)
    ranks = [sum(sizes.index(size) + 1 + place for place in range(sizes.count(size))) for size in sizes]
    means = [rank / sizes.count(size) for rank, size in zip(ranks, sizes, strict=True)]
    above = sum(rank for rank, gap in zip(means, sorted((g for g in gaps if g), key=abs), strict=True) if gap > 0)
    least = min(above, sum(means) - above)
    sums = [
        sum(rank for rank, sign in zip(means, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(means))
    ]
    wanted = min(1.0, 2 * sum(found <= least + 1e-9 for found in sums) / len(sums))
    assert signed_ranks([float(gap) for gap in gaps]) == pytest.approx(wanted)


def test_shared_seeds_make_small_differences_visible() -> None:
    draw = random.Random(2)
    base = [draw.gauss(100.0, 20.0) for _ in range(10)]
    found = compare(base, [value - 1.0 + draw.gauss(0.0, 0.2) for value in base])
    assert found.verdict == "better"
    assert found.gain > 100
    assert found.base.high is not None
    assert found.other.value > (found.base.low or 0.0)  # each by itself says nothing


def test_one_pair_says_nothing() -> None:
    found = compare([1.0], [2.0])
    assert found.verdict == TOO_FEW
    assert math.isnan(found.gain)
    assert compare([1.0, 2.0], [1.0, 4.0]).gain == pytest.approx(2.5)

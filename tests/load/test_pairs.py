import math
import random

import pytest

from attacca.load.pairs import compare, ratio, signed_ranks
from attacca.load.statistics import TOO_FEW

# Hours of sleep gained with two drugs, ten patients each (Student 1908).
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_students_own_pairs() -> None:
    found = compare(FIRST, SECOND)
    assert found.difference.value == pytest.approx(1.58)
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


def test_what_many_pairs_are_told_is_close_to_what_is_counted() -> None:
    draw = random.Random(5)
    gaps = [draw.gauss(0.3, 1.0) for _ in range(30)]
    counted = signed_ranks(gaps)
    more = signed_ranks([*gaps, 1e-9])
    assert math.isclose(counted, more, rel_tol=0.15)


def test_a_ratio_has_an_interval_that_is_the_same_each_time() -> None:
    base = [10.0, 11.0, 9.0, 10.5, 9.5]
    found = ratio(base, [value * 2.0 for value in base])
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio(FIRST, SECOND) == ratio(FIRST, SECOND)
    assert ratio([0.0, 0.0], [1.0, 1.0]).note == TOO_FEW


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

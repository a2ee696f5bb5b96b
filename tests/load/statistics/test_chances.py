import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.statistics.chances import binomial_rank, binomial_share, normal_tail, t_quantile


@pytest.mark.parametrize(
    ("p", "freedom", "value"),
    [  # tables of Student's t
        (0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.975, 4, 2.77645), (0.975, 9, 2.26216), (0.95, 9, 1.83311),
        (0.975, 29, 2.04523), (0.995, 9, 3.24984), (0.9995, 5, 6.86883), (0.975, 1000, 1.96234), (0.025, 9, -2.26216),
    ],
)  # fmt: skip
def test_quantiles_of_t_are_those_of_the_tables(p: float, freedom: int, value: float) -> None:
    assert t_quantile(p, freedom) == pytest.approx(value, abs=6e-5 if abs(value) < 10 else 6e-4)


def test_one_degree_of_freedom_is_cauchy() -> None:
    for p in (0.01, 0.5, 0.6, 0.975, 0.9999):
        assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), abs=1e-13, rel=1e-10)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.integers(-1, 61))
def test_the_binomial_is_the_sum_of_its_terms(n: int, p: float, k: int) -> None:
    terms = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
    assert binomial_share(k, n, p) == pytest.approx(terms, abs=1e-11)


def test_ranks_of_many_tries_are_those_of_the_normal_law() -> None:
    n, p = 3_000_000, 0.99
    near = n * p + 1.959964 * math.sqrt(n * p * (1 - p))
    assert abs(binomial_rank(0.975, n, p) - near) < 3


def test_normal() -> None:
    assert normal_tail(1.959964) == pytest.approx(0.025, abs=1e-7)

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.sampling import Sampler, wasserstein

TABLES = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 500), st.integers(1, 64)), min_size=1, max_size=12)


def table(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    calls, durations, memory = zip(*rows, strict=True)
    return pl.DataFrame({"invocations": calls, "duration_ms": [float(one) for one in durations], "memory_mb": memory})


@given(TABLES, st.integers(0, 5))
def test_every_sample_holds_the_smaller_ones(rows: list[tuple[int, int, int]], seed: int) -> None:
    sampler = Sampler(table(rows), seed)
    samples = [sampler.take(size) for size in range(1, len(rows) + 1)]
    assert [len(set(sample)) for sample in samples] == list(range(1, len(rows) + 1))
    for smaller, larger in pairwise(samples):
        assert set(smaller) < set(larger)
    assert samples[-1] == list(range(len(rows)))
    assert sampler.distance(samples[-1]).total() == 0


@given(TABLES, st.integers(0, 5))
def test_the_same_seed_takes_the_same(rows: list[tuple[int, int, int]], seed: int) -> None:
    assert Sampler(table(rows), seed).ranking.tolist() == Sampler(table(rows), seed).ranking.tolist()


def test_it_is_nearer_to_the_whole_than_chance() -> None:
    chance = np.random.default_rng(1)
    drawn = zip(chance.lognormal(3, 2, 200), chance.lognormal(4, 2, 200), chance.lognormal(4, 1, 200), strict=True)
    sampler = Sampler(table([(int(one), int(other) + 1, int(last) + 1) for one, other, last in drawn]), 1)
    for size, better_than in ((100, 0.95), (50, 0.95), (25, 0.7), (13, 0.7)):
        ours = sampler.distance(sampler.take(size)).total()
        theirs = [sampler.distance(np.sort(chance.choice(200, size, replace=False))).total() for _ in range(200)]
        assert ours < np.quantile(theirs, 1 - better_than)


def test_distance_is_the_work_of_moving_one_pile_onto_the_other() -> None:
    assert wasserstein(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == pytest.approx(2)
    assert wasserstein(np.array([0.0]), np.array([0.0, 1.0])) == pytest.approx(0.5)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_distance_against_a_dumb_twin(one: list[int], other: list[int]) -> None:
    """Both lists repeated to the same length, then paired in order."""
    first, second = sorted(one * len(other)), sorted(other * len(one))
    twin = sum(abs(a - b) for a, b in zip(first, second, strict=True)) / len(first)
    assert wasserstein(np.sort(np.array(one, float)), np.sort(np.array(other, float))) == pytest.approx(twin)


def test_one_function_that_has_most_of_the_load_is_said_to() -> None:
    rows = [(10, 10, 10)] * 30 + [(5000, 10, 10)]
    sampler = Sampler(table(rows), 1)
    holds = [size for size in range(1, 32) if 30 in sampler.take(size)]
    assert f"Samples of {holds[0]} functions" in sampler.caution()
    assert "94%" in sampler.caution()
    assert Sampler(table(rows[:30]), 1).caution() == ""


def test_how_a_sample_stands_beside_the_whole() -> None:
    sampler = Sampler(table([(10, 10, 10), (20, 10, 10), (30, 100, 10), (40, 1, 10)]), 1)
    found = sampler.standing([0, 1])
    assert found.load == pytest.approx(15 / 25 - 1)
    assert found.work == pytest.approx(150 / 835 - 1)
    assert found.dominant == pytest.approx(2 / 3)
    assert sampler.standing([0, 1, 2, 3]).nearer == 0.0  # there is no other of this size
    assert 0.0 <= found.nearer <= 1.0

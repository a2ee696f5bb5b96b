from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.transforms.nearness import Nearness, wasserstein
from attacca.load.traces.transforms.sampling import RANDOM, Sampler
from attacca.load.traces.types import Keep

TABLES = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 500), st.integers(1, 64)), min_size=1, max_size=12)


def table(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    calls, durations, memory = zip(*rows, strict=True)
    return pl.DataFrame({"invocations": calls, "duration_ms": [float(one) for one in durations], "memory_mb": memory})


KEEPS: tuple[Keep, ...] = ("shape", "load", "both")


@given(TABLES, st.integers(0, 5), st.sampled_from(KEEPS), st.data())
def test_of_few_functions_none_is_nearer(
    rows: list[tuple[int, int, int]], seed: int, keep: Keep, data: st.DataObject
) -> None:
    sampler = Sampler(table(rows), seed, keep)
    size = data.draw(st.integers(1, len(rows)))
    ours = sampler.take(size)
    assert len(set(ours)) == size
    theirs = data.draw(st.permutations(range(len(rows))))[:size]
    assert sampler.distance(ours).total(keep) <= sampler.distance(theirs).total(keep) + 1e-9 or ours == sorted(theirs)
    assert sampler.distance(ours).total(keep) <= sampler.standing(ours).best + 1e-12
    assert sampler.distance(range(len(rows))).total(keep) == pytest.approx(0.0)


@given(TABLES, st.integers(0, 5), st.sampled_from(KEEPS))
def test_the_same_seed_takes_the_same_whatever_was_asked_before(
    rows: list[tuple[int, int, int]], seed: int, keep: Keep
) -> None:
    fresh, used = Sampler(table(rows), seed, keep), Sampler(table(rows), seed, keep)
    used.chain(range(1, len(rows) + 1))
    assert fresh.take(1) == used.take(1)


def skewed(count: int) -> pl.DataFrame:
    """A few functions have most of the load."""
    chance = np.random.default_rng(1)
    drawn = zip(
        chance.lognormal(3, 2.5, count), chance.lognormal(4, 2, count), chance.lognormal(4, 1, count), strict=True
    )
    return table([(int(one), int(other) + 1, int(last) + 1) for one, other, last in drawn])


@pytest.mark.parametrize("keep", KEEPS)
def test_no_sample_is_further_than_the_best_of_a_hundred_that_chance_draws(keep: Keep) -> None:
    functions = skewed(200)
    for seed in (1, 2):
        sampler = Sampler(functions, seed, keep)
        for size in (10, 25, 50, 100, 150):
            ours, chance = sampler.distance(sampler.take(size)).total(keep), np.random.default_rng(size)
            drawn = (np.sort(chance.choice(200, size, replace=False)) for _ in range(RANDOM))
            assert ours <= min(sampler.distance(one).total(keep) for one in drawn)


def test_the_load_is_kept_where_it_is_asked_for_and_the_shape_with_it() -> None:
    shape, load, both = (Sampler(skewed(200), 1, keep) for keep in KEEPS)
    for size in (25, 50, 100):
        found = [one.distance(one.take(size)) for one in (shape, load, both)]
        assert found[1].load < 0.01
        assert found[2].load < 0.1
        assert found[0].shape < found[2].shape < 3 * found[0].shape


def test_samples_of_one_shape_hold_the_smaller_ones() -> None:
    sampler = Sampler(skewed(100), 1, "shape")
    samples = [sampler.take(size) for size in (10, 20, 40, 80)]
    for smaller, larger in pairwise(samples):
        assert set(smaller) < set(larger)
    assert sampler.chain([80, 10]) == {80: samples[3], 10: samples[0]}


def test_samples_that_are_asked_for_together_lie_within_one_another() -> None:
    chance = np.random.default_rng(3)
    even = table([(100 + int(one), 10 + int(one) % 7, 64) for one in chance.integers(0, 50, 120)])
    found = Sampler(even, 1, "both").chain([20, 40, 80])
    assert list(found) == [80, 40, 20]
    for size in (20, 40):
        assert set(found[size]) < set(found[2 * size])


@given(TABLES, st.data())
def test_a_distance_is_that_of_the_sorted_values(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    near = Nearness(table(rows))
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, unique=True))
    feature = near.features[1]
    twin = wasserstein(np.sort(feature[np.array(chosen)]), np.sort(feature))
    assert near.distance(chosen).duration == pytest.approx(twin)


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

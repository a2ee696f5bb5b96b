import numpy as np
import pytest

from attacca.load.traces import azure_tables as azure
from attacca.load.traces.fitness import fits, load
from attacca.load.traces.synth import DAY_S, Azure, Recipe, _gaps, _renewals
from tests.load.traces.made import rows, total

MANY = Azure(Recipe(functions=20_000, minutes=1, seed=3))


def test_it_fits_the_tables_it_is_made_from() -> None:
    found = {(fit.what, fit.measure): fit for fit in fits(MANY)}
    for what in ("rates, per day", "memory of apps, MB", "durations, to the fit", "functions of an app"):
        fit = found[what, "KS"]
        assert fit.limit is not None
        assert fit.distance < fit.limit * 1.2
    assert found["triggers", "gap"].distance < 0.02
    assert found["load of the top 10 %", "gap"].distance < 0.03
    assert found["durations, to figures", "KS"].distance > 0.05  # the published fit is that far from its own figure


def test_shares_and_values_are_each_others_inverse() -> None:
    luck = np.array([0.1, 0.5, 0.9, 0.97, 0.9999])
    assert azure.rate_share(azure.rates(luck)) == pytest.approx(luck, abs=1e-6)
    memory = azure.memory_mb(luck)
    assert azure.memory_share(memory)[:3] == pytest.approx(luck[:3])


def test_the_same_seed_makes_the_same_and_another_another() -> None:
    recipe = Recipe(functions=20, minutes=30, target_rps=1.0, seed=5)
    made = rows(Azure(recipe).trace())
    assert rows(Azure(recipe).trace()) == made
    assert rows(Azure(Recipe(functions=20, minutes=30, target_rps=1.0, seed=6)).trace()) != made
    assert [at for at, _, _ in made] == sorted(at for at, _, _ in made)
    assert all(0 <= at < 1800 for at, _, _ in made)


@pytest.mark.parametrize("target", [0.5, 20.0])
def test_the_load_is_what_was_asked_for(target: float) -> None:
    made = Azure(Recipe(functions=400, minutes=60, target_rps=target, seed=2))
    number = total(made.trace())
    assert number / 3600 == pytest.approx(target, rel=0.2)
    assert f"{number:,} invocations in 1 h" in load(made, number)


def test_popular_functions_can_be_made_the_short_ones() -> None:
    def correlation(coupling: float) -> float:
        made = Azure(Recipe(functions=2000, minutes=1, rank_coupling=coupling))
        return float(np.corrcoef(np.log(made.rates), np.log(made.means_s))[0, 1])

    assert abs(correlation(0.0)) < 0.1
    assert correlation(0.9) < -0.8


@pytest.mark.parametrize("variation", [0.0, 0.5, 1.0, 3.0])
def test_gaps_have_the_mean_and_the_variation_that_are_asked_for(variation: float) -> None:
    gaps = _gaps(np.random.default_rng(1), 200_000, 2.0, variation)
    assert gaps.mean() == pytest.approx(2.0, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.05, abs=1e-9)


def test_renewals_cover_the_trace() -> None:
    found = _renewals(np.random.default_rng(1), 0.5, 1.0, 1000.0)
    assert found[-1] > 1000
    assert found[0] < 0
    inside = ((found >= 0) & (found < 1000)).sum()
    assert inside == pytest.approx(500, rel=0.15)


def test_timers_keep_their_period() -> None:
    made = Azure(Recipe(functions=300, minutes=120, jitter_s=0.0, seed=1))
    trace = made.trace()
    each = [row for row, trigger in enumerate(made.triggers) if trigger == "timer" and made.rates[row] > 100]
    busy = each[0]
    at = np.array([at for at, function, _ in rows(trace) if function == busy])
    assert np.diff(at) == pytest.approx(DAY_S / made.rates[busy])

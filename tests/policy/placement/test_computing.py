from collections import Counter

import pytest

from attacca.model.machine import Machine
from attacca.model.resources import Resources
from attacca.policy.placement.computing import Computing
from tests.policy.placement.machines import SMALL, Facts, made, placed


@pytest.mark.long
@pytest.mark.parametrize(("formula", "share"), [("product", 8 / 9), ("larger", 4 / 5)])
def test_who_can_compute_more_gets_more_by_either_formula(formula: str, share: float) -> None:
    small, large = Machine(processors=1, cores=1, mhz=2000.0), Machine(processors=4, cores=2, mhz=2000.0)
    policy = Computing(formula=formula)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    for seed in range(400):
        fleet = [Facts("ant", machine=small), Facts("bee", machine=large)]
        counts.update(placed(made(policy, fleet, seed), fleet, [SMALL]))
    assert abs(counts["bee"] / 400 - share) < 0.06


def test_whose_speed_is_unknown_counts_for_one_and_who_is_full_for_nothing() -> None:
    fleet = [Facts("ant", Resources(0)), Facts("bee", machine=Machine(mhz=0.0))]
    placer = made(Computing(), fleet)
    assert repr(placer) == "<Drawn 2 workers, of weight 2>"
    assert placed(placer, fleet, [SMALL]) == ["bee"]

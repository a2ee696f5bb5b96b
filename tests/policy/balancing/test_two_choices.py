from itertools import combinations

from hypothesis import given

from attacca.policy.balancing.two_choices import TwoChoices
from attacca.policy.balancing.types import Asked
from tests.policy.balancing.fleet import FLEETS, Facts, Rigged, made


def test_the_only_one_needs_no_draw() -> None:
    balancer = TwoChoices().fresh(Rigged())
    balancer.among([Facts("a", running=9)])
    assert balancer.pick(0.0, Asked("f")).worker == "a"


@given(FLEETS)
def test_it_is_the_less_loaded_of_two_different_ones(fleet: list[Facts]) -> None:
    """Every pair can be drawn, in both orders; the winner is what a look at the pair says."""
    names = {worker.name: worker for worker in fleet}
    ranked = sorted(fleet, key=lambda worker: worker.name)
    for first, second in combinations(range(len(fleet)), 2):
        pair = [ranked[first], ranked[second]]
        best = min(pair, key=lambda worker: ((worker.queued + worker.running) / worker.limit, worker.name))
        draws = [(first, second - 1), (second, first)]  # the second draw skips the first one's place
        for one, other in draws:
            count = len(fleet)
            balancer = TwoChoices().fresh(Rigged((one + 0.5) / count, (other + 0.5) / (count - 1)))
            balancer.among(fleet)
            assert names[balancer.pick(0.0, Asked("f")).worker] is best


def test_it_is_nearly_as_even_as_looking_at_all() -> None:
    fleet = [Facts(f"w{number}", limit=1) for number in range(10)]
    balancer = made(TwoChoices(), fleet)
    by_name = {worker.name: worker for worker in fleet}
    for _ in range(1000):
        by_name[balancer.pick(0.0, Asked("f")).worker].running += 1
    assert max(worker.running for worker in fleet) <= 104  # one random draw gives about 120

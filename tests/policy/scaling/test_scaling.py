"""What all members of the family have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.kernel.registry import build
from attacca.policy.scaling import SCALING
from attacca.policy.scaling.fixed import Fixed
from attacca.policy.scaling.knative import Knative
from attacca.policy.scaling.types import FROM_ZERO, Demand, Scaled, Scaler, Scalers, decide
from tests.policy.scaling.demands import STORIES, Cluster

members = pytest.mark.parametrize("name", SCALING)
ELASTIC = sorted(set(SCALING) - {"fixed"})


def made(name: str) -> Scaler:
    return Scalers(build(SCALING, name, {}, "attacca.policy.scaling"))._fresh()


@members
@given(story=STORIES, after_s=st.sampled_from([0.0, 0.5, 50.0, 500.0]))
def test_the_first_request_from_zero_starts_a_sandbox_at_once(
    name: str, story: list[tuple[float, int]], after_s: float
) -> None:
    cluster = Cluster(made(name)).play(story)
    cluster.until(cluster.now + after_s)
    cluster.ready, cluster.load = 0, 1
    assert cluster.ask().wanted >= 1


@members
@given(story=STORIES, least=st.integers(0, 3), more=st.integers(1, 3))
def test_it_stays_within_the_functions_bounds(name: str, story: list[tuple[float, int]], least: int, more: int) -> None:
    cluster = Cluster(made(name), least=least, most=least + more).play(story)
    assert all(least <= wanted <= least + more for _, wanted in cluster.answers)


@members
@given(story=STORIES)
def test_it_says_why_and_when_to_ask_again(name: str, story: list[tuple[float, int]]) -> None:
    cluster = Cluster(made(name)).play(story)
    answer = cluster.ask()
    assert answer.why
    assert answer.again_at is None or answer.again_at > cluster.now


@pytest.mark.long
@members
@given(load=st.integers(0, 6), concurrency=st.integers(1, 3))
def test_where_nothing_changes_the_answer_settles(name: str, load: int, concurrency: int) -> None:
    cluster = Cluster(made(name), concurrency=concurrency).play([(0.0, load)])
    settled = cluster.settle()
    cluster.answers.clear()
    assert cluster.settle() == settled
    assert {wanted for _, wanted in cluster.answers} <= {settled}


@pytest.mark.long
@members
@given(load=st.integers(0, 6), more=st.integers(0, 4), concurrency=st.integers(1, 3))
def test_more_load_never_means_fewer_sandboxes(name: str, load: int, more: int, concurrency: int) -> None:
    calm, busy = (Cluster(made(name), concurrency=concurrency).play([(0.0, each)]) for each in (load, load + more))
    assert calm.settle() <= busy.settle()


@pytest.mark.long
@pytest.mark.parametrize("name", ELASTIC)
@given(story=STORIES)
def test_who_is_not_called_any_more_has_nothing_and_is_not_asked_about(
    name: str, story: list[tuple[float, int]]
) -> None:
    cluster = Cluster(made(name)).play([*story[:6], (1.0, 0)])
    assert (cluster.settle(3 * 3600.0), cluster.again_at) == (0, None)


@pytest.mark.long
@members
@given(story=STORIES, at=st.lists(st.floats(0.01, 0.9), max_size=3))
def test_to_be_asked_in_between_changes_nothing(name: str, story: list[tuple[float, int]], at: list[float]) -> None:
    plain, pestered = (Cluster(made(name)).play([*story, (1.0, 2)]) for _ in range(2))
    for share in sorted(at):
        if pestered.again_at is not None:
            now = plain.now + share * (pestered.again_at - plain.now)
            assert decide(pestered.scaler, now, pestered.demand()).wanted == pestered.ready
    assert plain.settle() == pestered.settle()


class Lazy:
    def ask(self, now: float, demand: Demand) -> Scaled:
        return Scaled(0, "not now")


def test_whatever_a_scaler_says_nobody_waits_for_none() -> None:
    assert decide(Lazy(), 0.0, Demand(waiting=1)) == (1, FROM_ZERO, None)
    assert decide(Lazy(), 0.0, Demand()).wanted == 0
    assert decide(Lazy(), 0.0, Demand(least=2)) == (2, "min_sandboxes, else 0: not now", None)
    assert decide(Fixed(count=9).fresh(), 0.0, Demand(most=4)) == (4, "max_sandboxes, else 9: fixed", None)


class Counting:
    """What it makes is known to all of its scalers."""

    def shared(self) -> list[str]:
        return []

    def fresh(self, shared: object) -> "Counted":
        assert isinstance(shared, list)
        return Counted(shared)


class Counted:
    def __init__(self, shared: list[str]) -> None:
        self._shared = shared

    def ask(self, now: float, demand: Demand) -> Scaled:
        self._shared.append("asked")
        return Scaled(len(self._shared), "counted")


def test_each_function_has_a_scaler_and_those_of_one_policy_may_share() -> None:
    scalers = Scalers(Counting())
    assert [scalers.ask(0.0, function, Demand()).wanted for function in "aba"] == [1, 2, 3]
    assert repr(scalers) == "<Scalers Counting, 2 functions>"
    scalers.forget("a")
    scalers.forget("nobody")
    assert repr(scalers) == "<Scalers Counting, 1 functions>"
    apart = Scalers(Knative())
    apart.ask(0.0, "busy", Demand(running=9, ready=9))
    assert apart.ask(0.0, "idle", Demand()).wanted == 0


class Mute:
    def fresh(self) -> object:
        return object()


def test_what_lacks_something_is_refused_before_it_is_asked() -> None:
    with pytest.raises(BadConfig, match=r"scaling policy Mute: object lacks ask\(now, demand\)"):
        Scalers(Mute())  # type: ignore[arg-type]

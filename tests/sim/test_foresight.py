from collections.abc import Sequence

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import Choice, Clients, Scenario, Workload
from attacca.load.workload.schedule import Schedule
from attacca.policy.balancing.least_loaded import LeastLoaded
from attacca.policy.balancing.types import LISTENING, Asked, Balancer, Picked, Worker
from attacca.sim.foresight import Again, Noted, foresee
from tests.sim.play import exponential, function, play, scenario


class Place:
    """A worker of which nothing but the name matters."""

    def __init__(self, name: str) -> None:
        self.name = name


class First:
    """Always the first of those that are there."""

    def among(self, workers: Sequence[Worker]) -> None:
        self._first = workers[0].name

    def pick(self, now: float, asked: Asked) -> Picked:
        return Picked(self._first, "first")


def there(*names: str) -> list[Worker]:
    return [Place(name) for name in names]  # type: ignore[misc]


def oracle(workers: int = 1, **more: object) -> Scenario:
    one = scenario(function("a", rate=2.0), function("b", rate=0.5), length_s=20.0, workers=workers, memory_mb=128)
    return msgspec.structs.replace(one, system=msgspec.structs.replace(one.system, keepalive=Choice(policy="oracle")))


def never(_scenario: Scenario, _balancer: Balancer) -> None:
    raise AssertionError("there was nothing to rehearse")


def test_what_was_said_is_said_again_function_by_function() -> None:
    noted = Noted(First())
    noted.among(there("w0", "w1"))
    noted.pick(0.0, Asked("a"))
    noted.among(there("w1"))
    noted.pick(1.0, Asked("a"))
    noted.pick(2.0, Asked("b"))
    again = Again(noted.said, First())
    again.among(there("w0", "w1"))
    assert [again.pick(0.0, Asked(name)).worker for name in ("b", "a", "a")] == ["w1", "w0", "w1"]


def test_where_it_cannot_be_said_again_another_is_asked() -> None:
    again = Again({"a": [Picked("w7", "then"), Picked("w1", "then")]}, First())
    again.among(there("w0", "w1"))
    assert [again.pick(0.0, Asked("a")).worker for _ in range(3)] == ["w0", "w1", "w0"]


def test_one_worker_gets_all_without_a_rehearsal() -> None:
    one = oracle()
    told = foresee(one, Schedule(one), lambda _: First(), never)
    assert told is not None
    assert told.balancer is None
    assert len(told.keepalives) == 1


def test_other_policies_are_told_nothing() -> None:
    one = scenario(function("a"), length_s=5.0)
    assert foresee(one, Schedule(one), lambda _: First(), never) is None


def test_clients_that_wait_for_answers_cannot_be_foreseen() -> None:
    one = msgspec.structs.replace(oracle(), workload=Workload(duration_s=5.0, clients=Clients(count=1)))
    with pytest.raises(BadConfig, match="closed-loop"):
        foresee(one, Schedule(one), lambda _: First(), never)


def test_each_of_several_workers_gets_what_it_got_in_the_rehearsal() -> None:
    """And the same seed gives the same events."""
    first, second = play(oracle(workers=3)), play(oracle(workers=3))
    assert first.hash == second.hash
    assert first.totals.ok == first.totals.invocations > 0


def test_what_a_balancer_wants_to_hear_of_reaches_it_through_others() -> None:
    """`pull` is nothing without it, and would become its own fallback in silence."""
    functions = [function(f"f{place}", rate=0.5, duration=exponential(500.0)) for place in range(3)]
    one = scenario(*functions, length_s=200.0, workers=3, memory_mb=1024)
    pulled = msgspec.structs.replace(
        one.system, balancing=Choice(policy="pull"), keepalive=Choice(policy="oracle"), memory_mb=1 << 16
    )
    plain = msgspec.structs.replace(pulled, keepalive=Choice(policy="lru"))
    found = [play(msgspec.structs.replace(one, system=system)).totals.cold_share for system in (pulled, plain)]
    assert found[0] == pytest.approx(found[1]), "nothing has to go, so the oracle keeps what lru keeps"
    level = msgspec.structs.replace(plain, balancing=Choice(policy="least_loaded"))
    assert play(msgspec.structs.replace(one, system=level)).totals.cold_share > found[1]


def test_whoever_stands_before_a_balancer_passes_on_all_that_it_may_hear_of() -> None:
    inner = LeastLoaded().fresh(Streams(1).stream("balancing"))
    for before in (Noted(inner), Again({}, inner)):
        for name in LISTENING:
            assert getattr(before, name) == getattr(inner, name, None), name

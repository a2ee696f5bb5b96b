from hypothesis import given

from attacca.policy.balancing.own_first import OwnFirst
from attacca.policy.balancing.types import Asked
from tests.cases import each
from tests.policy.balancing.fleet import CALLS, FLEETS, Facts, made, picks

OFTEN, SELDOM = Asked("f", rate=5.0), Asked("f", rate=0.5)


@each(
    "asked, own, other, picked",
    [
        (OFTEN, Facts("b"), Facts("a"), "b"),
        (OFTEN, Facts("b", running=9), Facts("a"), "b"),  # what another has left over is no reason alone
        (OFTEN, Facts("b", queued=1), Facts("a", running=9), "a"),
        (OFTEN, Facts("b", queued=1), Facts("a", queued=1), "b"),
        (OFTEN, Facts("b", queued=1), Facts("a", waiting=1), "b"),
        (SELDOM, Facts("b"), Facts("a"), "a"),
        (SELDOM, Facts("b"), Facts("a", running=1), "b"),
    ],
)
def test_what_is_called_often_stays_in_the_process_while_others_would_not_be_quicker(
    asked: Asked, own: Facts, other: Facts, picked: str
) -> None:
    balancer = made(OwnFirst(worker="b"), [own, other])
    assert balancer.pick(0.0, asked).worker == picked


@given(FLEETS, CALLS)
def test_where_its_own_is_not_there_it_goes_by_load(fleet: list[Facts], calls: list[tuple[str, int]]) -> None:
    balancer = made(OwnFirst(worker="nobody"), fleet)
    least = min(fleet, key=lambda worker: ((worker.queued + worker.running) / worker.limit, worker.name))
    assert set(picks(balancer, calls)) <= {least.name}


def test_of_those_where_nothing_waits_it_is_the_least_loaded() -> None:
    fleet = [Facts("a", queued=2), Facts("b", running=3), Facts("c", running=2), Facts("d", running=2)]
    picked = made(OwnFirst(worker="a"), fleet).pick(0.0, OFTEN)
    assert (picked.worker, picked.why) == ("c", "nothing waits there, and something in the gateway's own process")

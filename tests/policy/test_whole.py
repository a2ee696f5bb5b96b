"""Strangers that lack one thing are refused before the first invocation, whatever it is."""

import inspect
from collections.abc import Callable
from functools import wraps

import pytest

from attacca.cli.serve.whole import check_of_cluster, check_whole
from attacca.errors import BadConfig
from attacca.kernel.protocol import Wanted
from attacca.kernel.rand import Streams
from attacca.policy.balancing import BALANCING
from attacca.policy.balancing import types as balancing
from attacca.policy.balancing.least_loaded import LeastLoaded
from attacca.policy.balancing.level import Level
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.concurrency import types as concurrency
from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.keepalive import BOUNDS, KEEPALIVE
from attacca.policy.keepalive import types as keepalive
from attacca.policy.keepalive.lru import Lru, LruState
from attacca.policy.placement import PLACEMENT
from attacca.policy.placement import types as placement
from attacca.policy.placement.round_robin import RoundRobin, Turns
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing import types as queueing
from attacca.policy.queueing.fcfs import Fcfs
from attacca.policy.scaling import SCALING
from attacca.policy.scaling import types as scaling
from attacca.policy.scaling.fixed import Unmoved
from attacca.policy.scaling.knative import Knative
from attacca.policy.slots import SLOTS
from attacca.policy.slots import types as slots
from attacca.policy.slots.latest import Latest, Stack
from tests.cases import each

PROTOCOLS = [
    (keepalive.KeepaliveState, keepalive.KEEPALIVE_STATE),
    (keepalive.ListeningState, keepalive.LISTENING),
    (queueing.Queue, queueing.QUEUE),
    (concurrency.Concurrency, concurrency.CONCURRENCY),
    (balancing.Balancer, balancing.BALANCER),
    (balancing.ListeningBalancer, balancing.LISTENING),
    (placement.Placer, placement.PLACER),
    (scaling.Scaler, scaling.SCALER),
    (slots.Free, slots.FREE),
]


@each("shape, wanted", PROTOCOLS)
def test_what_is_checked_is_what_the_types_say(shape: type[object], wanted: Wanted) -> None:
    own = {name: of for name, of in vars(shape).items() if name == "__len__" or not name.startswith("_")}
    told = {name: tuple(inspect.signature(of).parameters)[1:] if callable(of) else None for name, of in own.items()}
    assert told == wanted


class Policy:
    """Makes what it is told to."""

    def __init__(self, made: object) -> None:
        self._made = made

    def fresh(self, *_: object) -> object:
        return self._made


def without(whole: object, name: str) -> object:
    """One that has all of it but one."""
    names = [one for one in dir(whole) if one != name and (one == "__len__" or not one.startswith("__"))]
    return type("Lame", (), {one: own(whole, one) for one in names})()


def own(whole: object, name: str) -> object:
    """As a class of its own would have it."""
    value = getattr(whole, name)
    return wraps(getattr(type(whole), name))(lambda _, *told: value(*told)) if callable(value) else value


def keepalive_state(name: str) -> None:
    keepalive.begin(Policy(without(LruState(), name)), keepalive.Nowhere(Streams(1).stream("x")))  # type: ignore[arg-type]


def queue(name: str) -> None:
    queueing.begin(Policy(without(Fcfs().fresh(), name)))  # type: ignore[arg-type]


def balancer(name: str) -> None:
    balancing.begin(Policy(without(Level(), name)), Streams(1).stream("x"))  # type: ignore[arg-type]


def placer(name: str) -> None:
    placement.begin(Policy(without(Turns(), name)), Streams(1).stream("x"))  # type: ignore[arg-type]


def scaler(name: str) -> None:
    scaling.Scalers(Policy(without(Unmoved(1), name)))  # type: ignore[arg-type]


def free(name: str) -> None:
    slots.checked(Policy(without(Stack(), name)), Streams(1).stream("x"))  # type: ignore[arg-type]


def limits(name: str) -> None:
    concurrency.checked(without(Fixed(), name))  # type: ignore[arg-type]


LACKING: list[tuple[Callable[[str], None], str]] = [
    *((keepalive_state, name) for name in keepalive.KEEPALIVE_STATE),
    *((queue, name) for name in queueing.QUEUE),
    *((balancer, name) for name in balancing.BALANCER),
    *((placer, name) for name in placement.PLACER),
    *((scaler, name) for name in scaling.SCALER),
    *((free, name) for name in slots.FREE),
    *((limits, name) for name in concurrency.CONCURRENCY),
]


@each("make, name", LACKING)
def test_what_is_missing_is_named(make: Callable[[str], None], name: str) -> None:
    with pytest.raises(BadConfig, match=f"lacks {name}"):
        make(name)


def test_all_of_ours_are_whole() -> None:
    for policy in (*KEEPALIVE.values(), *BOUNDS.values()):
        check_whole(Fcfs(), Fixed(), policy(), LeastLoaded())
    for queued in QUEUEING.values():
        check_whole(queued(), Fixed(), Lru(), LeastLoaded())
    for limited in CONCURRENCY.values():
        check_whole(Fcfs(), limited(), Lru(), LeastLoaded())
    for balanced in BALANCING.values():
        check_whole(Fcfs(), Fixed(), Lru(), balanced())
    for placed in PLACEMENT.values():
        check_of_cluster(Knative(), placed(), Latest())
    for scaled in SCALING.values():
        check_of_cluster(scaled(), RoundRobin(), Latest())
    for slotted in SLOTS.values():
        check_of_cluster(Knative(), RoundRobin(), slotted())


class Greedy:
    def fresh(self, house: object, more: object) -> None: ...


def test_one_that_cannot_be_made_is_refused_too() -> None:
    for make in (
        lambda: keepalive.begin(Greedy(), keepalive.Nowhere(Streams(1).stream("x"))),  # type: ignore[arg-type]
        lambda: queueing.begin(Greedy()),  # type: ignore[arg-type]
        lambda: balancing.begin(Greedy(), Streams(1).stream("x")),  # type: ignore[arg-type]
        lambda: placement.begin(Greedy(), Streams(1).stream("x")),  # type: ignore[arg-type]
        lambda: scaling.Scalers(Greedy()),  # type: ignore[arg-type]
        lambda: slots.checked(Greedy(), Streams(1).stream("x")),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadConfig, match="Greedy cannot be called as fresh"):
            make()

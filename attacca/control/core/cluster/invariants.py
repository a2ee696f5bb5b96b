"""What must hold after every event, counted anew from what there is; tests and simulations ask for it."""

from collections import Counter

from attacca.control.core.cluster import spare
from attacca.control.core.cluster.cluster import Cluster
from attacca.control.core.cluster.ordering import Timer
from attacca.control.core.cluster.scaled import Life, ScaledFunction
from attacca.model.resources import total


def check(cluster: Cluster) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _hosts(cluster)
    _instances(cluster)
    for name, function in cluster.functions.items():
        assert function.name == name, f"{function!r} is kept as {name}"
        _function(cluster, function)
    _published(cluster)


def _hosts(cluster: Cluster) -> None:
    """What is promised is what there is, on the worker that has it."""
    instances = cluster.ordering.instances
    there = [name for host in cluster.ordering.hosts.values() for name in host.instances]
    assert sorted(there) == sorted(instances), "a sandbox is on no worker, or on two"
    for host in cluster.ordering.hosts.values():
        assert all(one.worker == host.name for one in host.instances.values()), f"{host!r} has another's sandbox"
        assert host.promised == total(one.resources for one in host.instances.values()), f"{host!r} promised otherwise"
        assert host.reserved == host.promised + host.others, f"{host!r} has reserved otherwise"
        assert host.is_cordoned == (host.is_silent or host.is_draining or host.is_shut), f"{host!r} passes for another"


def _instances(cluster: Cluster) -> None:
    ordering, timers = cluster.ordering, cluster.timers
    instances = ordering.instances
    starting = [one for one in instances.values() if one.phase is Life.STARTING]
    assert ordering.starting == len(starting), f"{len(starting)} start, and {ordering!r}"
    assert ordering.twins * 2 == sum(one.twin is not None for one in starting), "twins are counted otherwise"
    for one in instances.values():
        twin = one.twin
        assert twin is None or (twin.twin is one and instances.get(twin.id) is twin), f"{one!r} has no twin"
        if one.phase is Life.STOPPING:
            assert timers.is_set((Timer.STOP, one.id)), f"{one!r}, and nobody sees to it"
            continue
        assert cluster.functions.get(one.function.name) is one.function, f"{one!r} is of no function"
        assert one.revision == one.function.revision.id, f"{one!r} is not of the current revision"
        if one.phase is Life.STARTING:
            assert timers.is_set((Timer.SLOW, one.id)), f"{one!r}, and nobody sees whether it is slow"


def _function(cluster: Cluster, function: ScaledFunction) -> None:
    instances = [one for one in cluster.ordering.instances.values() if one.function is function]
    up = [one for one in instances if one.phase is Life.UP]
    starting = [one for one in instances if one.phase is Life.STARTING]
    assert sorted(function.up) == sorted(one.id for one in up), f"{function!r} has {up} up"
    assert all(one in starting for one in function.starting.values()), f"{function!r} has {starting} starting"
    pairs = sum(one.twin is not None for one in starting) // 2
    assert len(function.starting) == len(starting) - pairs, f"{function!r}: of twins one counts"
    assert function.by_worker == Counter(one.worker for one in instances), f"{function!r} counts otherwise"
    loads = function.loads.values()
    assert function.running == sum(load.running for load in loads), f"{function!r} was told otherwise"
    assert function.waiting == sum(load.waiting for load in loads), f"{function!r} was told otherwise"
    has_spare = spare.count(function) > 0
    assert has_spare == (function.name in cluster.spare), f"{function!r} has sandboxes to spare: {has_spare}"
    is_seen_to = any(cluster.timers.is_set((timer, function.name)) for timer in (Timer.REST, Timer.ASK))
    is_early = cluster.timers.is_set((Timer.SETTLED, ""))
    is_short = len(function.up) + len(function.starting) < function.wanted
    assert not is_short or is_seen_to or is_early, f"{function!r}, and nobody sees to it"


def _published(cluster: Cluster) -> None:
    publisher = cluster.publisher
    up = {name: one for function in cluster.functions.values() for name, one in function.up.items()}
    assert publisher.endpoints.keys() == up.keys(), "published is not what is up"
    where = {name: endpoint.worker for name, endpoint in publisher.endpoints.items()}
    assert where == {name: one.worker for name, one in up.items()}, "published is another worker"
    assert publisher.has_told, "gateways were not told of a change"

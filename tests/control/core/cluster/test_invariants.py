"""The recount itself is checked: each of its sentences sees something that was broken on purpose."""

import ast
import traceback
from collections.abc import Callable

import pytest

from attacca.control.core.cluster import invariants
from attacca.control.core.cluster.cluster import Cluster
from attacca.control.core.cluster.ordering import HEDGE_UNKNOWN_S, Timer
from attacca.control.core.cluster.scaled import Instance, Life
from attacca.model.endpoints import Load
from attacca.model.resources import Resources
from tests.control.cluster import KNATIVE
from tests.control.cluster import Cluster as Played
from tests.written import source_of

Break = Callable[[Cluster], object]
SOURCE = source_of(invariants)


def busy() -> Cluster:
    """One is up, one starts, and one is told to stop."""
    played = Played(capacity_mb=250)
    played.up("c1-1")
    played.core.cluster.functions["f"].wanted = 2
    return played.core.cluster


def slow() -> Cluster:
    """One starts, and so does its twin."""
    played = Played(scaling=KNATIVE)
    played.want(0, 1)
    played.wait(HEDGE_UNKNOWN_S + 0.1)
    return played.core.cluster


def stopping() -> Cluster:
    """Both that were up are told to stop, and others start."""
    played = Played(silent_s=1e9)
    played.up()
    played.feed(played.drained("w1"))
    return played.core.cluster


def put(owner: object, **what: object) -> None:
    for name, value in what.items():
        setattr(owner, name, value)


def of(cluster: Cluster, life: Life) -> Instance:
    return next(one for one in cluster.ordering.instances.values() if one.phase is life)


def have_another_name(cluster: Cluster) -> None:
    cluster.functions["g"] = cluster.functions["f"]


def have_no_function(cluster: Cluster) -> None:
    del cluster.functions["f"]


def be_published_elsewhere(cluster: Cluster) -> None:
    endpoints = cluster.publisher.endpoints
    name, endpoint = endpoints.popitem()
    endpoints[name] = endpoint.__class__(name, "f", "f@1", "w9", 1)


BREAKS: list[tuple[Callable[[], Cluster], Break]] = [
    (busy, have_another_name),
    (busy, lambda cluster: cluster.ordering.hosts["w1"].instances.popitem()),
    (busy, lambda cluster: put(of(cluster, Life.UP), worker="w3")),
    (busy, lambda cluster: put(cluster.ordering.hosts["w1"], promised=Resources(1))),
    (busy, lambda cluster: put(cluster.ordering.hosts["w1"], reserved=Resources(1))),
    (busy, lambda cluster: put(cluster.ordering.hosts["w1"], is_cordoned=True)),
    (busy, lambda cluster: put(cluster.ordering, starting=7)),
    (slow, lambda cluster: put(cluster.ordering, twins=0)),
    (slow, lambda cluster: put(of(cluster, Life.STARTING).twin, twin=of(cluster, Life.STARTING).twin)),
    (stopping, lambda cluster: cluster.timers.clear((Timer.STOP, of(cluster, Life.STOPPING).id))),
    (busy, have_no_function),
    (busy, lambda cluster: put(of(cluster, Life.UP), revision="f@9")),
    (busy, lambda cluster: cluster.timers.clear((Timer.SLOW, of(cluster, Life.STARTING).id))),
    (busy, lambda cluster: cluster.functions["f"].up.clear()),
    (busy, lambda cluster: put(cluster.functions["f"], starting=dict(cluster.functions["f"].up))),
    (slow, lambda cluster: cluster.functions["f"].starting.clear()),
    (busy, lambda cluster: cluster.functions["f"].by_worker.clear()),
    (busy, lambda cluster: cluster.functions["f"].loads.update(g=Load("f", 1, 0))),
    (busy, lambda cluster: cluster.functions["f"].loads.update(g=Load("f", 0, 1))),
    (busy, lambda cluster: put(cluster.functions["f"], wanted=9)),
    (busy, lambda cluster: put(cluster.functions["f"].scalers, is_firm=False)),  # what is up is to spare, then
    (busy, lambda cluster: cluster.publisher.endpoints.clear()),
    (busy, be_published_elsewhere),
    (busy, lambda cluster: cluster.publisher._added.update(cluster.publisher.endpoints)),
]


def seen(make: Callable[[], Cluster], break_it: Break) -> int:
    """The line that saw it."""
    cluster = make()
    invariants.check(cluster)
    break_it(cluster)
    with pytest.raises(AssertionError) as caught:
        invariants.check(cluster)
    return next(
        frame.lineno
        for frame in reversed(traceback.extract_tb(caught.value.__traceback__))
        if str(SOURCE).endswith(frame.filename) and frame.lineno is not None
    )


@pytest.mark.long
def test_each_sentence_can_see() -> None:
    tree = ast.parse(SOURCE.read_text())
    sentences = {node.lineno: ast.unparse(node.test) for node in ast.walk(tree) if isinstance(node, ast.Assert)}
    lines = {seen(make, break_it) for make, break_it in BREAKS}
    blind = [text for line, text in sentences.items() if line not in lines]
    assert blind == []

from math import inf
from typing import Any

from attacca.gateway.core.workers import Workers
from attacca.model.sandbox import FunctionView, WorkerView
from attacca.policy.balancing.least_loaded import Level
from attacca.policy.balancing.round_robin import Turns
from attacca.policy.balancing.types import Asked


def view(name: str, **more: Any) -> WorkerView:
    plain = {"memory_mb": 100, "used_mb": 0, "queued": 0, "running": 0, "limit": 2}
    return WorkerView(name=name, **{**plain, **more})


def test_what_a_worker_says_is_kept_and_what_it_was_sent_is_counted() -> None:
    link = Workers(Level(), 3.0).join(7.0, view("a", used_mb=40, running=9, cores=3))
    assert (link.memory_free_mb, link.limit, link.cores, link.heard_at, link.running) == (60, 2, 3, 7.0, 0)
    assert link.idle("f") == 0
    link.hear(8.0, view("a", functions=(FunctionView(function="f", idle=2),)))
    assert (link.heard_at, link.idle("f"), link.idle("g")) == (8.0, 2, 0)


def test_the_only_one_is_taken_without_asking() -> None:
    workers = Workers(Level(), 3.0)
    assert workers.only is None
    link = workers.join(0.0, view("a"))
    assert workers.only is link
    assert workers.pick(0.0, Asked("f")) == (link, "the only worker")
    workers.join(0.0, view("b"))
    assert workers.only is None
    workers.drop("b")
    assert workers.only is link
    assert workers.drop("b") is None


def test_one_that_drains_is_passed_over_unless_all_do() -> None:
    workers = Workers(Turns(), 3.0)
    links = [workers.join(0.0, view(name)) for name in "ab"]
    workers.hear(1.0, links[0], view("a", draining=True))
    assert [workers.pick(1.0, Asked("f"))[0].name for _ in range(2)] == ["b", "b"]
    workers.hear(1.0, links[1], view("b", draining=True))
    assert [workers.pick(1.0, Asked("f"))[0].name for _ in range(2)] == ["a", "b"]


def test_silence_is_noticed_when_it_is_due() -> None:
    workers = Workers(Level(), 3.0)
    assert workers.silent_at == inf
    workers.attach("local")
    a, b = workers.join(0.0, view("a")), workers.join(1.0, view("b"))
    assert workers.silent_at == 3.0
    workers.hear(2.0, a, view("a"))
    assert workers.silent(3.0) == []
    assert workers.silent_at == 4.0
    assert workers.silent(5.5) == [a, b]

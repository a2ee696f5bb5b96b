from collections.abc import Sequence
from math import inf

import msgspec

from attacca.gateway.core.workers import Workers
from attacca.kernel.timers import Alarm
from attacca.model.machine import Device, Machine
from attacca.model.messages import Resting
from attacca.model.resources import Resources
from attacca.model.sandbox import DeviceView, FunctionView
from attacca.policy.balancing.level import Level
from attacca.policy.balancing.round_robin import Turns
from attacca.policy.balancing.types import Asked, Picked, Worker
from tests.gateway.play import view

NEEDS = ("a directory of Python", "none", 0.0)
TO_GO_OUT = ("a directory of Python", "nat", 0.0)
WITHOUT, WITH = Machine(networks={NEEDS[0]: ("none",)}), Machine(networks={NEEDS[0]: ("nat", "none")})


def test_what_a_worker_says_is_kept_and_what_it_was_sent_is_counted() -> None:
    link = Workers(Level(), 3.0, Alarm()).join(7.0, view("a", used=Resources(40), running=9, cores=3))
    assert (link.free.memory_mb, link.limit, link.cores, link.heard_at, link.running) == (60, 2, 3, 7.0, 0)
    assert link.idle("f") == 0
    link.hear(8.0, view("a", functions=(FunctionView(function="f", idle=2),)))
    assert (link.heard_at, link.idle("f"), link.idle("g")) == (8.0, 2, 0)
    assert repr(link) == "<WorkerHandle a: 0 queued, 0 running of 2>"


def test_the_only_one_is_taken_without_asking() -> None:
    workers = Workers(Level(), 3.0, Alarm())
    assert workers.only is None
    link = workers.join(0.0, view("a"))
    assert workers.only is link
    assert workers.pick(0.0, Asked("f"), NEEDS) == (link, "the only worker")
    workers.join(0.0, view("b"))
    assert workers.only is None
    workers.drop("b")
    assert workers.only is link
    assert workers.drop("b") is None


def test_one_that_drains_is_passed_over_unless_all_do() -> None:
    workers = Workers(Turns(), 3.0, Alarm())
    links = [workers.join(0.0, view(name)) for name in "ab"]
    workers.hear(1.0, links[0], view("a", draining=True))
    assert [workers.pick(1.0, Asked("f"), NEEDS)[0].name for _ in range(2)] == ["b", "b"]
    workers.hear(1.0, links[1], view("b", draining=True))
    assert [workers.pick(1.0, Asked("f"), NEEDS)[0].name for _ in range(2)] == ["a", "b"]


def test_who_cannot_have_it_is_passed_over_for_the_least_loaded_that_can() -> None:
    workers = Workers(Turns(), 3.0, Alarm())
    links = {name: workers.join(0.0, view(name)) for name in "abc"}
    workers.machines.update(a=WITHOUT, b=WITH, c=WITH)
    links["b"].running = 5
    assert [workers.pick(0.0, Asked("f"), NEEDS)[0].name for _ in range(3)] == ["a", "b", "c"]
    picked = [workers.pick(0.0, Asked("f"), TO_GO_OUT) for _ in range(3)]
    assert [handle.name for handle, _ in picked] == ["c", "b", "c"]
    assert picked[0][1] == (
        'the least loaded that can have it: of a, it gives a directory of Python no network = "nat"'
    )
    workers.hear(1.0, links["c"], view("c", draining=True))
    assert workers.pick(1.0, Asked("f"), TO_GO_OUT)[0].name == "b"


def test_who_has_lost_its_device_is_passed_over_until_that_is_back() -> None:
    workers = Workers(Turns(), 3.0, Alarm())
    links = {name: workers.join(0.0, view(name)) for name in "ab"}
    workers.machines.update({name: Machine(devices=(Device(name="GPU-1"),)) for name in "ab"})
    for is_gone, taken in ((True, "bb"), (False, "ab")):
        devices = (DeviceView(name="GPU-1", is_gone=is_gone),)
        workers.hear(1.0, links["a"], msgspec.structs.replace(view("a"), devices=devices))
        picked = [workers.pick(1.0, Asked("f"), (NEEDS[0], NEEDS[1], 1.0))[0].name for _ in range(2)]
        assert "".join(picked) == taken


def test_where_nobody_can_have_it_the_refusal_of_whom_the_policy_took_says_why() -> None:
    workers = Workers(Turns(), 3.0, Alarm())
    for name in "ab":
        workers.join(0.0, view(name))
        workers.machines[name] = WITHOUT
    handle, why = workers.pick(0.0, Asked("f"), TO_GO_OUT)
    assert (handle.name, why.split(":")[0]) == ("a", "nobody can have it")


def test_silence_is_noticed_when_it_is_due() -> None:
    workers = Workers(Level(), 3.0, Alarm())
    assert workers.silent_at == inf
    a, b = workers.join(0.0, view("a")), workers.join(1.0, view("b"))
    assert workers.silent_at == 3.0
    workers.hear(2.0, a, view("a"))
    assert workers.silent(3.0) == []
    assert workers.silent_at == 4.0
    assert workers.silent(4.0) == [b]
    assert workers.silent_at == 5.0
    assert workers.silent(5.4) == [a, b], "a little late is nothing"


def test_who_was_deaf_does_not_say_that_others_were_silent() -> None:
    workers = Workers(Level(), 3.0, Alarm())
    a, b = workers.join(0.0, view("a")), workers.join(1.0, view("b"))
    assert workers.silent(30.0) == []
    assert workers.silent_at == 31.0, "what was said meanwhile has a moment to arrive"
    workers.hear(30.1, b, view("b"))
    assert workers.silent(31.0) == [a]
    assert repr(workers) == "<Workers 2, silent at 33.1>"


class Ear:
    """Picks the first, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str, str, int]] = []

    def among(self, workers: Sequence[Worker]) -> None: ...
    def pick(self, now: float, asked: Asked) -> Picked:
        raise NotImplementedError

    def resting(self, now: float, worker: str, function: str, idle: int) -> None:
        self.heard.append((now, worker, function, idle))


def test_workers_are_to_say_what_rests_when_somebody_first_looks() -> None:
    workers = Workers(Level(), 3.0, Alarm())
    link = workers.join(0.0, view("a"))
    assert not workers.is_asked
    assert (link.idle("f"), workers.is_asked) == (0, True)
    assert Workers(Ear(), 3.0, Alarm()).is_asked, "who listens need not look"


def test_each_change_is_told_and_what_was_lost_is_made_good() -> None:
    ear = Ear()
    workers = Workers(ear, 3.0, Alarm())
    link = workers.join(0.0, view("a", idle={"f": 1}))
    workers.rests(1.0, Resting("a", "g", 2))
    workers.rests(1.0, Resting("nobody", "g", 2))
    assert (link.idle("f"), link.idle("g")) == (1, 2)
    workers.hear(2.0, link, view("a"))  # says nothing of it
    assert (link.idle("f"), link.idle("g")) == (1, 2)
    workers.hear(3.0, link, view("a", idle={"g": 2, "h": 1}))
    assert (link.idle("f"), link.idle("g"), link.idle("h")) == (0, 2, 1)
    assert ear.heard == [(0.0, "a", "f", 1), (1.0, "a", "g", 2), (3.0, "a", "f", 0), (3.0, "a", "h", 1)]

"""Stories of who waits, who runs, and who is next."""

from collections import Counter

import pytest

from attacca.model.invocation import Ok, Start
from attacca.policy.concurrency.aimd import Aimd
from attacca.policy.concurrency.bypass import Bypass
from attacca.policy.concurrency.types import Limit, Load
from attacca.policy.queueing.mqfq import Mqfq, MqfqQueue
from attacca.worker.core import view
from attacca.worker.core.events import MakeSandbox, Measured
from attacca.worker.runtime.scripted import Answer, Times
from tests.worker.stage import Stage


def test_timing_tells_where_a_cold_start_went() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    name = stage.send(echo)
    stage.play(1)
    timing = stage.started[name].timing
    assert (timing.queued, timing.placed, timing.sandbox, timing.code, timing.imports) == (0, 0, 4, 1, 95)


def test_waiting_for_the_limit_is_queued_and_the_start_is_not_counted_twice() -> None:
    stage = Stage(limit=1, times=Times(run_ms=500))
    one, two = stage.deploy("one"), stage.deploy("two")
    stage.send(one)
    late = stage.send(two)
    stage.play(2)
    timing = stage.started[late].timing
    assert timing.queued == pytest.approx(600)
    assert timing.imports == 95
    assert stage.start(late) is Start.COLD


def test_who_joins_a_start_under_way_has_waited_for_its_end_only() -> None:
    stage = Stage()
    echo = stage.deploy("echo", concurrency=2)
    stage.send(echo)
    stage.play(0.070)
    late = stage.send(echo)
    stage.play(1)
    timing = stage.started[late].timing
    assert (timing.queued, timing.sandbox, timing.code) == (0, 0, 0)
    assert timing.imports == pytest.approx(30)
    assert stage.start(late) is Start.WARM
    assert len(stage.all(MakeSandbox)) == 1


def test_a_slot_is_taken_in_the_step_that_promises_it() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.send(echo, 2)
    assert len(stage.all(MakeSandbox)) == 2


def test_a_sandbox_runs_as_many_at_once_as_its_settings_say() -> None:
    stage = Stage()
    echo = stage.deploy("echo", concurrency=3)
    stage.send(echo, 7)
    assert len(stage.all(MakeSandbox)) == 3
    stage.play(1)
    assert len(stage.ended) == 7


def test_idle_sandboxes_are_taken_newest_first() -> None:
    stage = Stage(handler=lambda _, call: Answer(run_ms=float(call.id[-1]) * 10, outcome=Ok()))
    echo = stage.deploy("echo")
    names = [stage.send(echo) for _ in range(3)]
    stage.play(1)
    assert stage.started[stage.send(echo)].sandbox == stage.started[names[2]].sandbox


def test_those_with_several_slots_share_what_is_under_way_while_there_are_cores() -> None:
    stage = Stage(times=Times(run_ms=500))
    echo = stage.deploy("echo", concurrency=4)
    stage.send(echo, 9)
    stage.play(5)
    assert len(stage.all(MakeSandbox)) == 3
    names = [stage.send(echo) for _ in range(6)]
    stage.play(0.1)
    places = Counter(stage.started[name].sandbox for name in names)
    assert sorted(places.values()) == [3, 3], "the third stays idle"
    names += [stage.send(echo) for _ in range(3)]
    stage.play(0.1)
    assert sorted(Counter(stage.started[name].sandbox for name in names).values()) == [1, 4, 4]


def test_one_at_a_time_has_the_newest_of_those_with_several_slots() -> None:
    stage = Stage()
    echo = stage.deploy("echo", concurrency=2)
    stage.send(echo, 4)
    stage.play(5)
    names = []
    for _ in range(3):
        names.append(stage.send(echo))
        stage.play(1)
    assert len({stage.started[name].sandbox for name in names}) == 1


def test_whoever_waits_takes_the_slot_that_frees_first() -> None:
    stage = Stage(times=Times(run_ms=50))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(0.12)  # it runs
    second = stage.send(echo)  # starts a sandbox, which takes longer than the first has to run
    stage.play(0.04)
    assert stage.start(second) is Start.WARM
    assert stage.started[second].timing.queued == pytest.approx(30)
    stage.play(1)
    third = stage.send(echo)
    assert (stage.start(third), len(stage.all(MakeSandbox))) == (Start.COLD, 2), "nobody has used it yet"
    assert stage.why(third).startswith("the only one is busy")


def test_nobody_starts_more_sandboxes_than_wait() -> None:
    stage = Stage(times=Times(run_ms=50))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(0.12)
    stage.send(echo)
    stage.play(0.04)  # the second runs warm; its own sandbox is still starting
    stage.send(echo)
    assert len(stage.all(MakeSandbox)) == 2


def test_the_limit_holds_and_counts_starts() -> None:
    stage = Stage(limit=2)
    echo = stage.deploy("echo")
    stage.send(echo, 5)
    assert len(stage.all(MakeSandbox)) == 2
    stage.play(0.105)
    assert stage.core.scheduler.running == 2
    stage.play(2)
    assert len(stage.ended) == 5
    assert len(stage.all(MakeSandbox)) == 2


def test_short_functions_pass_the_limit_onto_an_idle_sandbox() -> None:
    stage = Stage(concurrency=Bypass(count=1, below_s=0.05), times=Times(run_ms=20))
    short, other = stage.deploy("short"), stage.deploy("other")
    stage.send(short)
    stage.play(1)
    stage.send(other)  # takes the only place
    passing = stage.send(short)
    assert stage.start(passing) is Start.WARM
    waiting = stage.send(short)
    assert waiting not in stage.started, "no idle sandbox was at hand"


def test_the_limit_follows_the_measured_load() -> None:
    stage = Stage(concurrency=Aimd(count=1, max_oversubscribe=3))
    echo = stage.deploy("echo")
    stage.send(echo, 3)
    assert len(stage.all(MakeSandbox)) == 1
    stage.tell(Measured(0.1))
    assert len(stage.all(MakeSandbox)) == 2
    stage.tell(Measured(5.0))
    assert view.of(stage.core, 0).limit == 1


class Never:
    """A limit that says zero is taken as one: a worker that runs nothing helps nobody."""

    every_s = None

    def first(self, cores: int) -> int:
        return 0

    def adjust(self, now: float, load: Load) -> Limit:
        return Limit(0, "never")

    def can_skip(self, exec_s: float) -> bool:
        return False


def test_a_limit_of_zero_is_one() -> None:
    stage = Stage(concurrency=Never())
    stage.send(stage.deploy("echo"), 2)
    stage.play(1)
    assert len(stage.ended) == 2


class Told:
    """A limit of two that writes down what it is told."""

    every_s = 1.0

    def __init__(self) -> None:
        self.loads: list[Load] = []

    def first(self, cores: int) -> int:
        return 2

    def adjust(self, now: float, load: Load) -> Limit:
        self.loads.append(load)
        return Limit(2, "as before")

    def can_skip(self, exec_s: float) -> bool:
        return False


def test_the_policy_is_told_what_runs_and_what_waits() -> None:
    told = Told()
    stage = Stage(concurrency=told)
    stage.send(stage.deploy("echo"), 5)
    stage.play(0.105)
    stage.tell(Measured(0.5))
    assert told.loads == [Load(running=2, queued=3, limit=2, cores=2, load_per_core=0.5)]


def test_a_warm_time_begins_at_the_hand_over() -> None:
    stage = Stage(limit=1, times=Times(run_ms=100))
    stage.send(stage.deploy("echo"), 3)
    stage.play(1)
    (counted,) = view.of(stage.core, stage.clock.now()).functions
    assert counted.warm_ms.max == pytest.approx(100)


def test_a_start_says_what_the_others_do() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo, 3)
    stage.play(0.105)
    stage.send(echo)
    assert [made.why.partition(";")[0] for made in stage.all(MakeSandbox)] == [
        "first of this revision",
        "the only one is starting",
        "all 2 starting",
        "all 3 busy",
    ]


def test_the_queue_hears_of_one_who_is_withdrawn_after_his_turn() -> None:
    queue = MqfqQueue(Mqfq())
    stage = Stage()
    stage.core.scheduler.queue = queue
    echo = stage.deploy("echo")
    stage.withdraw(stage.send(echo), running=False)
    assert queue._flows["echo"].in_flight == 0
    stage.play(1)
    stage.core.scheduler.limit = 1
    stage.send(echo)
    stage.withdraw(stage.send(echo), running=False)  # his turn had not come
    assert queue._flows["echo"].in_flight == 1


def test_what_pends_counts_until_it_runs_wherever_that_is() -> None:
    stage = Stage(times=Times(run_ms=50))
    echo = stage.deploy("echo", concurrency=2)
    stage.send(echo, 2)
    stage.play(0.11)
    stage.send(echo, 2)
    assert stage.core.scheduler.claims == 2
    stage.play(0.045)
    assert (stage.core.scheduler.running, stage.core.scheduler.claims) == (2, 1), "both took the slots of the first two"


def test_the_limit_holds_for_warm_starts_too() -> None:
    stage = Stage(limit=1)
    one, two = stage.deploy("one"), stage.deploy("two")
    for function in (one, two):
        stage.send(function)
        stage.play(1)
    stage.send(one)
    late = stage.send(two)
    assert late not in stage.started
    stage.play(1)
    assert stage.start(late) is Start.WARM
    assert stage.started[late].timing.queued == pytest.approx(10)

"""Sandboxes that control orders: where there is room, beside the worker's own, slot by slot, until it says so."""

from attacca.model.endpoints import AskSandboxes
from attacca.model.function import Scheduling
from attacca.model.invocation import Invocation, Request, Start
from attacca.model.messages import Dispatch, Evict, Prewarm
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import Drain, PeerLost, Received
from attacca.worker.core.phases import Phase
from tests.worker.stage import GATEWAY, Stage

CLUSTER = Scheduling.CLUSTER


def stage(memory_mb: int = 1000) -> Stage:
    return Stage(WorkerConfig(memory_mb=memory_mb, templates=False))


def test_an_order_ends_in_a_sandbox_that_runs_what_is_sent_to_it() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    assert s.up == {}
    s.play(10)
    timing = s.up["c1"].timing
    assert timing.queued == 0.0
    assert timing.sandbox > 0.0
    one = s.run_in("c1", f)
    assert s.started[one].sandbox == "c1"
    assert s.started[one].start is Start.COLD
    assert s.started[one].why == "ordered by control: wanted"
    s.play(10)
    assert one in s.ended
    other = s.run_in("c1", f)
    assert (s.started[other].start, s.started[other].why) == (Start.WARM, "its gateway had a free slot")
    assert repr(s.core.orders) == "<Orders 0 waiting, 1 up, 1 invocations running>"
    assert view.brief(s.core).running == 1


def test_what_was_made_ahead_says_so() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f, is_ahead=True)
    s.play(10)
    assert s.started[s.run_in("c1", f)].start is Start.PREWARMED


def test_beyond_its_slots_it_refuses_and_says_when_one_is_free() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER, concurrency=2)
    s.order(f)
    s.play(10)
    for peer in (GATEWAY, "other"):
        s.run_in("c1", f, peer=peer)
    refused = s.run_in("c1", f, peer="other")
    assert [(one.id, one.is_full) for one in s.not_begun] == [(refused, True)]
    assert s.freed == []
    s.play(10)
    assert s.freed == [("other", "c1")]


def test_who_is_gone_is_not_told_of_a_free_slot() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    s.run_in("c1", f)
    s.run_in("c1", f, peer="other")
    s.tell(PeerLost("other"))
    s.play(10)
    assert s.freed == []


def test_what_is_not_there_runs_nothing() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    lost = s.run_in("nowhere", f)
    s.order(f)
    early = s.run_in("c1", f)
    s.play(10)
    s.stop()
    late = s.run_in("c1", f)
    assert [(one.id, one.is_full) for one in s.not_begun] == [(lost, False), (early, False), (late, False)]


def test_an_invocation_is_not_queued_for_a_function_that_control_scales() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.send(f)
    assert s.ended["f-1"].outcome.code == "not_found"  # type: ignore[union-attr]


def test_stopped_it_takes_nothing_new_and_what_runs_ends() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER, concurrency=2)
    s.order(f)
    s.play(10)
    one = s.run_in("c1", f)
    s.stop()
    assert s.core.pool.sandboxes["c1"].phase is Phase.DRAINING
    s.run_in("c1", f)
    assert len(s.not_begun) == 1
    s.play(10)
    assert s.ended[one].outcome.__class__.__name__ == "Ok"
    assert s.down["c1"].error.code == "sandbox_lost"
    assert s.core.pool.sandboxes == {}


def test_of_what_does_not_exist_control_hears_that() -> None:
    s = stage()
    s.stop("c7")
    assert s.down["c7"].error.code == "not_found"


def test_where_nothing_is_free_or_will_be_the_order_is_refused() -> None:
    s = stage(memory_mb=150)
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f, "c1")
    s.order(f, "c2")
    assert s.down["c2"].error.code == "no_capacity"
    big = s.deploy("big", scheduling=CLUSTER, memory_mb=200)
    s.order(big, "c3")
    assert "whole worker" in s.down["c3"].error.message


def test_an_idle_sandbox_of_the_workers_own_makes_way_and_the_order_waits_for_it() -> None:
    s = stage(memory_mb=150)
    own, f = s.deploy("own"), s.deploy("f", scheduling=CLUSTER)
    s.send(own)
    s.play(10)
    s.order(f)
    assert repr(s.core.orders) == "<Orders 1 waiting, 0 up, 0 invocations running>"
    s.play(10)
    assert s.up["c1"].timing.queued > 0.0
    assert [one.state.function.name for one in s.core.pool.sandboxes.values()] == ["f"]


def test_who_waits_for_memory_here_comes_before_an_order() -> None:
    s = stage(memory_mb=250)
    own, f = s.deploy("own"), s.deploy("f", scheduling=CLUSTER)
    large = s.deploy("large", memory_mb=200)
    s.send(own, 2)
    s.send(large)
    s.order(f)
    assert "others wait" in s.down["c1"].error.message
    s.play(20)
    assert len(s.ended) == 3


def test_an_order_that_waits_is_cancelled_by_a_stop_or_by_a_drain() -> None:
    s = stage(memory_mb=150)
    own, f = s.deploy("own"), s.deploy("f", scheduling=CLUSTER)
    s.send(own)
    s.play(10)
    s.order(f)
    s.stop()
    assert s.down["c1"].error.code == "cancelled"
    s.play(10)
    assert s.up == {}
    t = stage(memory_mb=150)
    own, f = t.deploy("own"), t.deploy("f", scheduling=CLUSTER)
    t.send(own)
    t.play(10)
    t.order(f)
    t.tell(Drain())
    assert t.down["c1"].error.code == "draining"
    t.order(f, "c2")
    assert t.down["c2"].error.code == "draining"


def test_the_workers_own_policies_do_not_touch_it() -> None:
    s = stage(memory_mb=250)
    f, own = s.deploy("f", scheduling=CLUSTER, min_sandboxes=2), s.deploy("own", memory_mb=200)
    s.order(f)
    s.play(1000)
    assert s.core.pool.sandboxes["c1"].phase is Phase.IDLE
    s.tell(Prewarm("f", 1))
    s.send(own)
    s.play(10)
    assert list(s.core.pool.sandboxes) == ["c1"], "it was not evicted, and nothing of it was made besides"
    assert s.core.catalogue.granted() == {}


def test_a_new_revision_ends_what_rests_and_then_what_runs() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f, "c1")
    s.order(f, "c2")
    s.play(10)
    one = s.run_in("c1", f)
    newer = s.deploy("f", 2, scheduling=CLUSTER)
    s.order(f, "c3")
    assert s.down["c3"].error.code == "not_found"
    s.play(10)
    assert one in s.ended
    assert {"c1", "c2"} <= s.down.keys()
    s.order(newer, "c4")
    s.play(10)
    assert "c4" in s.up


def test_one_that_dies_takes_what_runs_with_it_and_control_hears() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    one = s.run_in("c1", f)
    s.runtime.lose("c1", "out_of_memory", "too much")
    s.play(1)
    assert s.ended[one].outcome.code == "out_of_memory"  # type: ignore[union-attr]
    assert s.down["c1"].error.code == "out_of_memory"


def test_given_up_it_ends_when_nothing_else_runs_there() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    one = s.run_in("c1", f)
    s.withdraw(one, running=True)
    assert s.ended[one].outcome.code == "timeout"  # type: ignore[union-attr]
    s.play(1)
    assert "c1" in s.down


def test_a_gateway_that_is_gone_leaves_nothing_running() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    s.run_in("c1", f)
    s.tell(PeerLost(GATEWAY))
    assert s.core.busy() == 0


def test_by_order_idle_ones_are_evicted_too() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    s.tell(Evict("f"))
    s.play(1)
    assert "c1" in s.down


def test_whoever_asks_hears_of_all_that_is_there_and_from_then_on() -> None:
    s = stage(memory_mb=350)
    own, f = s.deploy("own"), s.deploy("f", scheduling=CLUSTER)
    s.order(f, "c1")
    s.play(10)
    s.send(own)
    s.play(10)
    s.order(f, "c2")
    s.order(f, "c3")
    commands = s.tell(Received("another", AskSandboxes()))
    assert [command.peer for command in commands] == ["another"]  # type: ignore[union-attr]
    assert {name: one.is_up for name, one in s.ordered.items()} == {"c1": True, "c2": False, "c3": False}
    s.stop("c1")
    s.tell(Received("another", AskSandboxes()))
    assert "c1" not in s.ordered


def test_what_is_ordered_twice_is_said_twice() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.order(f)
    s.play(10)
    s.up.clear()
    s.order(f)
    assert "c1" in s.up


def test_a_template_of_it_is_made_as_of_any_other() -> None:
    s = Stage(WorkerConfig(memory_mb=1000))
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f, "c1")
    s.play(10)
    s.run_in("c1", f)
    s.play(10)
    s.order(f, "c2")
    s.play(10)
    assert s.started[s.run_in("c2", f)].start is Start.TEMPLATE


def test_the_road_is_as_short_as_that_of_the_workers_own() -> None:
    s = stage()
    f = s.deploy("f", scheduling=CLUSTER)
    s.order(f)
    s.play(10)
    invocation = Invocation("x", "f", f.id, Request())
    commands = s.tell(Received(GATEWAY, Dispatch(invocation, sandbox="c1")))
    assert [type(command).__name__ for command in commands] == ["Run", "Send"]

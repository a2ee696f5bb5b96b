"""Orders to workers: which are given anew, elsewhere, twice or later."""

from attacca.control.core.cluster.ordering import HEDGE_UNKNOWN_S, LOST_S, STOP_AGAIN_S
from attacca.kernel.registry import Choice
from attacca.model.endpoints import (
    EndpointsChanged,
    StartSandbox,
    StartsFail,
    StopSandbox,
)
from attacca.model.function import Network
from attacca.model.invocation import Failed
from attacca.model.machine import Machine
from attacca.model.messages import (
    Deleted,
    Heartbeat,
)
from tests.control.cluster import BROKEN, KNATIVE, NO_ROOM, Cluster


def test_creations_do_not_wait_for_one_another() -> None:
    c = Cluster()
    c.up("c1-2")
    assert c.function.startswith("<ScaledFunction f@1: 2 wanted, 1 up, 1 starting")
    c.up("c1-1")
    assert len(c.take(EndpointsChanged)) == 2


def test_a_worker_without_room_is_not_asked_again_before_it_is_heard_of() -> None:
    c = Cluster(workers=("w1", "w2"))
    c.started()
    c.down("c1-1", NO_ROOM)
    assert c.started() == {"c1-3": "w2"}
    c.down("c1-3", NO_ROOM)
    assert c.started() == {}, "nobody has any, and so it is tried again later"
    c.wait(0.3)
    assert c.started() == {}
    c.feed(Heartbeat(c.view("w2")))
    c.wait(2.0)
    assert list(c.started().values()) == ["w2"]


def test_what_found_no_room_is_tried_again_when_something_goes() -> None:
    c = Cluster(workers=("w1",), capacity_mb=250, scaling=Choice(policy="fixed", options={"count": 3}))
    assert len(c.started()) == 2
    c.up()
    c.down("c1-1", Failed("sandbox_lost", "died"))
    assert c.started() == {"c1-3": "w1"}


def test_who_has_waited_longest_for_room_gets_what_becomes_free_and_nobody_else_is_asked() -> None:
    alone = Choice(policy="fixed", options={"count": 1})
    c = Cluster(workers=("w1",), capacity_mb=100, scaling=alone, beside=("x", "y", "z"))
    assert len(c.started()) == 1
    short = [c.core.cluster.functions[name] for name in "xyz"]
    assert all(name in c.core.cluster.short for name in "xyz")
    c.wait(0.2)
    before = [one.resting_until for one in short]
    c.core.cluster.announced(c.now, Deleted(2, "f"), [])
    c.down("c1-1", Failed("cancelled", "told to"))
    assert [one.function.name for one in c.core.cluster.ordering.instances.values()] == ["x"]
    assert "x" not in c.core.cluster.short
    assert short[1].resting_until > before[1], "it was asked, and there was no room"
    assert short[2].resting_until == before[2], "there is none for it either"


def test_what_fails_is_made_elsewhere() -> None:
    c = Cluster()
    c.started()
    c.down("c1-1", Failed("sandbox_lost", "its template died"))
    assert c.started() == {"c1-3": "w2"}
    c.down("c1-3", Failed("timeout", "it took too long"))
    assert c.started() == {"c1-4": "w3"}
    assert c.take(StartsFail) == []


def test_where_it_has_failed_is_not_tried_again_however_near_its_code_is() -> None:
    c = Cluster(placement="locality")
    assert set(c.started().values()) == {"w1"}, "the first that has joined"
    c.up("c1-1")
    c.down("c1-2", Failed("sandbox_lost", "killed"))
    [worker] = c.started().values()
    assert worker != "w1", "which has a template of it"


def test_it_is_made_only_where_its_network_is() -> None:
    kind = "a directory of Python"
    without, able = Machine(networks={kind: ("none",)}), Machine(networks={kind: ("nat", "none")})
    c = Cluster(workers=(), network=Network.NAT)
    c.join("w1", without)
    assert c.started() == {}, "nobody can have it"
    assert "1 wanted" not in c.function
    c.join("w2", able)
    c.wait(c.now + 2.0)
    assert set(c.started().values()) == {"w2"}
    c.up()
    c.join("w1", able)  # it was started anew, as root
    c.down("c1-1", Failed("sandbox_lost", "died"))
    assert set(c.started().values()) == {"w1"}


def test_what_fails_by_its_own_fault_is_said_to_those_who_wait_and_tried_less_and_less_often() -> None:
    c = Cluster(scaling=KNATIVE, silent_s=1e9)
    c.want(0, 1)
    pauses = []
    for _ in range(5):
        [name] = c.started()
        c.down(name, BROKEN)
        [(peer, message)] = c.take(StartsFail)
        assert (peer, message) == ("g", StartsFail("f", "f@1", BROKEN))
        begun = c.now
        for _ in range(100):
            if not any(isinstance(one.message, StartSandbox) for one in c.said):
                c.wait(c.now + 0.5)
        pauses.append(c.now - begun)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_one_that_fails_thrice_without_a_traceback_is_to_blame_too() -> None:
    c = Cluster(scaling=KNATIVE)
    c.want(0, 1)
    for _ in range(3):
        assert c.take(StartsFail) == []
        [name] = c.started()
        c.down(name, Failed("out_of_memory", "too much"))
    assert len(c.take(StartsFail)) == 1


def test_a_slow_creation_has_a_twin_and_the_slower_one_is_stopped() -> None:
    c = Cluster(scaling=KNATIVE)
    c.want(0, 1)
    c.started()
    c.wait(HEDGE_UNKNOWN_S + 0.1)
    assert c.started() == {"c1-2": "w2"}
    assert c.function.startswith("<ScaledFunction f@1: 1 wanted, 0 up, 1 starting"), "the two count as one"
    c.up("c1-2")
    assert c.take(StopSandbox) == [("w1", StopSandbox("c1-1", "another was quicker"))]
    c.down("c1-1", Failed("sandbox_lost", "told to end"))
    assert c.started() == {}
    assert c.core.cluster.creations.hedged == 1


def test_the_first_may_still_be_quicker_and_one_of_both_may_fail() -> None:
    for first, other in (("c1-1", "c1-2"), ("c1-2", "c1-1")):
        c = Cluster(scaling=KNATIVE)
        c.want(0, 1)
        c.wait(HEDGE_UNKNOWN_S + 0.1)
        c.started()
        c.down(first, Failed("sandbox_lost", "died"))
        assert c.started() == {}, "the other is there"
        c.up(other)
        assert list(c.core.cluster.publisher.endpoints) == [other]


def test_what_usually_takes_long_is_given_as_long() -> None:
    c = Cluster(scaling=KNATIVE, max_sandboxes=1, silent_s=1e9)
    c.want(0, 1)
    c.now = 4.0
    c.up()
    c.down("c1-1", Failed("sandbox_lost", "died"))
    assert list(c.started()) == ["c1-1", "c1-2"]
    c.wait(4.0 + 15.9)
    assert c.started() == {}
    c.wait(4.0 + 16.1)
    assert list(c.started()) == ["c1-3"]


def test_most_creations_have_no_twin() -> None:
    c = Cluster(scaling=Choice(policy="fixed", options={"count": 30}), capacity_mb=10_000)
    assert len(c.started()) == 30
    c.wait(HEDGE_UNKNOWN_S + 0.1)
    assert len(c.started()) == 4


def test_an_order_that_nobody_answers_is_given_anew() -> None:
    c = Cluster(scaling=KNATIVE, workers=("w1",), silent_s=1e9)
    c.want(0, 1)
    c.started()
    c.wait(LOST_S + 1.0)
    assert [message.id for _, message in c.take(StopSandbox)] == ["c1-1"]
    assert c.started() == {"c1-2": "w1"}


def test_to_stop_is_said_again_until_it_is_answered() -> None:
    c = Cluster(silent_s=1e9)
    c.up()
    c.feed(Heartbeat(c.view("w1", draining=True)))
    assert len(c.take(StopSandbox)) == 2
    c.wait(STOP_AGAIN_S + 1.0)
    assert len(c.take(StopSandbox)) == 2
    for name in ("c1-1", "c1-2"):
        c.down(name, Failed("sandbox_lost", "told to end"))
    c.wait(3 * STOP_AGAIN_S)
    assert c.take(StopSandbox) == []

"""Room for whom somebody waits: idle sandboxes of other functions give way, and only where it helps."""

from attacca.control.core.cluster.spare import RESTS_S, YIELDS_S
from attacca.control.core.events import GatewaySaid
from attacca.kernel.registry import Choice
from attacca.model.endpoints import EndpointsChanged, Load, Loads, StopSandbox
from attacca.model.invocation import Failed
from attacca.model.messages import Heartbeat
from attacca.model.resources import Resources
from tests.control.cluster import KNATIVE, Cluster

TOLD = Failed("cancelled", "told to")


class Full(Cluster):
    """Two workers, each with room for one sandbox; `a` and then `b` have one each, and are idle unless they run."""

    def __init__(self, a: int = 0, b: int = 0, **more: object) -> None:
        more = {"capacity_mb": 100, "scaling": KNATIVE, **more}
        super().__init__(workers=("w1", "w2"), beside=("a", "b"), **more)  # type: ignore[arg-type]  # of its fields
        for name, running in (("a", a), ("b", b)):
            self.ask(name, 0, 1)
            self.up()
            self.ask(name, running, 0)
        self.wait(1.0)
        self.take(StopSandbox)
        self.started()

    def ask(self, name: str, running: int, waiting: int, arrivals: int = 1) -> None:
        self.feed(GatewaySaid("g", Loads((Load(name, running, waiting, 0.0, arrivals, 0.1),))))

    def stopped(self) -> list[str]:
        return [message.id for _, message in self.take(StopSandbox)]

    def has(self, name: str) -> list[str]:
        return sorted(self.core.cluster.functions[name].up)


def test_the_one_that_was_idle_longest_makes_room() -> None:
    c = Full()
    c.take(EndpointsChanged)
    assert repr(c.core.cluster.spare) == "<Spare sandboxes of 2 functions>"
    c.ask("f", 0, 1)
    [name] = [*c.stopped()]
    assert [one.removed for _, one in c.take(EndpointsChanged)] == [(name,)], "gateways send it nothing more"
    assert (c.has("a"), c.has("b")) == ([], ["c1-2"])
    c.down(name, TOLD)
    assert list(c.started()) == ["c1-3"]
    c.up("c1-3")
    c.wait(YIELDS_S + 0.9)
    assert (c.has("f"), c.has("b")) == (["c1-3"], ["c1-2"])
    assert (c.stopped(), c.started()) == ([], {}), "the first does not want it back"


def test_what_runs_and_what_somebody_waits_for_stays() -> None:
    c = Full(a=1)
    c.ask("f", 0, 1)
    assert c.stopped() == ["c1-2"]
    d = Full(a=1, b=1)
    d.ask("f", 0, 1)
    d.ask("b", 0, 2)
    d.wait(20.0)
    assert d.stopped() == []


def test_who_has_given_way_gets_it_back_when_somebody_waits_for_it() -> None:
    c = Full(b=1)
    c.ask("f", 0, 1)
    c.down("c1-1", TOLD)
    c.up("c1-3")
    c.ask("f", 0, 0)
    c.wait(2.0)
    c.started()
    c.stopped()
    c.ask("a", 0, 1, 2)
    assert c.stopped() == ["c1-3"]
    c.down("c1-3", TOLD)
    assert len(c.started()) == 1
    c.up()
    assert len(c.has("a")) == 1


def test_one_that_waits_claims_no_more_until_it_is_gone() -> None:
    c = Full()
    c.ask("f", 0, 1)
    assert c.stopped() == ["c1-1"]
    c.wait(3.0)
    assert c.stopped() == []
    c.ask("f", 0, 2, 2)
    assert (c.stopped(), c.has("b")) == ([], ["c1-2"])


def test_what_is_asked_for_without_anybody_who_waits_takes_nothing_away() -> None:
    c = Full(min_sandboxes=1)
    c.wait(5.0)
    assert c.stopped() == []
    assert (c.has("a"), c.has("b")) == (["c1-1"], ["c1-2"])


def test_the_least_that_a_function_has_stays_and_a_fixed_number() -> None:
    c = Full(min_sandboxes=1)
    c.ask("f", 0, 1)
    assert c.stopped() == []
    d = Full(scaling=Choice(policy="fixed", options={"count": 1}))
    d.ask("f", 0, 1)
    assert d.stopped() == []


def test_a_worker_that_can_make_room_by_itself_is_asked_to_once_until_it_is_heard_of() -> None:
    c = Cluster(workers=("w1", "w2"), beside=("a",), capacity_mb=150, scaling=KNATIVE)
    used = Resources(100)
    for name, spare in (("w1", Resources(20)), ("w2", Resources(60))):
        c.feed(Heartbeat(c.view(name, used=used, spare=spare)))
    c.want(0, 1)
    assert c.started() == {"c1-1": "w2"}
    [instance] = c.core.cluster.ordering.instances.values()
    assert instance.why.endswith("what is idle there makes room")
    c.feed(GatewaySaid("g", Loads((Load("a", 0, 1, 0.0, 1, 0.1),))))
    assert c.started() == {}
    c.down("c1-1", Failed("no_capacity", "it is used by now"))
    assert c.started() == {}, "it has said no"


def test_who_has_one_to_spare_now_and_then_keeps_it() -> None:
    c = Full()
    for running in (1, 0):
        c.ask("a", running, 0)
        c.ask("b", running, 0)
    c.ask("f", 0, 1)
    assert c.stopped() == []
    c.wait(1.0 + RESTS_S + 0.1)
    c.ask("f", 0, 1)
    assert c.stopped() == ["c1-1"]


def test_where_somebody_waits_whose_sandboxes_the_worker_makes_there_is_room_too() -> None:
    c = Full()
    wanted = c.view("w2", used=Resources(100), wanted=Resources(60))
    c.feed(Heartbeat(wanted))
    assert c.stopped() == ["c1-2"], "there, and not where that is idle for longer"
    c.feed(Heartbeat(wanted))
    assert c.stopped() == [], "it is on its way"
    c.down("c1-2", TOLD)
    assert c.started() == {}, "nobody waits for it"


def test_as_many_of_one_worker_go_as_make_room_and_no_more() -> None:
    c = Cluster(workers=("w1", "w2"), beside=("a", "b", "c"), capacity_mb=300, scaling=KNATIVE)
    spare = c.core.cluster.spare
    for name in "abc":
        for waiting in (1, 0):
            c.feed(GatewaySaid("g", Loads((Load(name, 0, waiting, 0.0, 1, 0.1),))))
            c.up()
    where = {one.id: one.worker for one in c.core.cluster.ordering.instances.values()}
    assert sorted(where.values()) == ["w1", "w1", "w2"] or sorted(where.values()) == ["w1", "w2", "w2"]
    need = c.revision.settings.resources * 3
    found = spare._enough(1.0, need, ())
    assert {where[one.id] for one in found} == {next(w for w in where.values() if list(where.values()).count(w) == 1)}
    assert len(found) == 1, "with what is free there, one is enough"
    assert spare._enough(1.0, need * 2, ()) == []
    assert spare._enough(1.0, need, ("w1", "w2")) == []

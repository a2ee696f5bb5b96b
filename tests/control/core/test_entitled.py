"""A worker is told the secrets of what it may be asked to run."""

from attacca.control.core.events import DeleteAsked, SecretSet
from attacca.model.function import Scheduling
from attacca.model.messages import Check, WorkerLeft
from tests.control.cluster import Cluster
from tests.control.core.test_control import deployed, rested
from tests.control.stage import deploy


def test_any_worker_may_run_what_workers_schedule_and_nobody_what_is_gone() -> None:
    stage = rested(workers=("w1", "w2"))
    entitled = stage.core.entitled
    for name in ("KEY", "OTHER"):
        stage.feed(SecretSet(name))
    assert entitled.of("w1") == set(), "no function asks for one"
    deployed(stage, "a", secrets={"KEY": "env"})
    assert (entitled.of("w1"), entitled.of("w2")) == ({"KEY"}, {"KEY"})
    assert entitled.of("g1") == set(), "it is no worker"
    assert repr(entitled) == "<Entitled any worker to 1 secrets>"
    stage.feed(deploy("again", "a", secrets={}))
    stage.play()
    assert entitled.of("w2") == {"KEY"}, "what waits of the revision before may need it still"
    stage.feed(DeleteAsked("gone", "a"))
    stage.play()
    assert entitled.of("w1") == set()


def test_who_checks_code_is_told_what_it_asks_for_until_it_has() -> None:
    stage = rested(workers=("w1", "w2"))
    stage.feed(SecretSet("KEY"))
    stage.feed(deploy("d", secrets={"KEY": "env"}, scheduling=Scheduling.CLUSTER))
    while not [one for one in stage.orders if isinstance(getattr(one, "message", None), Check)]:
        assert stage.core.entitled.of("w1") == set()
        stage.end(stage.orders[0])
    assert (stage.core.entitled.of("w1"), stage.core.entitled.of("w2")) == ({"KEY"}, set())
    stage.play()
    assert stage.core.entitled.of("w2") == set(), "control has had nothing made there"


def test_of_what_control_schedules_it_is_told_where_that_was_made() -> None:
    c = Cluster(secrets={"KEY": "env"})
    where = {instance.worker for instance in c.core.cluster.ordering.instances.values()}
    assert where == {"w1"}
    assert c.core.entitled.of("w1") == {"KEY"}
    assert c.core.entitled.of("w2") == c.core.entitled.of("w3") == set()
    c.up()
    c.feed(WorkerLeft("w1", "killed"))
    assert c.core.entitled.of("w1") == set()
    assert {name for name in ("w2", "w3") if c.core.entitled.of(name)} == set(c.started().values()) - {"w1"}

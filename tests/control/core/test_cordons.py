from attacca.control.core.cordons import Cordons
from attacca.control.core.events import Erase, Ordered, Put, Reply
from attacca.control.core.workers import Workers
from attacca.errors import Conflict, NotFound
from attacca.model.messages import Cordon, Heartbeat, Send
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView
from tests.control.stage import Stage

ON, OFF = Cordon("w1", is_on=True), Cordon("w1", is_on=False)


def cordoned(stage: Stage) -> Stage:
    stage.feed(Ordered("on", ON))
    assert stage.end(stage.order(Put)) == [Send("w1", ON), Reply("on")]
    return stage


def told(stage: Stage) -> list[Cordon]:
    """What workers have been told since the last time."""
    said = [one.message for one in stage.said if isinstance(one, Send) and isinstance(one.message, Cordon)]
    stage.said.clear()
    return said


def test_it_is_durable_before_anybody_hears_of_it() -> None:
    stage = Stage()
    [put] = stage.feed(Ordered("on", ON))
    assert put == Put("on", "cordoned/w1", b"", None)
    assert not stage.core.is_at_rest()
    [reply] = stage.end(stage.order(Put), fails=True)
    assert isinstance(reply, Reply)
    assert reply.outcome is not None
    assert "cordoned/w1" not in stage.store
    assert stage.core.cordons.names == {}


def test_who_comes_anew_is_told_again_and_counts_as_draining_before_it_has_heard() -> None:
    stage = cordoned(Stage())
    told(stage)
    stage.join("w1")
    assert told(stage) == [ON]
    assert stage.core.workers.by_name["w1"].is_draining
    view = WorkerView(name="w1", capacity=Resources(1000), used=NOTHING, queued=0, running=0, limit=1)
    stage.feed(Heartbeat(view))
    assert stage.core.workers.by_name["w1"].is_draining


def test_it_outlives_control() -> None:
    stage = cordoned(Stage())
    told(stage)
    stage.start()
    assert told(stage) == [ON]
    stage.feed(Ordered("off", OFF))
    assert stage.end(stage.order(Erase)) == [Send("w1", OFF), Reply("off")]
    told(stage)
    stage.start()
    assert told(stage) == []


def test_who_has_missed_that_it_was_taken_back_hears_of_it() -> None:
    stage = Stage(workers=())
    out: list[object] = []
    stage.core.cordons.tell("w1", out, is_draining=True)  # type: ignore[arg-type]
    assert out == [Send("w1", OFF)]


def test_one_at_a_time_and_only_of_workers_that_there_are() -> None:
    stage = Stage()
    stage.feed(Ordered("1", ON))
    [busy] = stage.feed(Ordered("2", OFF))
    [unknown] = stage.feed(Ordered("3", Cordon("w2", is_on=True)))
    assert isinstance(busy, Reply)
    assert isinstance(busy.outcome, Conflict)
    assert isinstance(unknown, Reply)
    assert isinstance(unknown.outcome, NotFound)
    assert "attacca status" in unknown.outcome.hint


def test_it_says_how_many() -> None:
    cordons = Cordons(Workers(10.0))
    cordons.names["w1"] = None
    assert repr(cordons) == "<Cordons 1 cordoned, 0 on their way>"

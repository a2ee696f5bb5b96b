from attacca.control.core.events import Command, SecretSet
from attacca.model.messages import (
    GatewayJoined,
    GatewayLeft,
    Member,
    Members,
    Send,
    WorkerJoined,
    WorkerLeft,
)
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView
from attacca.model.supplies import SecretChanged
from tests.control.stage import Stage


def joined(name: str, address: str = "") -> WorkerJoined:
    view = WorkerView(name=name, capacity=Resources(1000), used=NOTHING, queued=0, running=0, limit=1)
    return WorkerJoined(view, address=address)


def told(commands: list[Command]) -> dict[str, tuple[str, ...]]:
    """Which workers each gateway is told of."""
    sent = [(one.peer, one.message) for one in commands if isinstance(one, Send)]
    return {
        peer: tuple(member.worker for member in message.workers)
        for peer, message in sent
        if isinstance(message, Members)
    }


def test_gateways_hear_of_all_workers_that_have_an_address_and_of_each_change() -> None:
    stage = Stage(workers=("here",))
    stage.feed(joined("w1", "h:1"))
    assert told(stage.feed(GatewayJoined("g1", "http://g1"))) == {"g1": ("w1",)}
    stage.feed(GatewayJoined("g2"))
    assert told(stage.feed(joined("w2", "h:2"))) == {"g1": ("w1", "w2"), "g2": ("w1", "w2")}
    stage.feed(GatewayLeft("g1"))
    assert told(stage.feed(WorkerLeft("w1"))) == {"g2": ("w2",)}
    assert told(stage.feed(WorkerLeft("w1"))) == {}
    assert repr(stage.core.gateways) == "<Gateways 1>"


def test_a_worker_that_comes_anew_is_told_where_it_is_now() -> None:
    stage = Stage(workers=())
    stage.feed(GatewayJoined("g1"))
    stage.feed(joined("w1", "h:1"))
    [sent] = [one for one in stage.feed(joined("w1", "h:9")) if isinstance(one, Send) and one.peer == "g1"]
    assert sent.message == Members((Member("w1", "h:9"),))


def test_workers_apart_hear_that_a_secret_has_changed() -> None:
    stage = Stage(workers=("here",))
    stage.feed(joined("w1", "h:1"))
    assert stage.feed(SecretSet("DB")) == [Send("w1", SecretChanged("DB"))]


def test_planes_apart_are_those_in_processes_of_their_own() -> None:
    stage = Stage(workers=("here",))
    stage.feed(joined("w1", "h:1"))
    stage.feed(GatewayJoined("g1", is_apart=True))
    stage.feed(GatewayJoined("g2"))
    assert stage.core.apart() == ["g1", "w1"]

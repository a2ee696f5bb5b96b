from attacca.control.core.events import Announce, Command, Reply, Tick
from attacca.control.core.progress import Done
from attacca.control.core.spread import KNOWS_S
from attacca.model.messages import Deployed, GatewayJoined, GatewayLeft, Known, Send, WorkerLeft
from tests.control.core.test_gateways import joined
from tests.control.stage import Stage, deploy


def deploying(stage: Stage) -> list[Command]:
    """What comes of its being durable."""
    stage.feed(deploy("d"))
    while True:
        order = stage.orders[0]
        came = stage.end(order)
        if any(isinstance(one, Announce) for one in came):
            return came


def planes() -> Stage:
    stage = Stage(workers=("w1",))
    stage.feed(joined("w2", "h:2"))
    stage.feed(joined("w3", "h:3"))
    stage.feed(GatewayJoined("g1", is_apart=True))
    stage.feed(GatewayJoined("g2"))
    return stage


def wait(stage: Stage, seconds: float) -> list[Command]:
    assert stage.core.alarm.at == stage.now + seconds
    stage.now += seconds
    return stage.feed(Tick())


def told(commands: list[Command]) -> list[str]:
    return [one.peer for one in commands if isinstance(one, Send) and isinstance(one.message, Deployed)]


def replied(commands: list[Command]) -> bool:
    return any(isinstance(one, Reply) and isinstance(one.outcome, Done) for one in commands)


def test_workers_are_told_first_then_gateways_and_then_it_is_acknowledged() -> None:
    stage = planes()
    came = deploying(stage)
    assert (told(came), replied(came)) == (["w2", "w3"], False)
    assert not stage.core.is_at_rest()
    generation = stage.core.changes.catalogue.generation
    assert stage.feed(Known("w2", generation)) == []
    assert stage.feed(Known("w3", generation - 1)) == [], "it knows what was before"
    assert repr(stage.core.spread) == "<Spread 1 on their way>"
    assert repr(stage.core.spread.rounds[0]) == f"<Round {generation}: 1 workers>"
    assert told(stage.feed(Known("w3", generation))) == ["g1"]
    assert replied(stage.feed(Known("g1", generation)))
    assert stage.core.spread.rounds == []


def test_who_is_lost_meanwhile_is_not_waited_for() -> None:
    stage = planes()
    deploying(stage)
    stage.feed(WorkerLeft("w2"))
    assert told(stage.feed(WorkerLeft("w3"))) == ["g1"]
    assert replied(stage.feed(GatewayLeft("g1")))


def test_who_says_nothing_is_not_waited_for_either() -> None:
    stage = planes()
    deploying(stage)
    assert told(wait(stage, KNOWS_S)) == ["g1"]
    assert replied(wait(stage, KNOWS_S))


def test_with_nobody_apart_it_is_acknowledged_at_once() -> None:
    stage = Stage(workers=("w1",))
    stage.feed(GatewayJoined("g2"))
    assert replied(deploying(stage))

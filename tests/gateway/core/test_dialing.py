from attacca.gateway.core.dialing import Dialing
from attacca.gateway.core.events import Command, Dial, HangUp
from attacca.model.messages import Member, Members, WorkerJoined, WorkerLeft
from tests.gateway.play import view
from tests.gateway.stage import Stage


def members(**workers: str) -> Members:
    return Members(tuple(Member(worker, address) for worker, address in workers.items()))


def learn(dialing: Dialing, told: Members) -> list[Command]:
    out: list[Command] = []
    dialing.learn(told, out)
    return out


def test_who_is_named_is_dialed_once_and_again_when_it_has_moved() -> None:
    dialing = Dialing(lambda _: False)
    assert learn(dialing, members(a="h:1", b="h:2")) == [Dial("a", "h:1"), Dial("b", "h:2")]
    assert learn(dialing, members(a="h:1", b="h:3")) == [Dial("b", "h:3")]
    assert repr(dialing) == "<Dialing 2 dialed, 2 named by control>"


def test_who_is_named_and_not_heard_of_is_awaited() -> None:
    linked = {"a"}
    dialing = Dialing(linked.__contains__)
    assert not dialing.awaits()
    learn(dialing, members(a="h:1"))
    assert not dialing.awaits()
    learn(dialing, members(a="h:1", b="h:2"))
    assert dialing.awaits()


def test_who_is_named_no_more_stays_as_long_as_it_is_heard_of() -> None:
    linked = {"a"}
    dialing = Dialing(linked.__contains__)
    learn(dialing, members(a="h:1", b="h:2"))
    assert learn(dialing, members()) == [HangUp("b")]
    out: list[Command] = []
    dialing.lose("a", out)
    assert out == [HangUp("a")]
    dialing.lose("a", out)
    assert len(out) == 1


def test_who_is_lost_and_named_is_dialed_on() -> None:
    dialing = Dialing(lambda _: False)
    learn(dialing, members(a="h:1"))
    out: list[Command] = []
    dialing.lose("a", out)
    assert out == []


def test_a_gateway_does_as_it_is_told_by_control_and_by_its_links() -> None:
    g = Stage(workers=())
    assert g.tell(0.0, members(a="h:1")) == [Dial("a", "h:1")]
    g.tell(0.1, WorkerJoined(view("a")))
    assert g.tell(0.2, members()) == []
    assert g.tell(0.3, WorkerLeft("a", "cut")) == [HangUp("a")]

"""What passes between two workers over a link that breaks."""

from attacca.model.events import Bounced, Done, Event, Passed, Refused
from attacca.worker.core.events import Command
from attacca.worker.core.neighbours import Neighbours


def said(out: list[Command]) -> list[object]:
    return [getattr(one, "message", one) for one in out]


def passed(number: int, floor: int = 1) -> Passed:
    return Passed(number, floor, Event("b.1", "a.1@w1", b"x"))


def test_what_became_of_an_event_is_said_again_as_it_was_where_its_sender_may_not_have_heard() -> None:
    here, out = Neighbours(), list[Command]()
    for number in (1, 2, 3):
        assert here.takes("w1", b"p", passed(number), out)
    here.done("w1", 1, out)
    here.bounce("w1", 2, out)
    here.refuse("w1", 3, out, is_given_up=True)
    first, again, joined = said(out), list[Command](), list[Command]()
    assert first == [Done(1), Bounced(2), Refused(3, is_given_up=True)]
    for number in (1, 2, 3):
        assert not here.takes("w1", b"p", passed(number), again)
    here.joined("w1", joined)
    assert said(again) == said(joined) == first


def test_what_its_sender_knows_is_said_no_more() -> None:
    here, out = Neighbours(), list[Command]()
    assert here.takes("w1", b"p", passed(1), out)
    here.bounce("w1", 1, out)
    assert here.takes("w1", b"p", passed(2, floor=2), out)
    joined: list[Command] = []
    here.joined("w1", joined)
    assert (joined, here.takes("w1", b"p", passed(1, floor=2), joined)) == ([], False)
    assert repr(here) == "<Neighbours 1, 0 kept, 1 open>"
    assert repr(here.into["w1"]) == "<Inbox 1 open, 0 done>"

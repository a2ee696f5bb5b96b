"""What waits for one place: in which order it goes on, and how much may wait."""

from attacca.model.events import MAILBOX_BYTES, MAILBOX_MOST, Event
from attacca.worker.core.lanes import Lane


def event(number: int, size: int = 1) -> Event:
    return Event("b.1", f"a.{number}@n1", b"x" * size, "", "to", 0.0)


def test_what_was_sent_first_goes_on_first_however_late_it_is_known() -> None:
    lane = Lane()
    came_back, held, inherited = [event(4), event(5)], [event(6), event(7)], [event(1), event(2)]
    assert lane.hold(held[0])
    lane.back.append((9, came_back[1]))
    assert lane.inherit(inherited[0])
    assert lane.hold(held[1])
    lane.back.append((8, came_back[0]))
    assert lane.inherit(inherited[1])
    assert lane.events() == [*inherited, *came_back, *held]
    assert repr(lane) == "<Lane 2 inherited, 2 came back, 2 held, 0 on their way>"


def test_what_is_inherited_counts_for_how_much_may_wait() -> None:
    lane = Lane()
    for number in range(MAILBOX_MOST // 2):
        assert lane.inherit(event(number))
    assert not lane.is_long
    assert lane.hold(event(0))
    assert lane.is_long
    while lane.hold(event(0)):
        pass
    assert len(lane.events()) == MAILBOX_MOST
    assert not lane.inherit(event(0))
    large = Lane()
    assert large.inherit(event(0, MAILBOX_BYTES))
    assert not large.hold(event(0))

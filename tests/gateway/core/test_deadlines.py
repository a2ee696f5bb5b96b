from itertools import product
from math import inf

from hypothesis import given

from attacca.gateway.core.deadlines import ClockName, Deadlines, Lane
from attacca.kernel.timers import Alarm
from tests.drawing import several

OPS = several(list(product(["add", "remove", "wait"], range(4), range(3))), max_size=40)


def test_the_first_in_is_the_first_to_expire() -> None:
    deadlines: Deadlines[str] = Deadlines(Alarm())
    lane: Lane[str] = Lane(ClockName.WAIT, 5.0)
    deadlines.add(10.0, lane, "a")
    deadlines.add(12.0, lane, "b")
    assert deadlines.next_at == 15.0
    assert deadlines.expired(14.9) == []
    assert deadlines.expired(15.0) == [("a", lane)]
    assert repr(lane) == "<Lane wait_s = 5: 1 wait>"
    assert repr(deadlines) == "<Deadlines 1 wait, next at 17>"
    assert deadlines.next_at == 17.0


def test_what_was_removed_never_expires_and_leaves_nothing_to_wake_for() -> None:
    deadlines: Deadlines[str] = Deadlines(Alarm())
    lane: Lane[str] = Lane(ClockName.TOTAL, 5.0)
    deadlines.add(10.0, lane, "a")
    deadlines.remove(lane, "a")
    assert deadlines.expired(99.0) == []
    assert deadlines.next_at == inf
    deadlines.add(100.0, lane, "b")
    assert deadlines.next_at == 105.0


@given(OPS)
def test_a_dumb_twin_agrees(ops: list[tuple[str, int, int]]) -> None:
    lanes: list[Lane[str]] = [Lane(ClockName.WAIT, 1.0), Lane(ClockName.WAIT, 3.0), Lane(ClockName.TOTAL, 2.0)]
    deadlines, twin, now = Deadlines[str](Alarm()), dict[str, tuple[Lane[str], float]](), 0.0
    for count, (op, number, which) in enumerate(ops):
        if op == "add":
            name = f"{count}"
            deadlines.add(now, lanes[which], name)
            twin[name] = lanes[which], now + lanes[which].duration_s
        elif op == "remove" and number < len(twin):
            name = list(twin)[number]
            deadlines.remove(twin.pop(name)[0], name)
        else:
            now += number
            late = sorted(name for name, (_, at) in twin.items() if at <= now)
            assert sorted(name for name, _ in deadlines.expired(now)) == late
            for name in late:
                del twin[name]
            assert deadlines.next_at == min((at for _, at in twin.values()), default=inf)
        assert deadlines.next_at <= min((at for _, at in twin.values()), default=inf)


def test_a_lane_is_listed_once_however_many_wait_in_it() -> None:
    deadlines: Deadlines[str] = Deadlines(Alarm())
    lane: Lane[str] = Lane(ClockName.WAIT, 5.0)
    for number in range(9):
        deadlines.add(float(number), lane, f"{number}")
    assert deadlines.lanes == [lane]

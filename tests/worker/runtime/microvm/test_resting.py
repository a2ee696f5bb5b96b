from collections.abc import Callable

import pytest

from attacca.worker.runtime.microvm.resting import Order, Sleeping


class Alarm:
    """Rings by hand."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Order]] = []

    def later(self, seconds: float, order: Callable[[], None]) -> "Alarm":
        self.set.append((seconds, order))
        return self

    def cancel(self) -> None:
        self.set.clear()

    def ring(self) -> None:
        (_, order), *self.set = self.set
        order()


class Told:
    """A monitor."""

    def __init__(self, told: list[object]) -> None:
        self.told = told

    def stop(self) -> None:
        self.told.append("stop")

    def go_on(self) -> None:
        self.told.append("go on")


def begun(after_s: float | None) -> tuple[Sleeping, Alarm, list[object]]:
    """Of a machine that has just become ready; all that it is told, in order."""
    alarm, told = Alarm(), list[object]()
    resting = Sleeping(after_s, alarm.later, Told(told), lambda: told.append("the time"))
    resting.end()
    return resting, alarm, told


def test_who_has_nothing_to_do_is_stopped_and_told_the_time_before_it_has_something_to_do() -> None:
    resting, alarm, told = begun(2.0)
    assert alarm.set[0][0] == 2.0
    alarm.ring()
    assert repr(resting) == "<Sleeping stopped, 0 wait, 0 busy>"
    resting.begin(lambda: told.append("run"))
    resting.do(lambda: told.append("body"))
    assert told == ["stop", "go on"]
    resting.resumed()
    assert told[2:] == ["the time"]
    resting.awake()
    assert told[3:] == ["run", "body"]
    assert repr(resting) == "<Sleeping awake, 1 busy>"


def test_who_has_something_to_do_is_not_stopped_until_all_of_it_is_done() -> None:
    resting, alarm, told = begun(2.0)
    resting.begin(lambda: told.append("a"))
    resting.begin(lambda: told.append("b"))
    assert (alarm.set, told) == ([], ["a", "b"])
    resting.end()
    assert alarm.set == []
    resting.end()
    assert len(alarm.set) == 1


def test_where_nothing_is_said_none_is_ever_stopped() -> None:
    resting, alarm, told = begun(None)
    resting.begin(lambda: told.append("a"))
    resting.end()
    resting.resumed()
    assert (alarm.set, told) == ([], ["a"])


def test_who_says_that_it_is_awake_unasked_is_lying() -> None:
    resting, alarm, _ = begun(2.0)
    with pytest.raises(ValueError, match="told nothing"):
        resting.awake()
    alarm.ring()
    with pytest.raises(ValueError, match="told nothing"):
        resting.awake()


def test_nothing_is_left_to_ring_once_it_is_closed() -> None:
    resting, alarm, _ = begun(2.0)
    resting.close()
    assert alarm.set == []

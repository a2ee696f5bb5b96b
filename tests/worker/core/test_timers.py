from itertools import product
from math import inf

from hypothesis import given

from attacca.worker.core.timers import Key, Timer, Timers
from tests.drawing import several


def key(name: str) -> Key:
    return (Timer.EXPIRY, name)


def test_a_timer_goes_off_once() -> None:
    timers = Timers()
    timers.set(key("a"), 5.0)
    assert timers.pop_due(4.9) == []
    assert timers.pop_due(5.0) == [key("a")]
    assert timers.pop_due(6.0) == []
    assert timers.at == inf


def test_a_moved_timer_goes_off_at_its_new_time_only() -> None:
    timers = Timers()
    timers.set(key("later"), 1.0)
    timers.set(key("later"), 3.0)
    timers.set(key("sooner"), 3.0)
    timers.set(key("sooner"), 1.0)
    assert timers.pop_due(2.0) == [key("sooner")]
    assert timers.pop_due(4.0) == [key("later")]


def test_moving_one_a_thousand_times_costs_one_entry() -> None:
    timers = Timers()
    for at in range(1000):
        timers.set(key("a"), float(at))
    assert len(timers._heap) == 1


STEPS = several(list(product(["set", "clear", "ring"], "abc", range(10))), max_size=30)


@given(STEPS)
def test_timers_do_what_a_plain_dict_would(steps: list[tuple[str, str, int]]) -> None:
    timers, plain, now = Timers(), dict[Key, float](), 0.0
    for what, name, much in steps:
        if what == "set":
            timers.set(key(name), now + much)
            plain[key(name)] = now + much
        elif what == "clear":
            timers.clear(key(name))
            plain.pop(key(name), None)
        else:
            now += much
            due = [one for one, at in plain.items() if at <= now]
            assert sorted(timers.pop_due(now)) == sorted(due)
            for one in due:
                del plain[one]
        assert timers.at <= min(plain.values(), default=inf)
        assert all(timers.is_set(one) for one in plain)

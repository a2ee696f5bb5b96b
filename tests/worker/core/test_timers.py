from itertools import product

from hypothesis import given

from attacca.worker.core.timers import Alarm, Alarms, Key
from tests.drawing import several


def key(name: str) -> Key:
    return (Alarm.EXPIRY, name)


def test_an_alarm_rings_once() -> None:
    alarms = Alarms()
    alarms.set(key("a"), 5.0)
    assert alarms.ring(4.9) == []
    assert alarms.ring(5.0) == [key("a")]
    assert alarms.ring(6.0) == []
    assert alarms.next() is None


def test_a_moved_alarm_rings_at_its_new_time_only() -> None:
    alarms = Alarms()
    alarms.set(key("later"), 1.0)
    alarms.set(key("later"), 3.0)
    alarms.set(key("sooner"), 3.0)
    alarms.set(key("sooner"), 1.0)
    assert alarms.ring(2.0) == [key("sooner")]
    assert alarms.ring(4.0) == [key("later")]


def test_moving_one_a_thousand_times_costs_one_entry() -> None:
    alarms = Alarms()
    for at in range(1000):
        alarms.set(key("a"), float(at))
    assert len(alarms._heap) == 1


STEPS = several(list(product(["set", "clear", "ring"], "abc", range(10))), max_size=30)


@given(STEPS)
def test_alarms_do_what_a_plain_dict_would(steps: list[tuple[str, str, int]]) -> None:
    alarms, plain, now = Alarms(), dict[Key, float](), 0.0
    for what, name, much in steps:
        if what == "set":
            alarms.set(key(name), now + much)
            plain[key(name)] = now + much
        elif what == "clear":
            alarms.clear(key(name))
            plain.pop(key(name), None)
        else:
            now += much
            due = [one for one, at in plain.items() if at <= now]
            assert sorted(alarms.ring(now)) == sorted(due)
            for one in due:
                del plain[one]
        wakeup = alarms.next()
        if plain:
            assert wakeup is not None
            assert wakeup <= min(plain.values())
        assert all(alarms.is_set(one) for one in plain)

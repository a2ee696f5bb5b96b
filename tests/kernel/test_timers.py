from attacca.kernel.timers import Alarm


def test_an_alarm_is_only_set_earlier() -> None:
    alarm = Alarm()
    assert repr(alarm) == "<Alarm inf>"
    for at in (5.0, 3.0, 4.0):
        alarm.by(at)
    assert repr(alarm) == "<Alarm 3>"

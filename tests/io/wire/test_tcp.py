"""How long a dialer waits before it tries again; what it dials is in tests/live/test_wire.py."""

import pytest

from attacca.io.wire.tcp import Dialer

ONE, SEVERAL = [("10.0.0.1", 7700)], [("10.0.0.1", 7700), ("10.0.0.2", 7700), ("10.0.0.3", 7700)]


def pauses(dialer: Dialer, attempts: list[int]) -> list[float]:
    found = []
    for dialer.attempts in attempts:
        found.append(dialer._pause_s())
    return found


def test_it_waits_longer_and_longer_but_never_too_long() -> None:
    dialer = Dialer(pytest.fail, ONE)
    assert pauses(dialer, [1, 2, 3, 7, 8, 10**6]) == [0.05, 0.1, 0.2, 3.2, 5.0, 5.0]


def test_of_several_each_is_tried_before_it_waits_longer_and_one_may_lead_soon() -> None:
    dialer = Dialer(pytest.fail, SEVERAL)
    assert pauses(dialer, [1, 2, 3, 4, 7, 10**6]) == [0.05, 0.05, 0.05, 0.1, 0.2, 0.5]


def test_who_is_named_by_another_is_dialed_at_once_but_not_for_ever() -> None:
    dialer = Dialer(pytest.fail, SEVERAL)
    dialer._instead = ("10.0.0.2", 7700)
    assert pauses(dialer, [2]) == [0.0]
    dialer._is_sent_on = True
    assert pauses(dialer, [2]) == [0.05]

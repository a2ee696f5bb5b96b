from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.cron import MISSED_COUNTED, expect, latest_due, next_due
from tests.cases import each

ROME = "Europe/Rome"


def due(expression: str, after: str, count: int = 3) -> list[str]:
    at = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(ROME)).timestamp()
    times = []
    for _ in range(count):
        found = next_due(expression, ROME, at)
        assert found is not None
        at = found
        times.append(f"{datetime.fromtimestamp(at, ZoneInfo(ROME)):%d %H:%M%z}")
    return times


def test_an_hour_that_is_skipped_is_made_good_right_after_it() -> None:
    assert due("30 2 * * *", "2026-03-28T12:00") == ["29 03:00+0200", "30 02:30+0200", "31 02:30+0200"]


def test_an_hour_that_comes_twice_counts_once_for_a_fixed_time() -> None:
    assert due("30 2 * * *", "2026-10-24T12:00") == ["25 02:30+0200", "26 02:30+0100", "27 02:30+0100"]
    assert due("30 2 * * *", "2026-10-25T02:40", 1) == ["26 02:30+0100"]


def test_what_goes_by_the_time_that_passes_counts_it_twice() -> None:
    times = ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"]
    assert due("*/30 * * * *", "2026-10-25T01:40", 5) == times


def test_in_the_second_of_two_hours_nothing_lies_behind() -> None:
    second = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo(ROME)).timestamp()
    found = next_due("30 2 * * *", ROME, second)
    assert found is not None
    assert found > second


@given(
    st.sampled_from(("* * * * *", "*/7 3 * * *", "30 2 * * *", "0 0 29 2 *", "15 4 * * 1-5", "0 */5 1,15 * *")),
    st.sampled_from(("UTC", ROME, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")),
    st.floats(0, 2e9),
)
def test_the_next_is_later_and_none_lies_between(expression: str, zone: str, after: float) -> None:
    found = next_due(expression, zone, after)
    assert found is not None
    assert found > after
    between = next_due(expression, zone, (after + found) / 2)
    assert between is not None
    assert between >= found


@pytest.mark.long
def test_the_latest_of_many() -> None:
    assert latest_due("*/5 * * * *", "UTC", 0.0, 1000.0) == (900.0, 3)
    assert latest_due("*/5 * * * *", "UTC", 900.0, 1000.0) == (900.0, 0)
    assert latest_due("* * * * *", "UTC", 0.0, 1e9) == (1e9, MISSED_COUNTED)


@each(
    "expression, zone, said",
    [
        ("* * * *", "UTC", "has 4 fields"),
        ("* * * * * *", "UTC", "has 6 fields"),
        ("60 * * * *", "UTC", "bad minute"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
        ("0 0 * * MOON", "UTC", "bad day-of-week"),
        ("* * * * *", "Europe/Atlantis", "is not known"),
        ("* * * * *", "Europe", "is not known"),
        ("* * * * *", "../../etc/passwd", "is not known"),
    ],
)
def test_what_is_none_is_refused(expression: str, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        expect(expression, zone)

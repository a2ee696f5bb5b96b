import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.vigil import (
    MOST,
    PER_S,
    REST_MOST_S,
    REST_S,
    SLOW_MOST,
    STOLEN_AFTER,
    STOLEN_LEFT_S,
    STOLEN_MOST_S,
    STOLEN_REST_S,
    STOLEN_SHARE,
    Vigil,
)

WATCH_S = 100e-6
STEP_S = WATCH_S / 4


class Watch:
    """Time goes on by what is awaited; meanwhile the vigil is asked at every step."""

    def __init__(self, now: float = 5.0) -> None:
        self.vigil, self.now = Vigil(WATCH_S), now
        self.awake_s = 0.0  # in waits that were in vain

    def wait(self, seconds: float, *, is_awake: bool) -> bool:
        """What is awaited comes after so long; is it seen awake?"""
        end, since = self.now + seconds, self.now
        while is_awake and self.now + STEP_S < end:
            self.now += STEP_S
            is_awake = self.vigil.goes_on(self.now)
            if not is_awake:
                self.awake_s += self.now - since
        self.now = end
        return is_awake

    def invoke(self, run_s: float, gap_s: float, function: str = "f") -> tuple[bool, bool]:
        """Were the answer and the next invocation seen awake?"""
        was_awake = self.wait(run_s, is_awake=self.vigil.handed(self.now, function, 1))
        return was_awake, self.wait(gap_s, is_awake=self.vigil.answered(self.now, function, 0))


def test_what_comes_soon_is_awaited_awake() -> None:
    watch = Watch()
    assert all(watch.invoke(WATCH_S / 2, WATCH_S / 2) == (True, True) for _ in range(1000))
    assert watch.awake_s == 0


def test_a_wait_ends_after_its_time() -> None:
    vigil = Vigil(WATCH_S)
    assert vigil.handed(5.0, "f", 1)
    assert vigil.goes_on(5.0 + WATCH_S * 0.9)
    assert not vigil.goes_on(5.0 + WATCH_S * 1.1)
    assert not vigil.goes_on(5.0 + WATCH_S * 0.9)


def test_of_several_none_is_awaited() -> None:
    vigil = Vigil(WATCH_S)
    assert vigil.handed(5.0, "f", 1)
    assert not vigil.handed(5.0, "f", 2)
    assert not vigil.goes_on(5.0)
    assert not vigil.answered(5.0, "f", 1)
    assert not vigil.answered(5.0, "f", 0)


def test_the_next_is_awaited_behind_an_answer_that_was() -> None:
    watch = Watch()
    assert watch.invoke(2 * WATCH_S, 0) == (False, False)
    watch.now += 2 * REST_S
    assert watch.invoke(WATCH_S / 2, WATCH_S / 2) == (True, True)


def test_a_slow_function_rests_twice_as_long_each_time_until_it_is_quick() -> None:
    watch, slow_s = Watch(), 2 * WATCH_S

    def is_awaited(function: str, after_s: float) -> bool:
        """Would its answer be, if it was invoked so much later?"""
        return watch.vigil.handed(watch.now + after_s, function, 1)

    watch.invoke(slow_s, slow_s)
    assert not is_awaited("f", REST_S / 2)
    assert is_awaited("quick", REST_S / 2)
    for _ in range(10):
        watch.now += 2 * REST_MOST_S
        watch.invoke(slow_s, slow_s)
    assert not is_awaited("f", REST_MOST_S * 0.9)
    watch.now += REST_MOST_S
    assert watch.invoke(WATCH_S / 2, slow_s)[0]
    watch.invoke(slow_s, slow_s)
    assert is_awaited("f", REST_S)


@pytest.mark.long
def test_slow_functions_that_are_remembered_are_bounded() -> None:
    watch = Watch()
    for number in range(3 * SLOW_MOST):
        watch.invoke(2 * WATCH_S, 1 / PER_S, f"f{number}")
    assert f"{SLOW_MOST} slow>" in repr(watch.vigil)


@given(st.lists(st.tuples(st.sampled_from((0.4, 2.0)), st.sampled_from((0.4, 2.0, 100.0))), max_size=300), st.data())
def test_waits_in_vain_are_as_many_as_paid_and_the_allowance(
    units: list[tuple[float, float]], data: st.DataObject
) -> None:
    """By those that paid, and the allowance."""
    watch, paid, began = Watch(), 0, 5.0
    functions = st.sampled_from("abc")
    for run, gap in units:
        paid += sum(watch.invoke(run * WATCH_S, gap * WATCH_S, data.draw(functions)))
    allowed = MOST + paid + (watch.now - began) * PER_S
    assert watch.awake_s <= allowed * (WATCH_S + STEP_S) + 1e-9


def test_where_nothing_pays_it_costs_a_hundredth_of_a_processor() -> None:
    watch = Watch()
    for number in range(3000):
        watch.invoke(3 * WATCH_S, 3 * WATCH_S, f"f{number % 500}")
    seconds = watch.now - 5.0
    assert watch.awake_s < (PER_S * seconds + MOST) * 1.3 * WATCH_S


def steal(vigil: Vigil, now: float, seconds: float, *, by_look: bool) -> float:
    """Others have the processor during a wait, which ends by a look or by the answer. When that is over."""
    assert vigil.handed(now, "f", 1)
    now += seconds
    vigil.goes_on(now) if by_look else vigil.answered(now, "f", 0)
    vigil.goes_on(now + 1.1 * WATCH_S)  # and nothing comes
    return now + 1.1 * WATCH_S


@pytest.mark.parametrize("by_look", [True, False])
def test_who_has_the_processor_for_long_needs_it(*, by_look: bool) -> None:
    vigil, now = Vigil(WATCH_S), 5.0
    for _ in range(5):  # a little more than may be at once, but for what leaks away meanwhile
        now = steal(vigil, now, STOLEN_MOST_S / 4, by_look=by_look)
    assert not vigil.handed(now, "g", 1)
    assert repr(vigil).startswith("<Vigil leaving the processor to others")
    rest_s = (STOLEN_REST_S - STOLEN_LEFT_S) / STOLEN_SHARE
    assert not vigil.handed(now + rest_s * 0.9, "g", 1)
    now += rest_s * 1.01
    now = steal(vigil, now, (STOLEN_MOST_S - STOLEN_LEFT_S) * 1.5, by_look=by_look)
    assert not vigil.handed(now, "g", 1), "soon after that less is too much"


def test_what_is_short_between_two_looks_is_our_own_doing() -> None:
    watch = Watch()
    for _ in range(1000):
        steal(watch.vigil, watch.now, 0.9 * STOLEN_AFTER * WATCH_S, by_look=False)
        assert watch.invoke(WATCH_S / 2, WATCH_S / 2) == (True, True)


def test_who_has_it_for_less_than_a_share_of_the_time_does_not_send_us_to_sleep() -> None:
    vigil, now = Vigil(WATCH_S), 5.0
    for _ in range(30):
        for _ in range(3):
            now = steal(vigil, now, STOLEN_MOST_S / 4, by_look=False)
        now += STOLEN_MOST_S / STOLEN_SHARE


def test_credit_is_bounded() -> None:
    vigil, now = Vigil(WATCH_S), 5.0
    while vigil.handed(now, f"f{now}", 1):
        now += 1.1 * WATCH_S
        vigil.goes_on(now)
    assert repr(vigil).startswith("<Vigil asleep, credit 0 of 32")
    assert vigil.handed(1e6, "f", 1)
    assert repr(vigil).startswith("<Vigil awake, credit 32 of 32")

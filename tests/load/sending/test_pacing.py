"""The open loop in virtual time: what it says of a platform that stands still."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from attacca.lab.standing import Standing
from attacca.load.sending.pacing import FAILED_STOP, JUDGED_LEAST, LATE_S, Gate, Pacer

RATE, LENGTH_S, FREEZE_S, FROZEN_AT_S = 100.0, 100.0, 10.0, 45.0
ANSWER_S = 0.001


def answered_at(sent_s: float) -> float:
    """A platform that stands still for ten seconds and is quick otherwise."""
    if FROZEN_AT_S <= sent_s < FROZEN_AT_S + FREEZE_S:
        return FROZEN_AT_S + FREEZE_S + ANSWER_S
    return sent_s + ANSWER_S


def open_loop(*, is_generator_frozen: bool) -> dict[str, float | str]:
    """The generator's own pacing, with a clock that is moved by hand."""
    pacer: Pacer[int] = Pacer()
    pacer.plan((number / RATE, number) for number in range(int(LENGTH_S * RATE)))
    pacer.end()
    standing, now = Standing(), 0.0
    while len(pacer):
        while (item := pacer.take(now)) is not None:
            due_s, _ = item
            standing.add(now - due_s, now - due_s, answered_at(now) - due_s, "", "warm", is_warmup=False)
        now += max(pacer.wait_s(now), 0.0001)
        if is_generator_frozen and FROZEN_AT_S <= now < FROZEN_AT_S + FREEZE_S:
            now = FROZEN_AT_S + FREEZE_S
    return standing.totals(LENGTH_S)


def test_a_freeze_of_the_platform_shows_in_the_tail() -> None:
    totals = open_loop(is_generator_frozen=False)
    assert totals["invocations"] == 10_000
    assert 8_800 < float(totals["p99_ms"]) < 9_200
    assert 480 < float(totals["mean_ms"]) < 520
    assert totals["late_share"] == 0
    assert "warning" not in totals


def test_a_freeze_of_the_generator_shows_too_and_is_called_its_own() -> None:
    totals = open_loop(is_generator_frozen=True)
    assert 8_800 < float(totals["p99_ms"]) < 9_200
    assert 0.09 < float(totals["late_share"]) <= 0.11
    assert float(totals["late_max_ms"]) > 9_900


def test_the_closed_loop_would_not_have_noticed() -> None:
    responses, now = [], 0.0
    while now < LENGTH_S:
        at = answered_at(now)
        responses.append(at - now)
        now = max(at, now + 1 / RATE)
    responses.sort()
    assert responses[int(0.99 * len(responses))] < 0.002


@given(st.lists(st.integers(0, 40), max_size=30), st.lists(st.integers(0, 40), max_size=30))
def test_everything_is_sent_once_in_order_and_never_before_it_is_due(due: list[int], looks: list[int]) -> None:
    pacer: Pacer[int] = Pacer()
    planned = [(at / 10, number) for number, at in enumerate(sorted(due))]
    pacer.plan(planned)
    taken = []
    for now in sorted(look / 10 for look in looks):
        while (item := pacer.take(now)) is not None:
            assert item[0] <= now
            taken.append(item)
        assert pacer.wait_s(now) >= 0
        assert not len(pacer) or planned[len(taken)][0] > now
    assert taken == planned[: len(taken)]
    pacer.stop()
    assert pacer.is_all
    assert pacer.take(1e9) is None


def test_the_wait_ends_before_the_next_is_due_and_then_there_is_none() -> None:
    pacer: Pacer[str] = Pacer(spin_s=0.002)
    pacer.plan([(1.0, "one"), (1.001, "another")])
    assert all(0 < pacer.wait_s(now) <= 1.0 - 0.002 - now + 1e-9 for now in (0.9, 0.95, 0.99))
    assert pacer.wait_s(0.9985) == 0.0
    assert pacer.wait_s(2.0) == 0.0


def test_only_where_many_come_the_last_moment_is_worth_a_core() -> None:
    pacer: Pacer[int] = Pacer(spin_s=0.002)
    pacer.plan([(number * 0.02, number) for number in range(1, 50)])  # 50 a second, and then 500
    pacer.plan([(1.0 + number * 0.002, number) for number in range(100)])
    assert pacer.wait_s(0.019) > 0.0
    while pacer.take(0.99) is not None:
        pass
    assert pacer.wait_s(0.999) == 0.0


def verdicts(late: int, failed: int, held: int = 0, count: int = 200) -> list[bool]:
    gate = Gate()
    for number in range(count):
        gate.add(2 * LATE_S if number < late else 0.0, 2 * LATE_S if number < held else 0.0, is_failed=number < failed)
    verdict = gate.verdict()
    return [] if verdict is None else [verdict.must_stop]


def test_the_gate_warns_and_then_stops() -> None:
    assert verdicts(late=20, failed=60) == []
    assert verdicts(late=21, failed=0) == [False]
    assert verdicts(late=40, failed=0) == [False]
    assert verdicts(late=41, failed=0) == [True]
    assert verdicts(late=0, failed=61) == [False]
    assert verdicts(late=0, failed=101) == [True]
    assert verdicts(late=30, failed=int(200 * FAILED_STOP) + 1) == [True]
    assert verdicts(late=0, failed=0, held=200) == [False]  # that is the platform's doing
    assert verdicts(late=0, failed=0, held=20) == []
    assert verdicts(late=99, failed=99, count=JUDGED_LEAST - 1) == []


def test_more_lateness_is_never_judged_more_kindly() -> None:
    harshness = [sum(verdicts(late, 0)) + len(verdicts(late, 0)) for late in range(0, 200, 5)]
    assert all(before <= after for before, after in pairwise(harshness))

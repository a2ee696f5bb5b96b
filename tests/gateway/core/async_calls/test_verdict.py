from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import SandboxLost
from attacca.gateway.core.async_calls import endings
from attacca.gateway.core.async_calls.verdict import HOPELESS, PASSING, Verdict, judge, pause_s, reason
from attacca.kernel.rand import Streams
from attacca.model.async_call import TRIES_KEPT, AsyncCall, State
from attacca.model.function import AsyncSettings
from attacca.model.invocation import Call, Failed, FunctionError, Ok, Outcome, Start, Timing
from tests.cases import each


def remembered(start: Start | None = Start.WARM) -> Call:
    return Call(
        id="a.1", function="f", revision=1, at=0.0, status=200, outcome="ok", start=start, why="", sandbox="",
        timing=Timing(), total_ms=0.0,
    )  # fmt: skip


@given(st.integers(200, 599))
def test_an_answer_is_one_unless_it_says_not_now(status: int) -> None:
    is_failure = status >= 500 or status in PASSING
    assert judge(Ok(status=status), remembered()) is (Verdict.AGAIN if is_failure else Verdict.DONE)


@each(
    "outcome, call, verdict",
    [
        (FunctionError("E", "m"), remembered(), Verdict.AGAIN),
        (Failed("timeout", ""), remembered(), Verdict.AGAIN),
        (Failed("timeout", "wait_s"), remembered(None), Verdict.LATER),
        (Failed(SandboxLost.code, ""), remembered(), Verdict.AGAIN),
        (Failed("start_failed", ""), remembered(None), Verdict.AGAIN),
        (Failed("start_failed", ""), None, Verdict.LATER),
        (Failed("queue_full", ""), None, Verdict.LATER),
        (Failed("draining", ""), remembered(), Verdict.LATER),
        (Failed("cancelled", ""), remembered(), Verdict.LATER),
        *((Failed(code, ""), remembered(), Verdict.HOPELESS) for code in HOPELESS),
    ],
)
def test_what_did_not_run_is_no_attempt(outcome: Outcome, call: Call | None, verdict: Verdict) -> None:
    assert judge(outcome, call) is verdict


@given(st.integers(1, 10_000), st.floats(0.01, 3600), st.floats(0.01, 86_400), st.integers(0, 100))
def test_a_pause_is_within_its_bounds(failures: int, backoff_s: float, most_s: float, seed: int) -> None:
    pause = pause_s(Streams(seed).stream("x"), failures, backoff_s, most_s)
    assert 0 <= pause <= most_s < inf
    assert failures > 60 or pause <= backoff_s * 2 ** (failures - 1)


def test_pauses_are_spread_over_all_of_their_range() -> None:
    chance = Streams(1).stream("x")
    drawn = sorted(pause_s(chance, 3, 1.0, 100.0) for _ in range(1000))
    assert drawn[0] < 0.1
    assert drawn[-1] > 3.9
    assert 1.8 < drawn[500] < 2.2, "full jitter is uniform"


def test_what_is_remembered_of_attempts_is_bounded() -> None:
    call = AsyncCall(id="a", function="f", at=0.0)
    for _ in range(50):
        call = endings.tried(call, FunctionError("E", "x" * 10_000), remembered())
    assert (call.attempts, len(call.tries), len(call.why)) == (50, TRIES_KEPT, endings.WHY_MOST)
    assert endings.over(call, State.DONE, AsyncSettings(), 5.0).why == ""
    dead = endings.over(call, State.DEAD, AsyncSettings(keep_dead_s=10.0), 5.0)
    assert (dead.expires_at, dead.why[:2]) == (15.0, "E:")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Ok(status=503), "it answered 503"),
        (FunctionError("E", "m"), "E: m"),
        (Failed("timeout", "took too long"), "took too long"),
    ],
)
def test_the_reason_is_in_words(outcome: Outcome, said: str) -> None:
    assert reason(outcome) == said

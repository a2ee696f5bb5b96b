"""Which flow MQFQ takes of those that are within their share."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.queueing.mqfq import WHY, Mqfq
from attacca.policy.queueing.types import Waiting
from tests.cases import each
from tests.policy.queueing.lines import FUNCTIONS, order


@each(
    "pick, taken",
    [
        ("sticky", "aaabbbbcc"), ("first", "abcababcb"), ("longest", "babcabacb"), ("waited", "cbabcabab"),
        ("finish", "ccbbbbaaa"), ("fewest", "abcabcabb"), ("stale", "abcababcb"), ("longest_fewest", "babcabcab"),
    ],
)  # fmt: skip
def test_how_mqfq_picks(pick: str, taken: str) -> None:
    queue = Mqfq(pick=pick, allowed_overrun_s=100.0).fresh()  # type: ignore[arg-type]  # of its fields
    assert order(queue, *"abcabcabb", exec_s={"a": 1.0, "b": 1.0, "c": 2.5}) == taken


@pytest.mark.parametrize("pick", sorted(WHY))
@given(among=st.integers(0, 2), overrun=st.integers(0, 6), exec_s=st.tuples(*[st.integers(1, 4)] * 3))
def test_however_it_picks_backlogged_functions_never_drift_apart(
    pick: str, among: int, overrun: int, exec_s: tuple[int, int, int]
) -> None:
    queue = Mqfq(pick=pick, among=among, allowed_overrun_s=overrun).fresh()  # type: ignore[arg-type]  # of its fields
    takes_s = dict(zip(FUNCTIONS, map(float, exec_s), strict=True))
    for number, name in product(range(40), FUNCTIONS):
        queue.push(0.0, Waiting(f"{name}{number}", name, 0.0, exec_s=takes_s[name]))
    served = dict.fromkeys(FUNCTIONS, 0.0)
    while all(queue.count(name) for name in FUNCTIONS):
        answer = queue.pop(0.0, lambda _: True)
        assert answer is not None, "somebody waits, and all can run"
        served[answer.item.function] += takes_s[answer.item.function]
        queue.ended(0.0, answer.item.function, 1.0)
        assert max(served.values()) - min(served.values()) <= overrun + max(exec_s) + 1e-9


def test_few_flows_are_served_at_the_same_time() -> None:
    queue = Mqfq(pick="first", among=2, allowed_overrun_s=100.0).fresh()
    assert order(queue, *"abcabcabc") == "abababccc"

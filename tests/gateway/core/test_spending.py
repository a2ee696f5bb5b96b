import pytest

from attacca.gateway.core import spending as module
from attacca.gateway.core.spending import Spending
from attacca.model.energy import Reckoned, Spent
from attacca.model.invocation import Call, Timing

CALL = Call(
    id="i", function="f", revision=1, at=0.0, status=200, outcome="ok", start=None, why="", sandbox="", timing=Timing(),
    total_ms=1.0,
)  # fmt: skip


def test_a_call_is_shown_with_what_it_took_once_that_is_known() -> None:
    one = Spending()
    assert one.shown("i", CALL).energy_j is None
    one.take(Spent("w", (Reckoned("i", 12.5, 0.5),)))
    shown = one.shown("i", CALL)
    assert (shown.energy_j, shown.energy_error_j) == (12.5, 0.5)


def test_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    one = Spending()
    one.take(Spent("w", tuple(Reckoned(name, 1.0, 0.0) for name in "abc")))
    assert repr(one) == "<Spending of 2 invocations>"
    assert one.shown("a", CALL) is CALL

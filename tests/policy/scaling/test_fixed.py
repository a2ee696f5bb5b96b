from attacca.policy.scaling.fixed import Fixed
from attacca.policy.scaling.types import Demand


def test_nothing_changes_it() -> None:
    scaler = Fixed(count=3).fresh()
    assert [scaler.ask(float(now), Demand(waiting=now)).wanted for now in range(3)] == [3, 3, 3]
    assert repr(scaler) == "<Unmoved at 3>"

"""Nothing on the road of a cold start is written: in virtual time, in both modes."""

import pytest

from tests.sim.platform.test_control import world
from tests.sim.play import function, scenario


@pytest.mark.parametrize("mode", ["worker", "cluster"])
def test_cold_starts_write_nothing(mode: str) -> None:
    plans = [function(f"f{number}", rate=0.5) for number in range(4)]
    played = world(scenario(*plans, length_s=200.0, workers=2, mode=mode, idle_s=0.1))
    store = dict(played.control.store)
    assert store, "they are deployed"
    played.run()
    totals = played.ledger.sum_up()
    assert totals.cold_share * totals.invocations > 10
    assert played.control.store == store, "with the same versions"

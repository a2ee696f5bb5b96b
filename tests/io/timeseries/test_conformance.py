from attacca.io.timeseries.conformance import CHECKS, check_timeseries
from attacca.io.timeseries.memory import MemorySeries


def test_the_twin_is_held_to_the_suite() -> None:
    series = MemorySeries()
    assert len(check_timeseries(series)) == len(CHECKS)
    assert repr(series) == "<MemorySeries 6 points>"

from hypothesis import given
from hypothesis import strategies as st

from attacca.lab.burst import Shot, histogram, quantile, summary

TIMES = st.lists(st.floats(0.01, 40), min_size=1, max_size=30)
SHOTS = [Shot(ms, "warm", "") for ms in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 2.0, 3.0)]
SHOTS += [Shot(9.0, "template", ""), Shot(31.0, "cold", ""), Shot(0.4, "", "queue_full"), Shot(0.5, "", "queue_full")]


@given(TIMES)
def test_every_value_is_in_one_bucket(values: list[float]) -> None:
    assert sum(count for _, _, count in histogram(values)) == len(values)


@given(TIMES, st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_values_and_not_exceeded_by_its_share(values: list[float], q: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, q)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= q * len(ordered) - 1e-9


def test_a_summary_counts_everything_once() -> None:
    said = summary(SHOTS, 0.5)
    assert (said["invocations"], said["ok"], said["per_s"]) == (12, 10, 24.0)
    assert said["starts"] == {"cold": 1, "template": 1, "warm": 8}
    assert said["errors"] == {"queue_full": 2}
    assert said["latency_ms"]["max"] == 31.0
    assert said["latency_ms_by_start"]["warm"]["p50"] == 1.3

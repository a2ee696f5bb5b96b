import msgspec
import pytest

from attacca.kernel.registry import Choice
from attacca.worker.config import TelemetryConfig, WorkerConfig
from tests.cases import each


def test_a_policy_is_chosen_by_name_and_told_its_options() -> None:
    told = {"keepalive": {"policy": "ttl", "options": {"idle_s": 60}}}
    assert msgspec.convert(told, WorkerConfig).keepalive == Choice(policy="ttl", options={"idle_s": 60})


@pytest.mark.parametrize(
    ("url", "at"), [("", None), ("http://127.0.0.1:7007", ("127.0.0.1", 7007)), ("http://[::1]:0/", ("::1", 0))]
)
def test_where_the_page_is_served(url: str, at: tuple[str, int] | None) -> None:
    assert TelemetryConfig(metrics_url=url).metrics_at() == at


@each(
    "wrong, named",
    [
        ({"memory": 1}, "memory"),
        ({"memory_mb": 1}, "memory_mb"),
        ({"memory_mb": 100, "memory_buffer_mb": 100}, "memory_buffer_mb"),
        ({"body_hold_kb": 10, "body_hold_kb_max": 5}, "body_hold_kb"),
        ({"queueing": {"name": "fcfs"}}, "name"),
        ({"telemetry": {"metrics_url": "127.0.0.1:7007"}}, "http://HOST:PORT"),
        ({"telemetry": {"metrics_url": "http://127.0.0.1:77007"}}, "metrics_url"),
        ({"telemetry": {"metrics_url": "http://127.0.0.1:7007\n"}}, "metrics_url"),
        ({"telemetry": {"log_level": "loud"}}, "loud"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(wrong, WorkerConfig)

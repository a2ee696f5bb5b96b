import pytest

from attacca.load.answers import PARTS, Rows, error_of, split_of
from attacca.load.frames import Sent
from attacca.load.records import COLUMNS
from attacca.load.scenario import FunctionPlan
from attacca.load.schedule import Schedule
from tests.load.twin import scenario

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\nx-attacca-invocation-id: a-1\r\n"
    b"x-attacca-start: %b\r\nserver-timing: queued;dur=1.000, placed;dur=0, sandbox;dur=%b, code;dur=2, "
    b'imports;dur=3, run;dur=10.5\r\n\r\n{"cpu_s": 0.009}'
)
COLD, WARM = HEAD % (b"cold", b"5.0"), HEAD.replace(b"code;dur=2", b"code;dur=0") % (b"warm", b"0")
WARM = WARM.replace(b"imports;dur=3", b"imports;dur=0")
TARGETS = Schedule(scenario(FunctionPlan(name="f", memory_mb=64))).functions


def row(head: bytes, status: int = 200, error: str = "", due: float = 2.0) -> dict[str, object]:
    sent: Sent = (7, 0, due, 2.001, 2.03, status, head, error, 20, 16, 12.0, 2.001)
    values = Rows("r", 1, TARGETS, warmup_s=1.0, worker="w").row(sent, split_of(head))
    return dict(zip((name for name, _, _ in COLUMNS), values, strict=True))


def test_the_headers_say_where_the_time_went() -> None:
    split = split_of(COLD)
    assert split == ("cold", 1.0, 0.0, 5.0, 2.0, 3.0, 10.5)
    assert (split.setup, split.total) == (10.0, 21.5)
    assert split_of(COLD.replace(b"x-attacca-start", b"X-Attacca-Start")).start == "cold"
    assert split_of(b"HTTP/1.1 404 Not Found\r\n\r\n") == ("", *[0.0] * len(PARTS))


def test_a_cold_one_has_all_its_times_in_order() -> None:
    found = row(COLD)
    times = [found[name] for name in ("due", "sent", "deq", "cold_begin", "ready", "exec_begin", "exec_end", "recv")]
    assert times == sorted(times)  # type: ignore[type-var]
    assert found["late"] == pytest.approx(0.001)
    assert found["exec_end"] - found["exec_begin"] == pytest.approx(0.0105)  # type: ignore[operator]
    assert found["ready"] - found["cold_begin"] == pytest.approx(0.010)  # type: ignore[operator]
    assert (found["start"], found["worker"], found["cpu"], found["req_dur"]) == ("cold", "w", 0.009, 0.012)
    assert (found["idx"], found["func"], found["phase"], found["mem"]) == (7, "f", "run", 64)


def test_a_warm_one_had_no_sandbox_made() -> None:
    found = row(WARM)
    assert (found["start"], found["cold_begin"], found["ready"]) == ("warm", None, None)
    assert found["cost"] == pytest.approx(64 * 0.0105)


def test_one_that_never_came_back_has_no_times() -> None:
    found = row(b"", 0, "no_answer", due=0.5)
    assert (found["status"], found["err"], found["recv"], found["exec_end"], found["phase"]) == (
        0, "no_answer", None, None, "warmup",
    )  # fmt: skip


def test_errors_are_known_by_their_code() -> None:
    refused = b'HTTP/1.1 429 Too Many Requests\r\n\r\n{"error":{"code":"queue_full","message":"no"}}'
    assert row(refused, 429)["err"] == error_of(429, refused) == "queue_full"
    assert error_of(502, b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>") == "http_502"
    assert error_of(200, COLD) == ""

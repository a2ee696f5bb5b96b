import pytest

from attacca.lab.answers import Origin, Rows, Told, error_of, told_by
from attacca.load.records.columns import COLUMNS
from attacca.load.sending.frames import Sent
from attacca.load.workload.scenario import FunctionPlan
from attacca.load.workload.schedule import Schedule
from tests.load.twin import scenario

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 31\r\nx-attacca-invocation-id: a-1\r\n"
    b"x-attacca-start: %b\r\nx-attacca-sandbox: s-1\r\nx-attacca-arrived: 1000002001500\r\nx-attacca-waiting: 3\r\n"
    b"server-timing: queued;dur=1.000, placed;dur=0, sandbox;dur=%b, code;dur=%b, imports;dur=%b, run;dur=10.5, "
    b"total;dur=%b\r\n\r\n"
)
OWN = b'{"began": 502.014, "cpu_s": 0.009}'  # what our own body says
COLD, WARM = HEAD % (b"cold", b"5.0", b"2", b"3", b"22.0"), HEAD % (b"warm", b"0", b"0", b"0", b"12.0")
ORIGIN = Origin(wall_s=1_000_000.0, monotonic_s=500.0)
TARGETS = Schedule(scenario(FunctionPlan(name="f", memory_mb=64))).functions
TIMES = ("due", "sent", "enq", "deq", "cold_begin", "ready", "exec_begin", "exec_end", "recv")


def row(
    head: bytes, status: int = 200, error: str = "", due: float = 2.0, origin: Origin = ORIGIN
) -> dict[str, object]:
    sent: Sent = (7, 0, due, 2.001, 2.03, status, head, error, 20, 16, 12.0, 2.001)
    rows = Rows("r", 1, TARGETS, warmup_s=1.0, worker="w", memory_mb=(96,))
    rows.origin = origin
    return dict(zip((name for name, _, _ in COLUMNS), rows.row(sent, told_by(head)), strict=True))


def test_the_headers_say_what_the_server_knows() -> None:
    told = told_by(COLD)
    assert told == Told("cold", "s-1", 1000002.0015, 3, 1, 1.0, 0.0, (5.0, 0.0, 0.0, 2.0, 3.0, 0.0), 10.5, 22.0)
    assert (told.setup, sum(told.parts().values())) == (10.0, 21.5)
    assert told_by(COLD.replace(b"x-attacca-start", b"X-Attacca-Start")).start == "cold"
    assert told_by(b"HTTP/1.1 404 Not Found\r\n\r\n") == Told()


def test_a_start_has_six_parts() -> None:
    six = COLD.replace(b"code;", b"network;dur=0.5, image;dur=1.5, code;").replace(
        b", run;", b", readiness;dur=4, run;"
    )
    assert told_by(six).made == (5.0, 0.5, 1.5, 2.0, 3.0, 4.0)
    assert told_by(six).parts()["readiness"] == 4.0


def test_a_cold_one_has_all_its_times() -> None:
    found = row(COLD)
    assert [found[name] for name in TIMES] == pytest.approx(
        [2.0, 2.001, 2.0015, 2.0025, 2.0025, 2.0125, 2.0125, 2.023, 2.03]
    )
    assert found["late"] == pytest.approx(0.001)
    assert (found["start"], found["worker"], found["sandbox"], found["queue_len"]) == ("cold", "w", "s-1", 3)
    assert (found["idx"], found["func"], found["phase"], found["mem"], found["req_dur"]) == (7, "f", "run", 96, 0.012)


def test_who_takes_what_it_takes_was_not_asked_for_a_duration() -> None:
    sent: Sent = (7, 0, 2.0, 2.001, 2.03, 200, WARM, "", 20, 16, 12.0, 2.001)
    rows = Rows("r", 1, TARGETS, warmup_s=1.0, is_timed=(False,))
    found = dict(zip((name for name, _, _ in COLUMNS), rows.row(sent, told_by(WARM)), strict=True))
    assert (found["req_dur"], found["mem"]) == (None, 64)


def test_our_own_body_knows_when_it_began() -> None:
    found = row(COLD + OWN)
    assert (found["exec_begin"], found["exec_end"]) == pytest.approx((2.014, 2.0245))
    assert found["cpu"] == 0.009
    far = row(COLD + OWN, origin=Origin(wall_s=1_000_000.0))
    assert far["exec_begin"] == pytest.approx(2.0125), "another machine's monotonic clock says nothing"


def test_a_warm_one_had_no_sandbox_made() -> None:
    found = row(WARM)
    assert (found["start"], found["cold_begin"], found["ready"]) == ("warm", None, None)
    assert found["cost"] == pytest.approx(96 * 0.0105)


@pytest.mark.parametrize("wall_s", [999_999.9, 1_000_000.1])
def test_clocks_that_disagree_do_not_put_effect_before_cause(wall_s: float) -> None:
    found = row(WARM, origin=Origin(wall_s))
    times = [found[name] for name in TIMES if found[name] is not None]
    assert times == sorted(times)  # type: ignore[type-var]


def test_of_one_that_was_sent_again_only_its_handlers_word_is_taken() -> None:
    again = COLD.replace(b"x-attacca-waiting", b"x-attacca-attempts: 2\r\nx-attacca-waiting")
    found = row(again)
    assert (found["attempt"], found["enq"]) == (2, pytest.approx(2.0015))
    assert [found[name] for name in ("deq", "cold_begin", "ready", "exec_begin", "exec_end")] == [None] * 5
    assert row(again + OWN)["exec_begin"] == pytest.approx(2.014)


def test_a_streamed_answer_begins_before_its_end_is_known() -> None:
    found = row(WARM.partition(b", run;dur")[0] + b"\r\n\r\n")
    assert found["exec_begin"] == pytest.approx(2.0025)
    assert (found["exec_end"], found["cost"]) == (None, None)


def test_one_that_never_reached_a_sandbox_was_only_queued() -> None:
    head = b"HTTP/1.1 504 X\r\nx-attacca-arrived: 1000002001500\r\nserver-timing: queued;dur=20, total;dur=20\r\n\r\n"
    found = row(head, 504)
    assert (found["enq"], found["deq"], found["exec_begin"], found["start"]) == (pytest.approx(2.0015), None, None, "")


def test_one_that_never_came_back_has_no_times() -> None:
    found = row(b"", 0, "no_answer", due=0.5)
    assert (found["status"], found["err"], found["recv"], found["enq"], found["exec_end"], found["phase"]) == (
        0, "no_answer", None, None, None, "warmup",
    )  # fmt: skip


def test_errors_are_known_by_their_code() -> None:
    refused = b'HTTP/1.1 429 Too Many Requests\r\n\r\n{"error":{"code":"queue_full","message":"no"}}'
    assert row(refused, 429)["err"] == error_of(429, refused) == "queue_full"
    assert error_of(502, b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>") == "http_502"
    assert error_of(200, COLD) == ""

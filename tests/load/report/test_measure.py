from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import NotFound, StateCorrupt
from attacca.load.records.reading import read_run
from attacca.load.records.recorder import Recorder
from attacca.load.report import measure
from attacca.load.report.digest import PARTS, SHARES, Digest
from attacca.load.report.measure import digest_of, read
from attacca.load.workload.scenario import Record
from tests.load.report.play import digest, record, scenario


def row(index: int, **said: object) -> tuple[object, ...]:
    """An invocation that was due at its number, ran for a second, and was answered at once."""
    due = float(index)
    known = {
        "run": "few", "seed": 1, "phase": "run", "idx": index, "app": "a", "func": "f", "trigger": "http", "due": due,
        "sent": due, "late": 0.0, "enq": due, "deq": due, "cold_begin": None, "ready": None, "exec_begin": due,
        "exec_end": due + 1.0, "recv": due + 1.0, "status": 200, "err": "", "start": "warm", "worker": "w",
        "sandbox": "s", "attempt": 1, "queue_len": 0, "mem": 128, "cpu": 1.0, "req_dur": 1.0, "bytes_in": 0,
        "bytes_out": 0, "cost": 128.0,
    }  # fmt: skip
    return tuple((known | said).values())


def digest_of_rows(path: object, *rows: tuple[object, ...], samples: int = 0) -> Digest:
    from pathlib import Path

    sink = Recorder(Path(str(path)), scenario(), "live", 1.7e9)
    for one in rows:
        sink.add(one)
    for second in range(samples):
        sink.sample(("few", float(second), "w", 4, 1, 2, 1, 512, 0.5))
    sink.close({}, 1.0)
    return digest_of(read_run(Path(str(path))))


def test_responses_count_from_when_they_were_due(tmp_path: object) -> None:
    found = digest_of_rows(tmp_path, *(row(index, recv=index + 3.0) for index in range(10)))
    assert found.metrics["mean_ms"] == pytest.approx(3000.0)
    assert found.metrics["slowdown"] == pytest.approx(3.0)
    assert found.metrics["overhead_ms"] == pytest.approx(2000.0)
    assert found.span_s == 9.0


def test_warm_up_is_left_out_but_counted(tmp_path: object) -> None:
    early = [row(index, phase="warmup", recv=index + 50.0) for index in range(5)]
    found = digest_of_rows(tmp_path, *early, *(row(index) for index in range(5, 25)))
    assert found.phases == {"run": 20, "warmup": 5}
    assert found.metrics["p99_ms"] == pytest.approx(1000.0)


def test_failures_are_counted_by_their_code_and_have_no_latency(tmp_path: object) -> None:
    bad = [
        row(20, status=0, recv=None, start=""), row(21, status=504, err="timeout"), row(22, status=404, start=""),
    ]  # fmt: skip
    found = digest_of_rows(tmp_path, *(row(index) for index in range(20)), *bad)
    assert found.errors == {"no answer": 1, "status 404": 1, "timeout": 1}
    assert found.metrics["error_share"] == pytest.approx(3 / 23)
    assert found.metrics["mean_ms"] == pytest.approx(1000.0)


def test_cold_and_template_starts_are_cold(tmp_path: object) -> None:
    starts = ["cold", "template", "prewarmed", "warm", "warm", "warm", "warm", "warm"]
    found = digest_of_rows(tmp_path, *(row(index, start=start) for index, start in enumerate(starts)))
    assert found.metrics["cold_share"] == 0.25
    assert found.starts == {"cold": 1, "prewarmed": 1, "template": 1, "warm": 5}


def test_without_a_wish_slowdown_is_measured_by_the_warm_median(tmp_path: object) -> None:
    rows = [row(index, req_dur=None) for index in range(9)]
    slow = row(9, req_dur=None, start="cold", exec_end=13.0, recv=14.0)
    found = digest_of_rows(tmp_path, *rows, slow)
    assert found.metrics["slowdown"] == pytest.approx(5.0**0.1)
    assert "median" in found.durations


def test_parts_add_up_to_the_response(tmp_path: object) -> None:
    cold = row(
        1, start="cold", sent=1.1, enq=1.3, deq=1.6, cold_begin=1.6, ready=2.1, exec_begin=2.2, exec_end=3.2, recv=3.5
    )
    found = digest_of_rows(tmp_path, *(row(index) for index in range(5)), cold)
    parts = dict(zip(PARTS, next(bar for bar in found.split if bar.label == "cold").parts, strict=True))
    assert parts == pytest.approx({
        "late": 0.1, "sending": 0.2, "queued": 0.3, "making": 0.5, "handing": 0.1, "running": 1.0, "answering": 0.3,
    })  # fmt: skip
    assert sum(parts.values()) == pytest.approx(2.5)


def test_moments_that_were_not_recorded_do_not_lose_time(tmp_path: object) -> None:
    bare = row(1, enq=None, deq=None, exec_begin=None, exec_end=None, recv=2.5)
    found = digest_of_rows(tmp_path, *[bare] * 5)
    assert sum(found.split[0].parts) == pytest.approx(1.5)


def test_the_platform_is_measured_while_invocations_are(tmp_path: object) -> None:
    found = digest_of_rows(tmp_path, *(row(index) for index in range(8)), samples=20)
    assert (found.metrics["sandboxes"], found.metrics["queued"], found.metrics["memory_gb"]) == (4.0, 2.0, 0.5)
    assert found.metrics["idle_share"] == 0.75


def test_an_empty_run_is_no_failure(tmp_path: object) -> None:
    found = digest_of_rows(tmp_path)
    assert found.functions == []
    assert msgspec.json.decode(msgspec.json.encode(found), type=Digest) == found


def test_a_run_without_one_good_answer_can_be_kept(tmp_path: object) -> None:
    found = digest_of_rows(tmp_path, *(row(index, status=500, err="function_error") for index in range(5)))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Digest) == found
    assert found.functions[0].slowdown is None


def test_a_digest_is_made_once_and_kept(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    path = record(Path(str(tmp_path)) / "run", scenario(duration_s=20.0))
    first = read(path)
    monkeypatch.setattr(measure, "digest_of", lambda _: pytest.fail("it was there already"))
    assert read(path) == first
    (path / "digest.json").write_text("{}")
    for part in (path / "records").iterdir():
        part.unlink()
    with pytest.raises(StateCorrupt):
        read(path)
    with pytest.raises(NotFound):
        read(path / "nothing")


def test_quantiles_ascend_and_end_with_the_most(tmp_path: object) -> None:
    from pathlib import Path

    found = digest(Path(str(tmp_path)), scenario(duration_s=60.0))
    assert len(found.quantiles) == len(SHARES)
    assert found.quantiles == sorted(found.quantiles)
    assert found.quantiles[SHARES.index(0.5)] * 1e3 == found.metrics["p50_ms"]


def test_what_has_not_settled_is_left_out_where_the_scenario_says_so(tmp_path: Path) -> None:
    """Ten seconds of slow answers, then 190 s of quick ones."""
    rows = [row(index, recv=index + (9.0 if index < 10 else 1.0)) for index in range(200)]
    plan = scenario()
    settling = msgspec.structs.replace(plan, workload=msgspec.structs.replace(plan.workload, settle=True))
    found = []
    for name, one in (("plain", plan), ("settled", settling)):
        sink = Recorder(tmp_path / name, one, "live", 1.7e9)
        for line in rows:
            sink.add(line)
        sink.close({}, 1.0)
        found.append(digest_of(read_run(tmp_path / name)))
    plain, settled = found
    assert (plain.warm_up_s, settled.warm_up_s) == (10.0, 10.0)
    assert plain.phases == {"run": 200}
    assert settled.phases == {"run": 190, "warmup": 10}
    assert plain.metrics["mean_ms"] == pytest.approx(1400.0)
    assert settled.metrics["mean_ms"] == pytest.approx(1000.0)


def test_scheduling_latency_counts_from_the_sending_and_leaves_the_handler_out(tmp_path: Path) -> None:
    found = digest_of_rows(tmp_path, *(row(index, sent=index + 0.5, recv=index + 3.0) for index in range(10)))
    assert found.scheduling[500] == pytest.approx(1.5)
    assert found.functions[0].scheduling_s == pytest.approx(1.5)


def test_throughput_is_what_was_answered_meanwhile_not_what_was_asked(tmp_path: object) -> None:
    """Twenty a second are due for ten seconds, one server answers ten a second: it goes on in the drain."""
    rows = [row(n, due=n / 20, sent=n / 20, enq=n / 20, deq=n / 10, exec_begin=n / 10, exec_end=(n + 1) / 10,
                recv=(n + 1) / 10, req_dur=0.1) for n in range(200)]  # fmt: skip
    assert digest_of_rows(tmp_path, *rows).metrics["throughput"] == pytest.approx(10.0, rel=0.03)


def test_wasted_is_what_was_held_while_nothing_ran_in_it(tmp_path: object) -> None:
    """Half a gigabyte for seven seconds, and seven of 128 MB for one second each; the eighth begins at the end."""
    found = digest_of_rows(tmp_path, *(row(index) for index in range(8)), samples=20)
    assert found.metrics["wasted_gb_s"] == pytest.approx(0.5 * 7 - 7 * 0.125)
    assert (
        "wasted_gb_s" not in digest_of_rows(Path(str(tmp_path)) / "bare", *(row(index) for index in range(8))).metrics
    )


def test_an_application_is_its_functions_together_or_a_function_by_itself(tmp_path: object) -> None:
    rows = [
        row(0, app="a", func="f", start="cold", recv=4.0), row(1, app="a", func="g"), row(2, app="", func="h"),
        row(3, app="", func="h", start="template", recv=5.0), row(4, app="a", func="g"), row(5, app="a", func="g"),
    ]  # fmt: skip
    found = digest_of_rows(tmp_path, *rows)
    told: dict[str, Any] = {one.name: (one.invocations, one.cold_share, one.slowdown) for one in found.applications}
    assert told == {"a": (4, 0.25, pytest.approx(4.0**0.25)), "h": (2, 0.5, pytest.approx(2.0**0.5))}
    assert found.metrics["slowdown_apps"] == pytest.approx((4.0**0.25 * 2.0**0.5) ** 0.5)


def test_a_simulation_looks_once_in_each_interval_and_no_bin_of_its_time_is_empty(tmp_path: Path) -> None:
    """At moments that are drawn: how far they are from one another says little of how long an interval is."""
    plain = scenario()
    sink = Recorder(tmp_path, msgspec.structs.replace(plain, record=Record(sample_s=5.0)), "simulated", 1.7e9)
    for index in range(1800):
        sink.add(row(index))
    for interval in range(361):
        sink.sample(("few", 5.0 * interval + interval * 7 % 5, "w", 4, 1, 2, 1, 512, 0.5))
    sink.close({}, 1.0)
    series = digest_of(read_run(tmp_path)).series
    assert series.every_s == 5.0
    assert None not in series.sandboxes

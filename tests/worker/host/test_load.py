from pathlib import Path

from attacca.worker.host.load import (
    PAGE_KB,
    Meter,
    disk_bytes,
    network_counts,
    process_counts,
    processor_ticks,
)

DEV = """Inter-|   Receive            |  Transmit
 face |bytes    packets errs |bytes    packets errs
    lo: {0} 1 0 0 0 0 0 0 {0} 1 0 0 0 0 0 0
  eth0: {1} 1 0 0 0 0 0 0 {2} 1 0 0 0 0 0 0
"""


def kernel(at: Path, busy: int, idle: int, received: int = 0, sent: int = 0) -> Path:
    (at / "net").mkdir(exist_ok=True)
    (at / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 5 5\ncpu0 1 2 3\n")
    (at / "loadavg").write_text("1.25 0.5 0.1 1/100 1234\n")
    (at / "net" / "dev").write_text(DEV.format(999, received, sent))
    return at


def test_what_is_counted_becomes_rates_from_the_second_time_on(tmp_path: Path) -> None:
    meter = Meter(tmp_path, kernel(tmp_path, 10, 90))
    assert repr(meter) == f"<Meter of {tmp_path}, not measured yet>"
    first = meter.measure(5.0)
    assert (first.cpu_share, first.received_mb_s, first.load_1m) == (0.0, 0.0, 1.25)
    kernel(tmp_path, 40, 160, received=4 << 20, sent=1 << 20)
    second = meter.measure(7.0)
    assert (second.cpu_share, second.received_mb_s, second.sent_mb_s) == (0.3, 2.0, 0.5)
    assert second.memory_free_mb > 0
    assert second.counts is not None
    assert (second.counts.load_5m, second.counts.load_15m) == (0.5, 0.1)
    assert (second.counts.received_bytes, second.counts.received_packets) == (4 << 20, 1)
    assert second.counts.process_kb == 0, "what is not said is 0"
    assert repr(meter) == f"<Meter of {tmp_path}, measured>"


def test_waiting_for_the_disk_is_not_busy_and_the_loopback_is_no_network() -> None:
    assert processor_ticks("cpu 1 2 3 4 5 6 7 8 9 10\n") == (27, 36)
    assert network_counts(DEV.format(7, 5, 3)) == (5, 1, 0, 3, 1, 0)


def test_only_whole_disks_are_counted() -> None:
    rows = (
        "8 0 sda 1 2 10 4 5 6 20",
        "8 1 sda1 1 2 10 4 5 6 20",
        "7 0 loop0 1 2 10 4 5 6 20",
        "253 0 dm-0 1 2 9 4 5 6 9",
    )
    assert disk_bytes("\n".join((*rows, "259 0 nvme0n1 1 2 1 4 5 6 2"))) == (11 * 512, 22 * 512)
    assert disk_bytes("") == (0, 0)


def test_a_process_may_have_any_name() -> None:
    stat = "1 (a) b) c) S 0 0 0 0 0 0 0 0 0 0 70 30 0 0"
    assert process_counts(stat, "9 4 1") == (100, 4 * PAGE_KB, 9 * PAGE_KB)
    assert process_counts("", "") == (0, 0, 0)

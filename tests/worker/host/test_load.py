from pathlib import Path

import pytest

from attacca.worker.host.load import PAGE_KB, Meter, process_counts

DEV = """Inter-|   Receive            |  Transmit
 face |bytes    packets errs |bytes    packets errs
    lo: {0} 1 0 0 0 0 0 0 {0} 1 0 0 0 0 0 0
  eth0: {1} 1 0 0 0 0 0 0 {2} 1 0 0 0 0 0 0
"""


def kernel(at: Path, busy: int, idle: int, received: int = 0, sent: int = 0) -> Path:
    (at / "net").mkdir(exist_ok=True)
    (at / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 5 5\ncpu0 1 2 3\n")
    (at / "loadavg").write_text("1.25 0.5 0.1 1/100 1234\n")
    (at / "meminfo").write_text("MemTotal:  2097152 kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\n")
    (at / "net" / "dev").write_text(DEV.format(999, received, sent))
    return at


def sensors(at: Path) -> Path:
    speed, heat = at / "devices/system/cpu/cpu0/cpufreq", at / "class/thermal/thermal_zone0"
    for directory in (speed, heat):
        directory.mkdir(parents=True)
    (speed / "scaling_cur_freq").write_text("2400000\n")
    (heat / "temp").write_text("51500\n")
    return at


def test_what_is_counted_becomes_rates_from_the_second_time_on(tmp_path: Path) -> None:
    meter = Meter(tmp_path, kernel(tmp_path, 10, 90), sensors(tmp_path / "sys"))
    assert repr(meter) == f"<Meter of {tmp_path}, 0 looks>"
    first = meter.measure(5.0)
    assert (first.cpu_share, first.received_mb_s, first.load_1m) == (0.0, 0.0, 1.25)
    assert (first.memory_mb, first.swap_used_mb, first.mhz, first.celsius) == (2048, 1, 2400.0, 51.5)
    kernel(tmp_path, 40, 160, received=4 << 20, sent=1 << 20)
    second = meter.measure(7.0)
    assert (second.cpu_share, second.received_mb_s, second.sent_mb_s) == (0.3, 2.0, 0.5)
    assert (second.user_share, second.system_share, second.wait_share) == (0.3, 0.0, 0.0)
    assert second.memory_free_mb > 0
    assert [(one.name, one.received_mb_s) for one in second.networks] == [("eth0", 2.0)]
    assert second.counts is not None
    assert (second.counts.load_5m, second.counts.load_15m) == (0.5, 0.1)
    assert (second.counts.received_bytes, second.counts.received_packets) == (4 << 20, 1)
    assert second.counts.process_kb == 0, "what is not said is 0"
    assert second.pressure is None, "this kernel does not say it"
    assert repr(meter) == f"<Meter of {tmp_path}, 2 looks>"
    assert [(one.ago_s, one.load) for one in meter.history(8.0)] == [(3.0, first), (1.0, second)]


@pytest.mark.long
def test_a_minute_is_kept_and_no_more(tmp_path: Path) -> None:
    meter = Meter(tmp_path, kernel(tmp_path, 1, 1), tmp_path)
    for second in range(70):
        meter.measure(float(second))
    assert [one.ago_s for one in meter.history(69.0)] == [float(ago) for ago in range(59, -1, -1)]


def test_a_kernel_that_shows_nothing_or_nonsense_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert Meter(tmp_path, tmp_path / "none", tmp_path).measure(1.0).cpu_share == 0.0
    (tmp_path / "net").mkdir()
    for name in ("stat", "loadavg", "diskstats", "net/dev", "meminfo"):
        (tmp_path / name).write_bytes(b"\xff\xfe nan: -1 x\n\n:\ncpu\n")
    load = Meter(tmp_path, tmp_path, tmp_path).measure(1.0)
    assert (load.cpu_share, load.load_1m, load.disks, load.networks) == (0.0, 0.0, (), ())


def test_a_process_may_have_any_name() -> None:
    stat = "1 (a) b) c) S 0 0 0 0 0 0 0 0 0 0 70 30 0 0"
    assert process_counts(stat, "9 4 1") == (100, 4 * PAGE_KB, 9 * PAGE_KB)
    assert process_counts("", "") == (0, 0, 0)

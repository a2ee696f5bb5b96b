import pytest

from attacca.model.monitor import DiskRates, NetworkRates, Pressure
from attacca.worker.host.counters import (
    NetworkCounts,
    Ticks,
    disk_counts,
    disk_rates,
    load_averages,
    network_counts,
    network_rates,
    pressure,
    process_ticks,
    processor_ticks,
    shares,
)
from tests.cases import each

DEV = """Inter-|   Receive            |  Transmit
 face |bytes    packets errs |bytes    packets errs
    lo:    3193 29 0 0 0 0 0 0 3193 29 0 0 0 0 0 0
  eth0: {0} 54601 1 2 0 0 0 0  2138099 21915 3 4 0 0 0 0
"""


def test_what_processors_did_is_told_apart_and_waiting_is_not_busy() -> None:
    ticks = processor_ticks("cpu 1 2 3 4 5 6 7 8 9 10\ncpu0 9 9 9 9\n")
    assert ticks == Ticks(user=3, system=16, idle=4, wait=5, stolen=8)
    assert ticks.busy == 27
    told = shares(Ticks(), Ticks(user=10, system=20, idle=50, wait=15, stolen=5))
    assert told == pytest.approx((0.35, 0.1, 0.2, 0.15, 0.05))


def test_what_is_no_count_of_processors_is_nothing() -> None:
    for text in ("", "cpu", "cpu0 1 2 3 4", "cpu 1 2 3", "cpu a b c d", "cpu 1 -2 3 4"):
        assert processor_ticks(text) == Ticks(), text
    assert shares(Ticks(5, 5, 5), Ticks(5, 5, 5)).busy == 0.0, "no time has passed"


def test_a_wait_that_the_kernel_counts_back_takes_nothing_from_the_others() -> None:
    told = shares(Ticks(user=10, idle=10, wait=50), Ticks(user=20, idle=20, wait=40))
    assert (told.busy, told.wait) == (0.5, 0.0)


def disks(*rows: str) -> str:
    return "\n".join(rows)


def test_whole_disks_are_counted_as_iostat_has_it() -> None:
    before = disk_counts("8 0 sda 10 0 0 100 10 0 0 100 0 100 1000 0 0 0 0 0 0")
    now = disk_counts(
        disks(
            "8 0 sda 30 0 4096 140 30 0 8192 260 0 1100 3000 0 0 0 0 0 0",
            "8 1 sda1 1 2 10 4 5 6 20 1 1 1 1",
            "7 0 loop0 1 2 10 4 5 6 20 1 1 1 1",
            "259 0 nvme0n1 1 2 1 4 5 6 2 1 1 1 1",
            "8 16 sdb 1 2 3",
            "8 32 sdc 1 2 3 4 5 6 7 8 9 10 eleven",
        )
    )
    assert list(now) == ["sda", "nvme0n1"]
    assert list(disk_rates(before, now, 2.0)) == [
        DiskRates(
            name="sda", read_mb_s=1.0, written_mb_s=2.0, reads_s=10.0, writes_s=10.0, wait_ms=5.0, queue=1.0,
            busy_share=0.5,
        )
    ]  # fmt: skip


def test_a_device_that_goes_comes_or_counts_anew_does_nothing_in_that_moment() -> None:
    full = disk_counts("8 0 sda 10 0 10 10 10 0 10 10 0 10 10")
    anew = disk_counts("8 0 sda 20 0 1 20 20 0 20 20 0 20 20")
    assert list(disk_rates(full, {}, 1.0)) == []
    assert list(disk_rates({}, full, 1.0)) == []
    assert list(disk_rates(full, anew, 1.0)) == [DiskRates(name="sda")]
    more, less = network_counts(DEV.format(100)), network_counts(DEV.format(50))
    assert list(network_rates(more, less, 1.0)) == [NetworkRates(name="eth0")]


def test_networks_are_counted_one_by_one_and_the_loopback_is_none() -> None:
    assert network_counts(DEV.format(7)) == {"eth0": NetworkCounts(7, 54601, 1, 2, 2138099, 21915, 3, 4)}
    (rates,) = network_rates(network_counts(DEV.format(0)), network_counts(DEV.format(3 << 20)), 2.0)
    assert (rates.received_mb_s, rates.sent_mb_s) == (1.5, 0.0)


def test_a_machine_with_a_thousand_devices_shows_some() -> None:
    rows = "\n".join(f" veth{number}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0" for number in range(1_000))
    assert len(network_counts(f"a\nb\n{rows}\n")) == 64


@each(
    "text, expected",
    [
        ("some avg10=96.22 avg60=1.0 total=1", 0.9622),
        ("some avg10=1e9 avg60=0", 1.0),
        ("some avg10=-3 avg60=0", 0.0),
        ("some avg10=nan avg60=0", 0.0),
        ("some avg10= avg60=0", 0.0),
        ("some", 0.0),
        ("full avg10=5.0", 0.0),
    ],
)
def test_pressure_is_a_share_whatever_stands_there(text: str, expected: float) -> None:
    told = pressure(text, "", "")
    assert told is not None
    assert told.cpu_some == pytest.approx(expected)


def test_all_of_pressure() -> None:
    both = "some avg10=20.00 avg60=1 total=1\nfull avg10=10.00 avg60=1 total=1\n"
    told = Pressure(cpu_some=0.2, memory_some=0.2, memory_full=0.1, io_some=0.2, io_full=0.1)
    assert pressure(both, both, both) == told
    assert pressure("", "", "") is None


def test_a_process_counts_with_the_children_that_it_waited_for() -> None:
    assert process_ticks("1 (a) b) c) S 0 0 0 0 0 0 0 0 0 0 70 30 5 6 0") == 111
    for text in ("", "1 (a) S", "1 (a) S 0 0 0 0 0 0 0 0 0 0 x y 5 6"):
        assert process_ticks(text) == 0
    assert load_averages("1 2") == (0.0, 0.0, 0.0)

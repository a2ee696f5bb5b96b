import msgspec

from attacca.cli.screens.machines import curve, lines
from attacca.model.energy import EnergyView
from attacca.model.monitor import DiskRates, NetworkRates, Pressure
from attacca.model.sandbox import DeviceView, LoadSeen, MachineLoad


def test_a_curve_is_as_high_as_it_may_be() -> None:
    assert curve([-1.0, 0.0, 0.5, 1.0, 9.0]) == "  ▄██"


def test_what_a_machine_does_is_told_in_lines() -> None:
    load = MachineLoad(
        cpu_share=0.5, load_1m=2.0, memory_free_mb=1024, disk_free_mb=1, received_mb_s=0, sent_mb_s=0,
        user_share=0.4, system_share=0.1, wait_share=0.25, memory_mb=2048, pressure=Pressure(cpu_some=0.2),
        disks=(DiskRates(name="sda", read_mb_s=1.0, busy_share=0.5),),
        networks=(NetworkRates(name="eth\x1b[31m0", sent_mb_s=0.5),), mhz=2400.0, celsius=50.0,
    )  # fmt: skip
    told = lines("w1", [msgspec.to_builtins(LoadSeen(ago_s=0.0, load=load))])
    assert told[0] == "w1  ▄"
    assert told[1] == "  processors  50% busy: 40% user, 10% system · 25% waits for disks · load 2.00"
    assert told[2] == "  memory      1,024 MB of 2,048 MB free · 0 MB swapped"
    assert told[3] == "  pressure    processors 20% · memory 0% · disks 0% of the last 10 s"
    assert told[4].startswith("  sda         1.0 MB/s read")
    assert "\x1b" not in told[5]
    assert told[6] == "  machine     2,400 MHz · 50 °C"
    seen = msgspec.to_builtins(LoadSeen(ago_s=0.0, load=load))
    seen["energy"] = msgspec.to_builtins(
        EnergyView(
            source="powercap", watts=52.34, idle_w=40.0, total_j=2000.0, functions_j=500.0, accelerators_w=(0.0, 61.0)
        )
    )
    devices = (DeviceView(name="GPU-1", model="A30", memory_mb=24576, share=0.5, held_mb=12288, sandboxes=2),
               DeviceView(name="1"), DeviceView(name="2", is_gone=True))  # fmt: skip
    seen["devices"] = msgspec.to_builtins(devices)
    assert lines("w1", [seen])[7:] == [
        "  energy      52.3 W · 40.0 W at rest · 2,000 J so far, 25% for functions · 61 W an accelerator · by powercap",
        "  GPU-1       A30 · 50% held by 2 sandboxes · 12,288 of 24,576 MB",
        "  1           0% held by 0 sandboxes",
        "  2           gone",
    ]
    assert lines("w1", [seen | {"energy": None, "devices": []}])[7:] == []
    assert lines("w2", []) == ["w2: nobody measures its machine"]

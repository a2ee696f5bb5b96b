from pathlib import Path

import msgspec
import pytest

from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.microvm.monitor import DiskPlan
from attacca.worker.runtime.microvm.qemu import MachinePlan, QmpLine, QmpRefusal, QmpStatus

PLAN = MachinePlan(
    kernel=Path("/proc/self/fd/7"), initramfs=Path("/proc/self/fd/8"),
    disks=(DiskPlan("root", Path("/proc/self/fd/9")),), memory=Path("/proc/self/fd/10"),
    memory_mb=160, is_shared=False, accelerator="tcg", khz=2_300_000,
)  # fmt: skip


def words(plan: MachinePlan, state: int | None = None) -> str:
    return " ".join(qemu.command("qemu", plan, 3, (4, 5, 6), state))


def test_it_is_held_by_its_own_filter_and_reads_no_settings_of_the_machine() -> None:
    told = words(PLAN)
    assert "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny" in told
    assert "-nodefaults -no-user-config" in told
    assert "readonly=on,file=/proc/self/fd/9" in told


def test_a_saved_machine_and_what_is_restored_from_it_differ_in_their_memory_and_in_that_one_boots() -> None:
    saved, restored = words(msgspec.structs.replace(PLAN, is_shared=True)), words(PLAN, 11)
    before, _, boots = saved.partition(" -kernel ")
    saved = before + boots[boots.index(" -chardev ") :]
    assert saved.removesuffix(" -S").replace("share=on", "share=off") == restored.removesuffix(" -incoming defer")


def test_ports_have_the_numbers_that_they_are_known_by() -> None:
    for number, name in enumerate(("control", "agent", "output"), 1):
        assert f"virtserialport,chardev={name},name={name},nr={number}" in words(PLAN)
        assert f"socket,id={name},fd={number + 3}" in words(PLAN)


def test_where_it_is_emulated_it_keeps_its_timers_and_is_told_its_speed() -> None:
    emulated, real = words(PLAN), words(msgspec.structs.replace(PLAN, accelerator="kvm", khz=0))
    assert "tsc_early_khz=2300000" in emulated
    assert "pit=off" not in emulated
    assert "pit=off" in real
    assert "tsc_early_khz" not in real


def test_a_card_is_at_a_tap_that_is_open_and_last_of_all_devices() -> None:
    told = words(msgspec.structs.replace(PLAN, card=12))
    card = "-netdev tap,id=net,fd=12 -device virtio-net-device,netdev=net,mac=02:61:74:63:63:04"
    assert told == words(PLAN).replace(" -S", f" {card} -S")


def test_a_comma_in_a_path_ends_no_option() -> None:
    plan = msgspec.structs.replace(PLAN, memory=Path("/a,b"), disks=(DiskPlan("root", Path("/c,d")),))
    assert "mem-path=/a,,b,share=off" in words(plan)
    assert "file=/c,,d" in words(plan)


def test_orders_are_one_for_each_line() -> None:
    assert [msgspec.json.decode(line)["execute"] for line in qemu.restore(11).splitlines()] == [
        "qmp_capabilities", "migrate-set-capabilities", "migrate-incoming",
    ]  # fmt: skip
    assert b'"fd:11"' in qemu.restore(11)


def test_of_what_it_says_little_is_believed() -> None:
    assert qemu.told(b'{"event": "MIGRATION", "data": {"status": "completed"}}') == QmpLine(
        "MIGRATION", QmpStatus("completed")
    )
    assert qemu.told(b'{"return": {}}') == QmpLine()
    assert qemu.told(b'{"error": {"class": "GenericError", "desc": "no"}}').error == QmpRefusal("no")
    for line in (b"[]", b'{"event": 1}', b'{"event": "' + b"x" * 200 + b'"}', b"nonsense"):
        with pytest.raises(msgspec.MsgspecError):
            qemu.told(line)

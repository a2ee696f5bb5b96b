"""QEMU as the monitor of micro-VMs: its command line, and what it is told over QMP."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from attacca.worker.host import tap
from attacca.worker.runtime.microvm.inside.words import AGENT, CONTROL, OUTPUT
from attacca.worker.runtime.microvm.monitor import DiskPlan

PROGRAM: Final = "qemu-system-x86_64"
SANDBOX: Final = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
PORTS: Final = (CONTROL, AGENT, OUTPUT)  # in the order in which they are plugged in
SAVED: Final = {"capability": "x-ignore-shared", "state": True}  # memory that has a file of its own is in that file
TRANSLATED_MB: Final = 32  # of what is emulated
VERSION: Final = 1  # of the machine that `command` describes: another cannot be restored from what it has left


class MachinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One machine. A saved one and what is restored from it differ in `is_shared` alone."""

    kernel: Path
    initramfs: Path
    disks: tuple[DiskPlan, ...]
    memory: Path  # the file that its memory is
    memory_mb: int
    is_shared: bool  # what it writes to its memory comes into that file
    accelerator: str  # kvm or tcg
    khz: int  # of the processor's counter, as a guest that measures it on a busy machine may never know
    cpus: int = 1
    card: int | None = None  # the descriptor of its tap


def command(program: str, plan: MachinePlan, monitor: int, ports: Iterable[int], state: int | None) -> list[str]:
    """`monitor` and `ports` are the descriptors that it inherits for QMP and for PORTS; `state`: of what it is
    restored from, and it waits for `restore`."""
    memory = f"memory-backend-file,id=memory,size={plan.memory_mb}M,mem-path={_escaped(plan.memory)}"
    words = [
        program,
        *("-M", "microvm,acpi=on,isa-serial=off,memory-backend=memory" + _timers(plan)),
        *("-accel", "kvm" if plan.accelerator == "kvm" else f"tcg,thread=single,tb-size={TRANSLATED_MB}"),
        *("-cpu", "host" if plan.accelerator == "kvm" else "max"),
        *("-m", f"{plan.memory_mb}M", "-smp", str(plan.cpus)),
        *("-object", f"{memory},share={'on' if plan.is_shared else 'off'}"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-sandbox", SANDBOX),
        *(_boot(plan) if state is None else ()),
        *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"),
        *("-device", "virtio-serial-device,max_ports=4"),
    ]
    for number, (name, descriptor) in enumerate(zip(PORTS, ports, strict=True), 1):
        words += ["-chardev", f"socket,id={name},fd={descriptor}"]
        words += ["-device", f"virtserialport,chardev={name},name={name},nr={number}"]
    for disk in plan.disks:
        words += ["-drive", f"if=none,id={disk.serial},format=raw,readonly=on,file={_escaped(disk.path)}"]
        words += ["-device", f"virtio-blk-device,drive={disk.serial},serial={disk.serial}"]
    if plan.card is not None:
        words += ["-netdev", f"tap,id=net,fd={plan.card}"]
        words += ["-device", f"virtio-net-device,netdev=net,mac={tap.GUEST_MAC.hex(':')}"]
    return [*words, "-S"] if state is None else [*words, "-incoming", "defer"]


def _boot(plan: MachinePlan) -> tuple[str, ...]:
    """What one that is restored has in its memory already: it would read all of it, and keep it besides."""
    return "-kernel", str(plan.kernel), "-initrd", str(plan.initramfs), "-append", _append(plan)


def _timers(plan: MachinePlan) -> str:
    """A guest that is emulated is twice as long in booting without them."""
    return ",pit=off,pic=off,rtc=off" if plan.accelerator == "kvm" else ""


def _append(plan: MachinePlan) -> str:
    words = ["quiet", "loglevel=0", "panic=-1", "reboot=t", "random.trust_cpu=on", "mitigations=off"]
    return " ".join([*words, f"tsc_early_khz={plan.khz}"] if plan.khz else words)


def _escaped(path: Path) -> str:
    """A comma ends an option's value unless it is said twice."""
    return str(path).replace(",", ",,")


def said(*orders: tuple[str, dict[str, Any]]) -> bytes:
    """Orders as QMP takes them, several at once: it obeys one after the other."""
    told = [{"execute": name, "arguments": words} if words else {"execute": name} for name, words in orders]
    return b"".join(msgspec.json.encode(one) + b"\n" for one in told)


def begin() -> bytes:
    return said(("qmp_capabilities", {}), ("cont", {}))


def stop() -> bytes:
    return said(("stop", {}))


def go_on() -> bytes:
    return said(("cont", {}))


def restore(state: int) -> bytes:
    """It goes on where it was saved."""
    capability = ("migrate-set-capabilities", {"capabilities": [SAVED]})
    return said(("qmp_capabilities", {}), capability, ("migrate-incoming", {"uri": f"fd:{state}"}))


def save() -> bytes:
    """Its state, all but its memory, goes to the descriptor that comes with these words; then it stands still."""
    capabilities = {"capabilities": [SAVED, {"capability": "events", "state": True}]}
    named = ("getfd", {"fdname": "state"})
    return said(named, ("migrate-set-capabilities", capabilities), ("migrate", {"uri": "fd:state"}))


class QmpRefusal(msgspec.Struct, frozen=True):
    desc: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


class QmpStatus(msgspec.Struct, frozen=True):
    status: Annotated[str, msgspec.Meta(max_length=100)] = ""


class QmpLine(msgspec.Struct, frozen=True):
    """One line of what it says."""

    event: Annotated[str, msgspec.Meta(max_length=100)] = ""
    data: QmpStatus = QmpStatus()
    error: QmpRefusal | None = None


told = msgspec.json.Decoder(QmpLine).decode

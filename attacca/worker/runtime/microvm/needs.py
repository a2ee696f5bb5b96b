"""What the machine has to have for micro-VMs: a monitor, a kernel for guests, and a shell for their first moments."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import IsolationMissing
from attacca.worker.runtime.microvm.options import MicroVmOptions

BOOT, MODULES, KVM = Path("/boot"), Path("/lib/modules"), Path("/dev/kvm")
PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX: Final = "vmlinuz-"
HINT: Final = "apt-get install qemu-system-x86 linux-image-cloud-amd64 busybox-static e2fsprogs"
SPEED: Final = re.compile(r"^cpu MHz\s*:\s*([0-9.]+)", re.MULTILINE)


class MachineNeeds(msgspec.Struct, frozen=True):
    monitor: Path
    kernel: Path
    modules: Path  # a directory
    busybox: Path


def find(options: MicroVmOptions) -> MachineNeeds:
    """
    Raises:
        IsolationMissing: something is not here; it says what.
    """
    if os.uname().machine != "x86_64":
        raise IsolationMissing(f"micro-VMs are made for x86_64, and this is {os.uname().machine}", "use processes")
    monitor, busybox = _program(options.qemu), _program(options.busybox)
    _program("mke2fs")
    kernel = Path(options.kernel) if options.kernel else _newest()
    if not kernel.is_file():
        raise IsolationMissing(f"there is no kernel for micro-VMs at {kernel}", HINT)
    modules = MODULES / kernel.name.removeprefix(PREFIX)
    if not modules.is_dir():
        raise IsolationMissing(f"the modules of {kernel} are not at {modules}", HINT)
    if options.accelerator == "kvm" and not os.access(KVM, os.R_OK | os.W_OK):
        raise IsolationMissing(f"{KVM} is not here, or not for this user", 'set microvm.accelerator to "tcg"')
    return MachineNeeds(monitor, kernel, modules, busybox)


def lacking(options: MicroVmOptions) -> str:
    """Why there are no micro-VMs here; empty: there are."""
    try:
        find(options)
    except IsolationMissing as error:
        return error.message
    return ""


def khz(cpuinfo: str) -> int:
    """Of the processor's counter, from the text of /proc/cpuinfo; 0 where it does not say."""
    found = SPEED.search(cpuinfo)
    return int(float(found[1]) * 1000) if found else 0


def features(cpuinfo: str) -> str:
    """Of the processor, from the same text."""
    return next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")


def _program(name: str) -> Path:
    path = shutil.which(name, path=None if "/" in name else f"{os.environ.get('PATH', os.defpath)}:{PLACES}")
    if path is None:
        raise IsolationMissing(f"micro-VMs need {name}, which is not here", HINT)
    return Path(path)


def _newest() -> Path:
    """Of those that are made for guests, the one with the highest number."""
    found = [path for path in BOOT.glob(f"{PREFIX}*") if "cloud" in path.name]
    if not found:
        raise IsolationMissing(f"there is no kernel for micro-VMs in {BOOT} ({PREFIX}*cloud*)", HINT)
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])

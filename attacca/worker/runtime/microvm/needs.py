"""What the machine has to have for micro-VMs: a monitor, a kernel for guests, and a shell for their first moments."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal

import msgspec

from attacca.errors import IsolationMissing
from attacca.worker.runtime.microvm.options import MicroVmOptions

BOOT, MODULES, KVM = Path("/boot"), Path("/lib/modules"), Path("/dev/kvm")
PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX: Final = "vmlinuz-"
HINT: Final = "apt-get install qemu-system-x86 linux-image-cloud-amd64 busybox-static e2fsprogs"
RELEASES: Final = 'take one from Firecracker\'s releases, or set microvm.monitor to "qemu"'
SPEED: Final = re.compile(r"^cpu MHz\s*:\s*([0-9.]+)", re.MULTILINE)
VERSION: Final = re.compile(r"^Firecracker v([0-9]+)\.([0-9]+)", re.MULTILINE)
ASK_S: Final = 60.0
KVM_GET_API_VERSION, KVM_API = 0xAE00, 12
LEAST: Final = (1, 16)  # before, what a restored machine is sent may reach it before it knows that it was restored
STOPPABLE: Final = (1, 17)  # before, one that was stopped and goes on hears nothing any more


class MachineNeeds(msgspec.Struct, frozen=True):
    monitor: Path
    kernel: Path
    modules: Path  # a directory
    busybox: Path
    kind: Literal["qemu", "firecracker"] = "qemu"
    jailer: Path | None = None  # who starts a Firecracker


def find(options: MicroVmOptions) -> MachineNeeds:
    """
    Raises:
        IsolationMissing: something is not here; it says what.
    """
    if os.uname().machine != "x86_64":
        raise IsolationMissing(f"micro-VMs are made for x86_64, and this is {os.uname().machine}", "use processes")
    kind = choose(options)
    monitor = _firecracker(options) if kind == "firecracker" else _program(options.qemu)
    busybox = _program(options.busybox)
    _program("mke2fs")
    kernel = Path(options.kernel) if options.kernel else _newest()
    if not kernel.is_file():
        raise IsolationMissing(f"there is no kernel for micro-VMs at {kernel}", HINT)
    modules = MODULES / kernel.name.removeprefix(PREFIX)
    if not modules.is_dir():
        raise IsolationMissing(f"the modules of {kernel} are not at {modules}", HINT)
    if kind == "qemu" and options.accelerator == "kvm" and not os.access(KVM, os.R_OK | os.W_OK):
        raise IsolationMissing(f"{KVM} is not here, or not for this user", 'set microvm.accelerator to "tcg"')
    jailer = _jailer(options) if kind == "firecracker" else None
    return MachineNeeds(monitor, kernel, modules, busybox, kind, jailer)


def choose(options: MicroVmOptions) -> Literal["qemu", "firecracker"]:
    """Who runs the machines here. Blocking."""
    if options.monitor != "auto":
        return options.monitor
    try:
        _firecracker(options)
    except IsolationMissing:
        return "qemu"
    return "firecracker"


def has_kvm() -> bool:
    """Whether this user may make machines with the kernel's help. That an ordinary kernel runs in them is not said."""
    try:
        device = os.open(KVM, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(device, KVM_GET_API_VERSION) == KVM_API
    except OSError:
        return False
    finally:
        os.close(device)


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


def version(told: str) -> tuple[int, int]:
    """Of what a Firecracker says of itself; (0, 0) where that is nothing."""
    found = VERSION.search(told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def says(path: Path) -> str:
    """Of itself.

    Raises:
        IsolationMissing: it says nothing.
    """
    try:
        ran = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=ASK_S, text=True)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise IsolationMissing(f"{path} does not say what it is: {error}", RELEASES) from None
    return ran.stdout


def _firecracker(options: MicroVmOptions) -> Path:
    path = _program(options.firecracker, RELEASES)
    if not has_kvm():
        raise IsolationMissing(f"Firecracker needs {KVM}, which is not here, or not for this user", RELEASES)
    found = version(says(path))
    is_stopped = options.pool > 0 or options.pause_after_s is not None
    least, why = (STOPPABLE, " for microvm.pool and microvm.pause_after_s") if is_stopped else (LEAST, "")
    if found < least:
        asked, has = (".".join(map(str, one)) for one in (least, found))
        raise IsolationMissing(f"Firecracker {asked} is the least{why}, and {path} is {has}", RELEASES)
    return path


def _jailer(options: MicroVmOptions) -> Path | None:
    """Only root's server can have it."""
    if not options.jailer or os.geteuid() != 0:
        return None
    path = shutil.which(options.jailer, path=_paths(options.jailer))
    return None if path is None else Path(path)


def _program(name: str, hint: str = HINT) -> Path:
    path = shutil.which(name, path=_paths(name))
    if path is None:
        raise IsolationMissing(f"micro-VMs need {name}, which is not here", hint)
    return Path(path)


def _paths(name: str) -> str | None:
    return None if "/" in name else f"{os.environ.get('PATH', os.defpath)}:{PLACES}"


def _newest() -> Path:
    """Of those that are made for guests, the one with the highest number."""
    found = [path for path in BOOT.glob(f"{PREFIX}*") if "cloud" in path.name]
    if not found:
        raise IsolationMissing(f"there is no kernel for micro-VMs in {BOOT} ({PREFIX}*cloud*)", HINT)
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])

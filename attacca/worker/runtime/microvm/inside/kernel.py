"""What the first process of a micro-VM asks of its kernel."""

import contextlib
import fcntl
import os
import struct
import time
from typing import NoReturn

from attacca.worker.runtime.microvm.inside import words
from attacca.worker.runtime.process.zygote import linux, rootfs

RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
RB_POWER_OFF, RB_AUTOBOOT = 0x4321FEDC, 0x01234567
FLAGS = linux.MS_NOSUID | linux.MS_NODEV
GROUPS = "/sys/fs/cgroup"
FUNCTION = f"{GROUPS}/function"
ROOT = "root"
DISKS = {ROOT: "vda", words.CODE: "vdb", words.BUNDLE: "vdc"}
ENOUGH_S = 5.0  # for a device to appear


def mount_system(space_mb: int) -> None:
    linux.mount("proc", "/proc", "proc", FLAGS | linux.MS_NOEXEC)
    linux.mount("cgroup2", GROUPS, "cgroup2", FLAGS | linux.MS_NOEXEC)
    os.makedirs("/dev/shm", exist_ok=True)
    for place in ("/tmp", "/dev/shm"):
        linux.mount("tmpfs", place, "tmpfs", FLAGS, f"size={space_mb}m,mode=1777")
    for name, there in rootfs.LINKS.items():
        with contextlib.suppress(FileExistsError):
            os.symlink(there, f"/dev/{name}")


def disk(serial: str) -> str:
    """By its number, or, where its maker gives others, by the order that disks are in.

    Raises:
        FileNotFoundError: there is none of that number.
    """
    numbers = {}
    for name in sorted(os.listdir("/sys/block")):
        with contextlib.suppress(OSError), open(f"/sys/block/{name}/serial") as file:
            numbers[file.read().strip()] = name
    name = numbers.get(serial, DISKS[serial] if ROOT not in numbers else "")
    if not os.path.exists(f"/sys/block/{name or None}"):
        raise FileNotFoundError(f"no disk has the serial number {serial}")
    return f"/dev/{name}"


def mount_disk(serial: str, place: str) -> None:
    linux.mount(disk(serial), place, "ext4", FLAGS | linux.MS_RDONLY)


def port(name: str) -> int:
    """The descriptor of the port of that name. It may take its device a moment to appear.

    Raises:
        FileNotFoundError: there is none.
    """
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        for device in os.listdir("/sys/class/virtio-ports"):
            with contextlib.suppress(OSError), open(f"/sys/class/virtio-ports/{device}/name") as file:
                if file.read().strip() == name:
                    return os.open(f"/dev/{device}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.005)
    raise FileNotFoundError(f"no port is called {name}")


def reseed(seed: bytes) -> None:
    """Let the kernel's random pool be nobody else's."""
    with open("/dev/urandom", "wb", buffering=0) as pool:
        fcntl.ioctl(pool, RNDADDENTROPY, struct.pack("ii", len(seed) * 8, len(seed)) + seed)
        fcntl.ioctl(pool, RNDRESEEDCRNG)


def bound(memory_mb: int, processes: int) -> None:
    """What the function's processes may have together."""
    with open(f"{GROUPS}/cgroup.subtree_control", "w") as file:
        file.write("+memory +pids")
    os.mkdir(FUNCTION)
    for name, value in (("memory.max", str(memory_mb << 20)), ("pids.max", str(processes)), ("memory.oom.group", "1")):
        with open(f"{FUNCTION}/{name}", "w") as file:
            file.write(value)


def enter_bounds() -> None:
    with open(f"{FUNCTION}/cgroup.procs", "w") as file:
        file.write("0")


def has_run_out() -> bool:
    with contextlib.suppress(OSError), open(f"{FUNCTION}/memory.events") as file:
        return any(line.startswith("oom_kill ") and not line.endswith(" 0\n") for line in file)
    return False


def power_off() -> NoReturn:
    linux.libc.reboot(RB_AUTOBOOT)  # the monitor is told not to begin again
    linux.libc.reboot(RB_POWER_OFF)
    os._exit(0)

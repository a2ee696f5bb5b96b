"""The first files that a guest's kernel sees: modules for its devices, and a shell script that mounts the root."""

import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CARD = ("failover", "net_failover", "virtio_net")
MODULES = {  # by who runs the machine, in the order of their needs
    "qemu": ("virtio_ring", "virtio", "virtio_mmio", "virtio_console", "virtio_blk", *CARD),
    "firecracker": (
        "virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "vsock", "vmw_vsock_virtio_transport_common",
        "vmw_vsock_virtio_transport", "rng_core", "virtio_rng", *CARD,
    ),
}  # fmt: skip
DEVICE, DIRECTORY, PROGRAM, PLAIN = 0o20600, 0o40755, 0o100755, 0o100644
CONSOLE = (5, 1)
END = "TRAILER!!!"
SCRIPT = """#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t sysfs sys /sys
for module in {modules}; do
    [ ! -f /$module.ko ] || busybox insmod /$module.ko
done
{mount}
busybox mount -o move /dev /root/dev
busybox mount -o move /sys /root/sys
exec busybox switch_root /root {init}
"""
MOUNT = {
    "qemu": """for disk in /sys/block/vd*; do
    [ "$(busybox cat $disk/serial)" != root ] || busybox mount -o ro -t ext4 /dev/${disk##*/} /root
done""",
    "firecracker": "busybox mount -o ro -t ext4 /dev/vda /root",  # which numbers disks as it likes, in our order
}


class CpioEntry(NamedTuple):
    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def archive(entries: list[CpioEntry]) -> bytes:
    """As the kernel unpacks it: cpio's format "newc"."""
    return b"".join(_pieces([*entries, CpioEntry(END, 0)]))


def _pieces(entries: list[CpioEntry]) -> Iterator[bytes]:
    for number, (name, mode, data, (major, minor)) in enumerate(entries, 1):
        raw = name.encode() + b"\0"
        words = (number, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(raw), 0)
        head = b"070701" + b"".join(b"%08x" % word for word in words) + raw
        yield head + b"\0" * (-len(head) % 4)
        yield data + b"\0" * (-len(data) % 4)


def entries(kind: str, busybox: bytes, modules: dict[str, bytes], init: str) -> list[CpioEntry]:
    """`kind` is who runs the machine; `init` is what the root's own first program is, with its words."""
    script = SCRIPT.format(modules=" ".join(MODULES[kind]), mount=MOUNT[kind], init=init).encode()
    return [
        *(CpioEntry(name, DIRECTORY) for name in ("bin", "dev", "sys", "root")),
        CpioEntry("dev/console", DEVICE, device=CONSOLE),
        CpioEntry("bin/busybox", PROGRAM, busybox),
        CpioEntry("init", PROGRAM, script),
        *(CpioEntry(f"{name}.ko", PLAIN, data) for name, data in modules.items()),
    ]


def read_modules(names: tuple[str, ...], below: Path) -> dict[str, bytes]:
    """Those of them that the kernel has not within itself, in their order. Blocking.

    Raises:
        OSError, lzma.LZMAError: they cannot be read.
    """
    found = {}
    for path in below.rglob("*.ko*"):
        name = path.name.partition(".")[0].replace("-", "_")
        if name in names and path.suffix in (".ko", ".xz"):
            data = path.read_bytes()
            found[name] = lzma.decompress(data) if path.suffix == ".xz" else data
    return {name: found[name] for name in names if name in found}

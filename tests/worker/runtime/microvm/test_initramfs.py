import lzma
from pathlib import Path

from attacca.worker.runtime.microvm import initramfs
from attacca.worker.runtime.microvm.initramfs import CpioEntry


def test_an_archive_is_as_the_kernel_reads_it() -> None:
    packed = initramfs.archive(
        [CpioEntry("bin", initramfs.DIRECTORY), CpioEntry("bin/sh", initramfs.PROGRAM, b"hello")]
    )
    assert packed[:6] == b"070701"
    assert len(packed) % 4 == 0
    assert unpacked(packed) == {"bin": (0o40755, b""), "bin/sh": (0o100755, b"hello")}


def test_its_script_loads_modules_in_the_order_of_their_needs_and_begins_what_it_is_told() -> None:
    entries = initramfs.entries("qemu", b"busybox", {"virtio": b"v"}, "/usr/bin/python3 /init.py")
    found = unpacked(initramfs.archive(entries))
    script = found["init"][1].decode()
    assert (
        "for module in virtio_ring virtio virtio_mmio virtio_console virtio_blk failover net_failover virtio_net; do"
        in script
    )
    assert script.endswith("exec busybox switch_root /root /usr/bin/python3 /init.py\n")
    assert found["virtio.ko"][1] == b"v"
    assert found["bin/busybox"] == (0o100755, b"busybox")


def test_where_disks_have_no_numbers_the_first_is_the_root() -> None:
    entries = initramfs.entries("firecracker", b"busybox", {}, "/usr/bin/python3 /init.py vsock")
    script = unpacked(initramfs.archive(entries))["init"][1].decode()
    assert "busybox mount -o ro -t ext4 /dev/vda /root\n" in script
    assert "serial" not in script
    assert "vmw_vsock_virtio_transport" in script


def test_modules_are_found_wherever_they_are_packed_or_not_and_others_are_left(tmp_path: Path) -> None:
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "virtio.ko").write_bytes(b"plain")
    (tmp_path / "virtio-blk.ko.xz").write_bytes(lzma.compress(b"packed"))
    (tmp_path / "virtio_input.ko").write_bytes(b"of no use")
    (tmp_path / "virtio_mmio.ko.zst").write_bytes(b"nobody here unpacks it")
    assert initramfs.read_modules(initramfs.MODULES["qemu"], tmp_path) == {"virtio": b"plain", "virtio_blk": b"packed"}


def unpacked(packed: bytes) -> dict[str, tuple[int, bytes]]:
    """A dumb reader: names, modes and contents."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        words = [int(packed[at + 6 + 8 * place : at + 14 + 8 * place], 16) for place in range(13)]
        mode, size, named = words[1], words[6], words[11]
        name = packed[at + 110 : at + 110 + named - 1].decode()
        at += -(-(110 + named) // 4) * 4
        if name == initramfs.END:
            return found
        found[name] = mode, packed[at : at + size]
        at += -(-size // 4) * 4

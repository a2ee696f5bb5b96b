"""What a Firecracker is told over its API, all of it typed. Paths are relative to the directory of its machine."""

from typing import Final, Literal

import msgspec

from attacca.worker.host import tap
from attacca.worker.runtime.microvm.inside.words import BUNDLE, CARD, CODE
from attacca.worker.runtime.microvm.monitor import MachineSize

MACHINE: Final = 1  # the machine that `boot` describes: another cannot be restored from what it has left
KERNEL, INITRAMFS, ROOT, SOCKET, STREAMS = "kernel", "initramfs", "root", "api", "vsock"  # names in its directory
MEMORY, STATE, SAVED_MEMORY, SAVED_STATE = "memory", "state", "saved-memory", "saved-state"
GUEST: Final = 3  # the least that a guest's address may be
# On a kernel of Debian's what is emulated beside virtio costs a quarter of a second to find out about.
WORDS: Final = (
    "quiet loglevel=0 panic=-1 reboot=k random.trust_cpu=on mitigations=off pci=off 8250.nr_uarts=0 "
    "i8042.noaux i8042.nomux i8042.dumbkbd"
)


class MachineShape(msgspec.Struct, frozen=True, kw_only=True):
    vcpu_count: int
    mem_size_mib: int
    smt: bool = False
    track_dirty_pages: bool = False


class BootSource(msgspec.Struct, frozen=True, kw_only=True):
    kernel_image_path: str
    initrd_path: str
    boot_args: str


class GuestDrive(msgspec.Struct, frozen=True, kw_only=True):
    drive_id: str
    path_on_host: str
    is_root_device: bool
    is_read_only: bool = True


class GuestVsock(msgspec.Struct, frozen=True, kw_only=True):
    guest_cid: int
    uds_path: str


class GuestInterface(msgspec.Struct, frozen=True, kw_only=True):
    iface_id: str
    host_dev_name: str
    guest_mac: str


class EntropySource(msgspec.Struct, frozen=True, kw_only=True):
    """Of the host's chance."""


class InstanceAction(msgspec.Struct, frozen=True, kw_only=True):
    action_type: Literal["InstanceStart"]


class MachineState(msgspec.Struct, frozen=True, kw_only=True):
    state: Literal["Paused", "Resumed"]


class SnapshotWish(msgspec.Struct, frozen=True, kw_only=True):
    snapshot_path: str
    mem_file_path: str
    snapshot_type: Literal["Full"] = "Full"


class MemoryBackend(msgspec.Struct, frozen=True, kw_only=True):
    backend_path: str
    backend_type: Literal["File"] = "File"  # mapped, and copied where it is written to


class SnapshotSource(msgspec.Struct, frozen=True, kw_only=True):
    snapshot_path: str
    mem_backend: MemoryBackend
    resume_vm: bool


Body = (
    MachineShape | BootSource | GuestDrive | GuestVsock | GuestInterface | EntropySource | InstanceAction | MachineState
    | SnapshotWish | SnapshotSource
)  # fmt: skip


class ApiRequest(msgspec.Struct, frozen=True):
    method: Literal["PUT", "PATCH"]
    path: str
    body: Body


class ApiRefusal(msgspec.Struct, frozen=True):
    """Of its answer."""

    fault_message: str = ""


def boot(size: MachineSize) -> list[ApiRequest]:
    """One after the other; with the last it runs."""
    shape = MachineShape(vcpu_count=size.cpus, mem_size_mib=size.memory_mb)
    source = BootSource(kernel_image_path=KERNEL, initrd_path=INITRAMFS, boot_args=WORDS)
    drives = [
        GuestDrive(drive_id=name, path_on_host=name, is_root_device=name == ROOT) for name in (ROOT, CODE, BUNDLE)
    ]
    card = GuestInterface(iface_id=CARD, host_dev_name=tap.NAME, guest_mac=tap.GUEST_MAC.hex(":"))
    return [
        ApiRequest("PUT", "/machine-config", shape),
        ApiRequest("PUT", "/boot-source", source),
        *(ApiRequest("PUT", f"/drives/{one.drive_id}", one) for one in drives),
        ApiRequest("PUT", "/vsock", GuestVsock(guest_cid=GUEST, uds_path=STREAMS)),
        *([ApiRequest("PUT", f"/network-interfaces/{card.iface_id}", card)] if size.has_card else []),
        ApiRequest("PUT", "/entropy", EntropySource()),
        ApiRequest("PUT", "/actions", InstanceAction(action_type="InstanceStart")),
    ]


def restore() -> ApiRequest:
    """It goes on at once. Its disks and streams are where the names lead in the directory of this one, and its card is
    at the tap of that name in the network of this one."""
    memory = MemoryBackend(backend_path=MEMORY)
    source = SnapshotSource(snapshot_path=STATE, mem_backend=memory, resume_vm=True)
    return ApiRequest("PUT", "/snapshot/load", source)


def save() -> ApiRequest:
    """Of one that was stopped."""
    wish = SnapshotWish(snapshot_path=SAVED_STATE, mem_file_path=SAVED_MEMORY)
    return ApiRequest("PUT", "/snapshot/create", wish)


def stop() -> ApiRequest:
    return ApiRequest("PATCH", "/vm", MachineState(state="Paused"))


def go_on() -> ApiRequest:
    return ApiRequest("PATCH", "/vm", MachineState(state="Resumed"))

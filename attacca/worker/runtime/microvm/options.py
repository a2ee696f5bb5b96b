"""What can be set about micro-VMs, read once and checked whole."""

from typing import Annotated, Literal

import msgspec


class MicroVmOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rest, such as how long an import may take and how many processes one may have, is as for processes."""

    monitor: Literal["auto", "qemu", "firecracker"] = "auto"  # auto: Firecracker where it and KVM are here, else QEMU
    firecracker: str = "firecracker"  # a name on PATH, or a path
    jailer: str = "jailer"  # the same; starts it in a root of its own, for a server of root's. Empty: never
    qemu: str = "qemu-system-x86_64"  # a name on PATH, or a path
    kernel: str = ""  # of guests: a path with /lib/modules beside it; empty: the newest of Debian's linux-image-cloud
    busybox: str = "busybox"  # linked statically: a name on PATH, or a path
    accelerator: Literal["tcg", "kvm"] = "tcg"  # of QEMU; kvm: where /dev/kvm runs an ordinary kernel
    monitor_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0  # how long a Firecracker may take for one request
    boot_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 120.0  # until a guest that is booted says its first word
    # An idle one is stopped after so long, and goes on with the next invocation; unset: never. It keeps its memory.
    pause_after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    pool: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0  # machines of each template that are restored ahead, and wait
    pool_mb: Annotated[int, msgspec.Meta(ge=0)] = 2048  # what all of these may have; the worker's memory has it besides
    kept_mb: Annotated[int, msgspec.Meta(ge=0)] = 4096  # of the disk, for templates that outlast the server; 0: none do
    place: str = ""  # where disks are kept between runs; empty: microvms below the state directory

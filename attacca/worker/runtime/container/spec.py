"""What an engine is told of a container, as OCI's runtime specification has it
(https://github.com/opencontainers/runtime-spec/blob/main/config.md). Pure: `config` is what the image says."""

import functools
import platform
from typing import Any

from attacca.model.function import Network, Settings
from attacca.model.image import ImageConfig
from attacca.worker.host.processors import PERIOD_US, quota_us, shares
from attacca.worker.runtime.process.zygote.calls import ALLOWED, DENIED, MACHINES, numbers

VERSION = "1.0.2"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NETWORK, GROUP = "@network@", "@group@"  # which the keeper knows
ENOSYS, EPERM = 38, 1
# What a program may ask for that Python's functions may not: it is alone with its files and its memory.
MORE = (
    *("inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "chroot", "sync", "syncfs"),
    *("shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("mmap", "madvise", "fcntl", "prctl", "setsockopt", "socketpair", "memfd_create", "clock_adjtime"),
)
FAMILIES = (1, 2, 10, 16)  # Unix, IPv4, IPv6, netlink
NEW_NAMESPACES = 0x7E020000
TIOCSTI = 0x5412  # types at a terminal what its user did not
MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/fs/cgroup"),
    *("/sys/devices/virtual/powercap", "/proc/sysvipc", "/proc/interrupts"),
    # Root reads these without any capability, and root in a container is the machine's.
    *("/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/slabinfo", "/proc/vmallocinfo"),
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
KINDS = ("pid", "ipc", "uts", "mount", "cgroup")


def spec(
    config: ImageConfig,
    settings: Settings,
    user: tuple[int, int],
    variables: dict[str, str],
    *,
    processes: int,
    open_files: int,
    space_mb: int,
) -> dict[str, Any]:
    """`variables` come after those of the image.

    Raises:
        BadFunction: the image names no program.
    """
    env = {"PATH": PATH, **config.variables, **settings.env, **variables}
    return {
        "ociVersion": VERSION,
        "root": {"path": "rootfs", "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": user[0], "gid": user[1]},
            "args": list(config.command),
            "env": [f"{name}={value}" for name, value in env.items()],
            "cwd": config.working_dir or "/",
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": open_files, "soft": open_files},
                        {"type": "RLIMIT_CORE", "hard": 0, "soft": 0}],
            "noNewPrivileges": True,
        },
        "hostname": settings.name,
        "mounts": mounts(min(space_mb, settings.memory_mb)),
        "linux": {
            "namespaces": [{"type": kind} for kind in KINDS]
            + ([] if settings.network is Network.HOST else [{"type": "network", "path": NETWORK}]),
            "cgroupsPath": GROUP,
            "resources": resources(settings, processes),
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
            "seccomp": seccomp(platform.machine()),
        },
    }  # fmt: skip


def mounts(space_mb: int) -> list[dict[str, Any]]:
    bare = ["nosuid", "noexec", "nodev"]
    size = f"size={space_mb}m"
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": bare},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*bare, "mode=1777", size]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*bare, "ro"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["nosuid", "nodev", "mode=1777", size]},
    ]  # fmt: skip


def resources(settings: Settings, processes: int) -> dict[str, Any]:
    size = settings.memory_mb << 20
    cpu: dict[str, int] = {"shares": shares(settings.cpus)}
    if settings.cpus is not None:
        cpu |= {"quota": quota_us(settings.cpus), "period": PERIOD_US}
    return {
        "memory": {"limit": size, "swap": size},  # both together, as version 1 counts
        "cpu": cpu,
        "pids": {"limit": processes},
        "devices": [{"allow": False, "access": "rwm"}],  # engines add null, zero, full, random, urandom, tty and ptmx
    }


@functools.cache
def seccomp(machine: str) -> dict[str, Any]:
    """What is not named is answered as by a kernel that does not know it; what is refused, as to one without rights."""
    if machine not in MACHINES:
        machine = MACHINES[0]
    allowed = sorted({*numbers(ALLOWED, machine), *MORE})
    denied = sorted(set(numbers(DENIED, machine)) - set(MORE))
    allow = "SCMP_ACT_ALLOW"
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": ENOSYS,
        "syscalls": [
            {"names": allowed, "action": allow},
            {"names": denied, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM},
            {"names": ["clone"], "action": allow, "args": [
                {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["ioctl"], "action": allow, "args": [
                {"index": 1, "value": TIOCSTI, "op": "SCMP_CMP_NE"}]},
            *({"names": ["socket"], "action": allow, "args": [{"index": 0, "value": one, "op": "SCMP_CMP_EQ"}]}
              for one in FAMILIES),
        ],
    }  # fmt: skip

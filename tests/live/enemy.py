"""A program that is root in a container and tries to get out of it, and what an engine has to say to that."""

import ast
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attacca.io.archive import pack
from tests.live import outside, python_image
from tests.live.syscalls import NUMBERS
from tests.live.whole import Whole, deployment

# As root, with words by which a kernel that lets it do so does it.
CALLS = {
    "mount": "b'none', b'/tmp', b'tmpfs', 0, 0", "umount2": "b'/tmp', 2", "pivot_root": "b'/', b'/tmp'",
    "unshare": "0x10000000", "setns": "0, 0", "open_tree": "-100, b'/', 1", "fsopen": "b'tmpfs', 0",
    "bpf": "5, ctypes.create_string_buffer(128), 128",
    "perf_event_open": "ctypes.create_string_buffer(128), 0, -1, -1, 0",
    "keyctl": "0, -3, 1", "add_key": "b'user', b'x', b'y', 1, -3", "ptrace": "16, 1, 0, 0",
    "init_module": "b'', 0, b''", "finit_module": "0, b'', 0", "kexec_load": "0, 0, 0, 0",
    "reboot": "0xfee1dead - (1 << 32), 672274793, 0, 0", "swapon": "b'/tmp/x', 0",
    "open_by_handle_at": "-100, ctypes.create_string_buffer(64), 0",
    "io_uring_setup": "8, ctypes.create_string_buffer(256)",
    "userfaultfd": "1", "acct": "0", "settimeofday": "0, 0", "sethostname": "b'x', 1",
    "quotactl": "0x80000100, 0, 0, 0", "process_vm_readv": "1, 0, 0, 0, 0, 0", "pidfd_getfd": "0, 0, 0",
    "fanotify_init": "0, 0", "memfd_secret": "0",
}  # fmt: skip
WRITTEN = (
    *("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches"),
    *("/proc/sys/net/ipv4/ip_forward", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper"),
    *("/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/fs/cgroup/release_agent"),
    *("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/release_agent", "/sys/class/net/lo/mtu"),
    *("/etc/hosts", "/etc/passwd", "/x"),
    *("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/kvm", "/dev/net/tun", "/dev/loop-control"),
)  # fmt: skip
READ = (
    *("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/kpageflags"),
    *("/proc/kpagecount", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/cgroup", "/sys/fs/bpf"),
)
TRIES = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
found = []
def call(name, number, *words):
    got = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(one) if isinstance(one, int) else one for one in words])
    if got >= 0:
        found.append(f"{name} is done")
def tried(what, do):
    try:
        got = do()
    except OSError:
        return
    if got:
        found.append(f"{what}: {got!r}"[:200])
def connected(family, address):
    with socket.socket(family) as sock:
        sock.settimeout(2)
        sock.connect(address)
        return "is reached"
def device(number):
    os.mknod("/tmp/device", 0o60600, number)
    with open("/tmp/device", "rb") as file:
        return file.read(1)
def written(path):
    os.close(os.open(path, os.O_WRONLY))
    return "is opened"
def seen(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(50)
for path in WRITTEN:
    tried(f"write {path}", lambda: written(path))
for path in READ:
    tried(f"read {path}", lambda: seen(path))
for number in (0x103, 0x800, 0xfe00):
    tried("a device", lambda: device(number))
tried("chroot", lambda: os.chroot("/tmp") or "is done")
tried("packets", lambda: socket.socket(17, 3, 768))
tried("raw", lambda: socket.socket(2, 3, 1))
tried("the machine's virtual sockets", lambda: socket.socket(40, 1))
for address in ADDRESSES:
    tried(address, lambda: connected(socket.AF_INET, address))
for address in ABSTRACT:
    tried(address, lambda: connected(socket.AF_UNIX, address))
for name in os.listdir("/proc"):
    if name.isdecimal() and name != "1":
        found.append(f"it sees process {name}")
"""


@contextlib.contextmanager
def doors() -> Iterator[tuple[list[tuple[str, int]], list[str]]]:
    """Of the machine: what listens at all of its addresses, what in no file system; and where clouds tell machines who
    they are."""
    name = "\0attacca-test-of-the-machine"
    with socket.socket(socket.AF_UNIX) as abstract, socket.create_server(("0.0.0.0", 0)) as door:
        abstract.bind(name)
        abstract.listen()
        port, metadata = door.getsockname()[1], "169.254.169.254"
        hosts = ("127.0.0.1", "10.0.0.1", outside.MACHINE, *outside.ELSEWHERE)
        yield [(metadata, 80), (metadata, outside.PORT), *((host, port) for host in hosts)], [name]


def layout_of_root(directory: Path) -> Path:
    image = python_image.unpacked(directory / "unpacked")
    config = msgspec.structs.replace(image.config, user="root")
    return python_image.laid_out(directory, "python", msgspec.structs.replace(image, config=config))


def gets_out(server: Whole, layout: Path, network: str = "none", *, has_calls: bool = True) -> list[str]:
    """What it has done that it may not. `has_calls`: its system calls are the machine's."""
    name = f"enemy-{network}"
    said = server.ask("POST", "/api/functions", *deployment(name, pack(layout), network=network, memory_mb=256))
    assert b'"error"' not in said.body, said
    with doors() as (addresses, abstract):
        addresses += [(host, server.port) for host in ("127.0.0.1", outside.MACHINE)]
        told = {"WRITTEN": WRITTEN, "READ": READ, "ADDRESSES": addresses, "ABSTRACT": abstract}
        lines = [f"{word} = {value!r}" for word, value in told.items()]
        calls = [f"call({one!r}, {NUMBERS[one]}, {words})" for one, words in CALLS.items() if one in NUMBERS]
        source = "\n".join([*lines, TRIES, *(calls if has_calls else []), "said = found"])
        answer = server.ask("POST", f"/function/{name}", source.encode())
    if answer.status != 200:
        pytest.fail(f"{answer}: {server.logs(name)}")
    found: list[str] = ast.literal_eval(answer.body.decode())
    return found

"""The kernel calls that Python's standard library lacks. Numbers are the kernel's own and never change."""

import ctypes
import fcntl
import functools
import os
import platform
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any

libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL keeps the GIL: a raw clone must not return to a released one
_syscall = libc.syscall
_syscall.restype = ctypes.c_long
_mount = libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_sethostname = libc.sethostname  # looked up before the first fork, and not in each child
_prctl = libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]

# Looked up once: in every child that would touch, and so copy, the pages of the loader's tables.
_before_fork, _after_fork_child, _after_fork_parent = (
    getattr(ctypes.pythonapi, f"PyOS_{name}") for name in ("BeforeFork", "AfterFork_Child", "AfterFork_Parent")
)

MACHINE = platform.machine()
SYS_CLONE, SYS_PIVOT_ROOT, SYS_CAPSET = {"x86_64": (56, 155, 126), "aarch64": (220, 41, 91)}.get(MACHINE, (0, 0, 0))
SYS_MOUNT_SETATTR = 442

CLONE_NEWNS = 0x20000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_CHILD_CLEARTID = 0x200000
CLONE_CHILD_SETTID = 0x1000000
OWN_ALL = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_RECURSIVE = 0x8000

PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 3, 4, 22
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS, PR_CAP_AMBIENT = 38, 40, 47
PR_CAP_AMBIENT_RAISE = 2
SECCOMP_MODE_FILTER = 2
CAP_SYS_CHROOT, CAP_SYS_ADMIN = 18, 21
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
SIG_BLOCK, SIG_SETMASK = 0, 2
SFD_NONBLOCK, SFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
EPOLL_CTL_ADD, FIONBIO = 1, 0x5421
SIGNAL_BYTES = 128  # of struct signalfd_siginfo
LAST_CAP = 63  # asking for one that the kernel does not know is EINVAL

# A call of the C library's that answers -1 when it is refused, and its words. Put together before a fork, such steps
# take next to nothing of Python, and what that would write to is not copied.
Step = tuple[Callable[..., int], tuple[Any, ...]]


def refused(what: str) -> OSError:
    """What the kernel said last, for a call of these that failed."""
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _thread_id_address() -> int:
    """Where the C library keeps this thread's id, so that a raw clone can set it as fork() would; 0 if unknown."""
    address = ctypes.c_ulong(0)
    if _prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address), 0, 0, 0) != 0:
        return 0
    return address.value


_TID_ADDRESS = _thread_id_address()


def clone(flags: int) -> int:
    """Fork into new namespaces with one system call. Returns as os.fork does.

    Only for a process with one thread and no library of a user's: the handlers of pthread_atfork are not run.

    Raises:
        OSError: the kernel refused.
    """
    fork = bare_clone(flags)
    _before_fork()
    pid = fork()
    if pid == 0:
        _after_fork_child()
        return 0
    number = ctypes.get_errno()
    _after_fork_parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


def bare_clone(flags: int) -> Callable[[], int]:
    """The same ready to be called, without the handlers of Python's, for a child that will do very little: what they
    write to is copied. Negative when the kernel refused."""
    flags |= signal.SIGCHLD
    if _TID_ADDRESS:
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    # After (flags, stack, parent_tid) come child_tid and tls on x86_64, tls and child_tid elsewhere.
    tail = (_TID_ADDRESS, 0) if MACHINE == "x86_64" else (0, _TID_ADDRESS)
    return functools.partial(_syscall, ctypes.c_long(SYS_CLONE), *map(ctypes.c_ulong, (flags, 0, 0, *tail)))


def unshare(flags: int) -> None:
    if libc.unshare(flags) != 0:
        raise refused("unshare")


def join(descriptor: int, kind: int) -> None:
    """Enter a namespace; one of processes is for the children that are forked from now on."""
    if libc.setns(descriptor, kind) != 0:
        raise refused("setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    if _mount(source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None) != 0:
        raise refused(f"mount {kind or source} on {target}")


def bind(source: str, target: str) -> None:
    """Show what lies at `source`, with everything mounted below it, at `target` too."""
    mount(source, target, flags=MS_BIND | MS_REC)


def make_read_only(path: str, *, has_devices: bool = False) -> None:
    """Read-only, no set-user-id and, unless `has_devices`, no devices: for the mount at `path` and all below it."""
    flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (0 if has_devices else MOUNT_ATTR_NODEV)
    attributes = (ctypes.c_uint64 * 4)(flags, 0, 0, 0)
    result = _syscall(
        ctypes.c_long(SYS_MOUNT_SETATTR),
        ctypes.c_long(-100),
        ctypes.c_char_p(path.encode()),
        ctypes.c_ulong(AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_ulong(32),
    )
    if result != 0:
        raise refused(f"mount_setattr {path}")


def swap_root(new: str) -> None:
    """Make `new` the root and let go of the old one."""
    os.chdir(new)
    if _syscall(ctypes.c_long(SYS_PIVOT_ROOT), ctypes.c_char_p(b"."), ctypes.c_char_p(b".")) != 0:
        raise refused(f"pivot_root {new}")
    if libc.umount2(b".", MNT_DETACH) != 0:
        raise refused("umount of the old root")
    os.chdir("/")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old one is then seen at `old`, a path below `new`."""
    os.chdir(new)
    if _syscall(ctypes.c_long(SYS_PIVOT_ROOT), ctypes.c_char_p(b"."), ctypes.c_char_p(old.encode())) != 0:
        raise refused(f"pivot_root {new}")
    os.chdir("/")


def detach(path: str) -> None:
    if libc.umount2(path.encode(), MNT_DETACH) != 0:
        raise refused(f"umount {path}")


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    if _prctl(option, first, second, 0, 0) != 0:
        raise refused(f"prctl {option}")


def take(steps: Iterable[Step]) -> None:
    """
    Raises:
        OSError: the kernel refused one.
    """
    for call, words in steps:
        if call(*words) == -1:
            raise refused(f"{getattr(call, '__name__', 'a system call')}{words[:2]}")


def dropping_capabilities(keep: tuple[int, ...] = ()) -> list[Step]:
    """Give up every capability but `keep`, now and for all that is ever executed."""
    known = takewhile(lambda one: _prctl(PR_CAPBSET_READ, one, 0, 0, 0) != -1, range(LAST_CAP + 1))
    return [
        *((_prctl, (PR_CAPBSET_DROP, one, 0, 0, 0)) for one in known if one not in keep),
        having_capabilities(keep),
        (_prctl, (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
    ]


def having_capabilities(which: tuple[int, ...], handed: tuple[int, ...] = ()) -> Step:
    """No others from now on. Those of `handed` may be handed on to what is executed; it takes `handing_on` besides."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    kept, inherited = (sum(1 << capability for capability in one) for one in (which, handed))  # all in the first word
    sets = (ctypes.c_uint32 * 6)(kept, kept, inherited, 0, 0, 0)  # effective, permitted, inheritable
    return _syscall, (ctypes.c_long(SYS_CAPSET), ctypes.byref(header), ctypes.byref(sets))


def handing_on(which: tuple[int, ...]) -> list[Step]:
    """What is executed has these capabilities too, of which nothing is told by who it runs as."""
    raised = [(_prctl, (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, one, 0, 0)) for one in which]
    return [having_capabilities(which, which), *raised]


class PollEvent(ctypes.Structure):
    """struct epoll_event."""

    _pack_ = 1 if MACHINE == "x86_64" else 8
    _fields_ = (("events", ctypes.c_uint32), ("data", ctypes.c_uint64))


class SignalSet(ctypes.Structure):
    """The C library's sigset_t."""

    _fields_ = (("words", ctypes.c_ulong * (128 // ctypes.sizeof(ctypes.c_ulong))),)


def _set_of(number: int) -> SignalSet:
    signals = SignalSet()
    signals.words[0] = 1 << (number - 1)
    return signals


def hold_back(number: int) -> SignalSet:
    """Let no handler of this signal run in this thread. Returns what was held back before."""
    before = SignalSet()
    if libc.sigprocmask(SIG_BLOCK, ctypes.byref(_set_of(number)), ctypes.byref(before)) != 0:
        raise refused("sigprocmask")
    return before


def hearing(number: int) -> int:
    """A descriptor that can be read when this signal, which is held back, has come."""
    descriptor: int = libc.signalfd(-1, ctypes.byref(_set_of(number)), SFD_NONBLOCK | SFD_CLOEXEC)
    if descriptor < 0:
        raise refused("signalfd")
    return descriptor


def set_host_name(name: str) -> None:
    raw = name.encode()
    if _sethostname(raw, ctypes.c_size_t(len(raw))) != 0:
        raise refused("sethostname")


def raise_loopback() -> None:
    """Let a new network namespace at least talk to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def trim() -> None:
    """Give the C library's free memory back to the kernel: pages that are not mapped need not be forked."""
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(ctypes.c_size_t(0))

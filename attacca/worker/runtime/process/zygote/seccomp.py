"""The system calls a sandbox may make, as a BPF program for the kernel.

One filter holds for a template, from the first line of a function's import, and for its sandboxes. A template may do
one thing more: be moved into namespaces that somebody trusted has prepared. `calls.py` has the lists; here is what is
asked of the calls that some need and some abuse, and how it all becomes a program.
"""

import ctypes
import errno
import struct
from collections.abc import Sequence
from typing import NamedTuple

from attacca.worker.runtime.process.zygote import calls, linux

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
CLONE_PARENT = 0x8000  # a child that is its maker's sibling, and so in nobody's family
PREPARED = linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
ENTERED = (  # what a template may enter: all that was prepared, or a part of it; 0 would be whatever it finds
    PREPARED,
    *(linux.CLONE_NEWPID, linux.CLONE_NEWNS, linux.CLONE_NEWNET, linux.CLONE_NEWIPC, linux.CLONE_NEWUTS),
    linux.CLONE_NEWUSER,
)
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, NETLINK_ROUTE = 1, 2, 10, 16, 0
SOCK_TYPE_MASK, SOCK_STREAM, SOCK_DGRAM = 0xF, 1, 2
IP_PROTOCOLS = (0, 6, 17)  # whatever suits the type, TCP, UDP
SOL_SOCKET, SOL_TCP, TCP_ULP = 1, 6, 31
SO_ATTACH = (26, 50, 51, 52)  # programs for the kernel to run: their memory counts for nobody, and all share its limit
FORBIDDEN_IOCTLS = (
    *(0x5412, 0x541C, 0x541D, 0x5423),  # TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD: what others' terminals do
    *(0x5760, 0x5761),  # IOC_WATCH_QUEUE_SET_SIZE, ..._FILTER: another way to a large pipe
)
NAMESPACE_IOCTLS, IOCTL_TYPE_MASK = 0xB700, 0xFF00
F_SETPIPE_SZ, PIPE_B = 1031, 65_536
# Not F_NOTIFY, which like inotify tells what others open, nor F_SETLEASE, which makes others wait.
FCNTL_COMMANDS = (*range(12), 15, 16, 17, 36, 37, 38, 1025, *range(1027, 1031), *range(1032, 1039))
PR_SET_DUMPABLE, IS_DUMPABLE = linux.PR_SET_DUMPABLE, 1
# Not PR_SET_MM, PR_SET_PTRACER, PR_SCHED_CORE (an idle sibling of every core), PR_SET_MEMORY_MERGE (see madvise).
PRCTL_OPTIONS = (
    *(1, 2, 3, 7, 8, 15, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 36, 37, 38, 39, 40, 41, 42, 47),
    *range(50, 57),  # vectors, speculation and tagged addresses of this process
    *(60, 61, 63, 64, 65, 66, 74, 75, 76),
    *(0x53564D41, 0x41555856),  # PR_SET_VMA, PR_GET_AUXV
)
MADV_MERGEABLE = 12  # pages equal to others' are merged, and how long a write takes then tells that they were equal
MAP_HUGETLB, MFD_HUGETLB = 0x40000, 4  # pages of a pool that all share and that count for nobody

_LOAD, _JUMP, _JUMP_EQUAL, _JUMP_GE, _AND, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_FIRST, _SECOND, _THIRD, _FOURTH = 16, 24, 32, 40  # arguments by their low halves, which is all the kernel takes here
_HIGH = 4  # and on to the high one
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_FARTHEST = 255  # that a conditional jump reaches


class Step(NamedTuple):
    """An instruction of classic BPF, as struct sock_filter has it."""

    code: int
    value: int
    yes: int = 0
    no: int = 0


Steps = list[Step]

ALLOW, KILL, PRETEND = [Step(_RETURN, _ALLOW)], [Step(_RETURN, _KILL)], [Step(_RETURN, _ERRNO)]


def _refuse(reason: int) -> Steps:
    return [Step(_RETURN, _ERRNO | reason)]


ABSENT, DENY, UNKNOWN = _refuse(errno.ENOSYS), _refuse(errno.EPERM), _refuse(errno.EINVAL)


def _choose(argument: int, values: Sequence[int], found: Steps, otherwise: Steps, mask: int | None = None) -> Steps:
    """`found` if the argument, as far as `mask` shows it, is one of these values. Both end the program."""
    load = [Step(_LOAD, argument)] + ([] if mask is None else [Step(_AND, mask)])
    over = len(values) + len(otherwise)
    assert over <= _FARTHEST
    return [*load, *(Step(_JUMP_EQUAL, value, over - i - 1) for i, value in enumerate(values)), *otherwise, *found]


def _sockets() -> Steps:
    """Families that the kernel might lack are answered as if it lacked them, which every library is ready for. Types
    and protocols are refused as to anybody without the right to raw sockets."""
    unknown = _refuse(errno.EAFNOSUPPORT)
    internet = _choose(_THIRD, IP_PROTOCOLS, ALLOW, DENY)
    internet = _choose(_SECOND, (SOCK_STREAM, SOCK_DGRAM), internet, DENY, SOCK_TYPE_MASK)
    netlink = _choose(_THIRD, (NETLINK_ROUTE,), ALLOW, unknown)  # libraries list interfaces with it
    rest = _choose(_FIRST, (AF_NETLINK,), netlink, unknown)
    return _choose(_FIRST, (AF_UNIX,), ALLOW, _choose(_FIRST, (AF_INET, AF_INET6), internet, rest))


def _socket_options() -> Steps:
    transport = _choose(_THIRD, (TCP_ULP,), DENY, ALLOW)  # a second protocol, which the kernel may have to load
    return _choose(
        _SECOND, (SOL_SOCKET,), _choose(_THIRD, SO_ATTACH, DENY, ALLOW), _choose(_SECOND, (SOL_TCP,), transport, ALLOW)
    )


def _file_controls() -> Steps:
    """What all pipes of one user may hold is limited, and a pipe of 1 MB takes the room of 16 as they are made. When
    it is used up, the pipes of others are smaller; so none grows, and the kernel has the same answer then."""
    small = [Step(_LOAD, _THIRD), Step(_JUMP_GE, PIPE_B + 1, 0, 1), *DENY, *ALLOW]
    pipe = _choose(_THIRD + _HIGH, (0,), small, DENY)
    return _choose(_SECOND, (F_SETPIPE_SZ,), pipe, _choose(_SECOND, FCNTL_COMMANDS, ALLOW, UNKNOWN))


def _process_controls() -> Steps:
    """A process that is not dumpable could not be looked at by a server that is an ordinary user."""
    dumpable = _choose(_SECOND, (IS_DUMPABLE,), ALLOW, DENY)
    return _choose(_FIRST, (PR_SET_DUMPABLE,), dumpable, _choose(_FIRST, PRCTL_OPTIONS, ALLOW, UNKNOWN))


def _device_controls() -> Steps:
    rest = _choose(_SECOND, (NAMESPACE_IOCTLS,), DENY, ALLOW, IOCTL_TYPE_MASK)
    return _choose(_SECOND, FORBIDDEN_IOCTLS, DENY, rest)


QUESTIONS: dict[str, Steps] = {
    "clone": _choose(_FIRST, (0,), ALLOW, DENY, NAMESPACE_FLAGS | CLONE_PARENT),
    "socket": _sockets(),
    "socketpair": _sockets(),
    "setsockopt": _socket_options(),
    "ioctl": _device_controls(),
    "fcntl": _file_controls(),
    "prctl": _process_controls(),
    "madvise": _choose(_THIRD, (MADV_MERGEABLE,), UNKNOWN, ALLOW),
    "mmap": _choose(_FOURTH, (0,), ALLOW, _refuse(errno.ENOMEM), MAP_HUGETLB),
    "memfd_create": _choose(_SECOND, (0,), ALLOW, UNKNOWN, MFD_HUGETLB),
    "setns": DENY,
}
ENTER = {"setns": _choose(_SECOND, ENTERED, ALLOW, DENY)}


HELD = (
    *("read", "write", "close", "close_range", "poll", "ppoll", "pidfd_open", "exit", "exit_group", "getpid"),
    *("brk", "mmap", "munmap", "mremap", "madvise", "futex", "rt_sigreturn", "rt_sigprocmask", "restart_syscall"),
)
OWN_USER = _choose(_FIRST, (linux.CLONE_NEWUSER,), ALLOW, DENY)


def answers(machine: str, *, template: bool) -> dict[int, Steps]:
    """What is done about each call, by number; those that are not here are absent."""
    found: dict[int, Steps] = {}
    for table, steps in ((calls.ALLOWED, ALLOW), (calls.DENIED, DENY), (calls.PRETENDED, PRETEND)):
        found |= dict.fromkeys(calls.numbers(table, machine).values(), steps)
    questions = QUESTIONS | ENTER if template else QUESTIONS
    return found | {number: questions[name] for name, number in calls.numbers(calls.ASKED, machine).items()}


def _runs(found: dict[int, Steps]) -> list[tuple[int, Steps]]:
    """The first number of every run of calls that are treated alike, from 0 on."""
    runs: list[tuple[int, Steps]] = []
    for number in range(max(found) + 2):
        steps = found.get(number, ABSENT)
        if not runs or runs[-1][1] != steps:
            runs.append((number, steps))
    return runs


def _search(runs: list[tuple[int, Steps]]) -> Steps:
    """Find the run that the number is in by halving, and do what is done about it. When a filter is put on, the kernel
    runs it for every call there is, to remember which are simply allowed."""
    if len(runs) == 1:
        return runs[0][1]
    middle = len(runs) // 2
    below, above = _search(runs[:middle]), _search(runs[middle:])
    if len(below) <= _FARTHEST:
        return [Step(_JUMP_GE, runs[middle][0], len(below)), *below, *above]
    return [Step(_JUMP_GE, runs[middle][0], 0, 1), Step(_JUMP, len(below)), *below, *above]


def _pack(steps: Steps) -> bytes:
    return b"".join(struct.pack("<HBBI", step.code, step.yes, step.no, step.value) for step in steps)


def _whole(machine: str, found: dict[int, Steps]) -> bytes:
    own = [Step(_LOAD, _ARCH), Step(_JUMP_EQUAL, AUDIT_ARCH[machine], 1), *KILL]
    return _pack([*own, Step(_LOAD, _NUMBER), *_search(_runs(found))])  # x32's numbers lie above all others: absent


def program(machine: str, *, template: bool) -> bytes:
    """The whole filter for one architecture."""
    return _whole(machine, answers(machine, template=template))


def supplement(machine: str) -> bytes:
    """What turns a template's filter, which its children inherit, into a sandbox's. Short: every start has it."""
    setns = calls.numbers(calls.ASKED, machine)["setns"]
    return _pack(_choose(_NUMBER, (setns,), DENY, ALLOW))


def holding(machine: str) -> bytes:
    """For the first process of a place, which a template could look into: it enters a user namespace of its own, and
    then waits."""
    known = calls.numbers(calls.ALLOWED + calls.ASKED, machine)
    found = {known[name]: ALLOW for name in HELD if name in known}
    return _whole(machine, found | {calls.numbers(calls.DENIED, machine)["unshare"]: OWN_USER})


_IS_KNOWN = linux.MACHINE in AUDIT_ARCH
FOR_NEW_SANDBOXES = program(linux.MACHINE, template=False) if _IS_KNOWN else b""
FOR_TEMPLATES = program(linux.MACHINE, template=True) if _IS_KNOWN else b""
FOR_FORKED_SANDBOXES = supplement(linux.MACHINE) if _IS_KNOWN else b""
FOR_HOLDERS = holding(linux.MACHINE) if _IS_KNOWN else b""


def install(code: bytes) -> None:
    """Put the filter on this process for good. Needs no_new_privs.

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    kept = Code(code)
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, kept.address)


class Code:
    """A filter as the kernel takes it: `address` is good as long as this is kept."""

    def __init__(self, code: bytes) -> None:
        self._steps = ctypes.create_string_buffer(code, len(code))
        fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._steps))
        self._program = ctypes.create_string_buffer(fprog, len(fprog))
        self.address = ctypes.addressof(self._program)

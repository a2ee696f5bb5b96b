"""The system calls a sandbox may not make, as a BPF program for the kernel.

A list of what is denied rather than of what is allowed: functions bring libraries that nobody here has seen. Denied
is what changes the machine, reaches into other processes, makes namespaces, or has been the way out of containers.
Denied calls fail with EPERM; clone3 fails with ENOSYS, because its arguments lie in memory where a filter cannot see
them, and every C library then falls back to clone, whose flags are checked.
"""

import ctypes
import errno
import struct

from attacca.worker.runtime.process.guest import linux

# name: (x86_64, aarch64); None where the architecture has no such call
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "nfsservctl": (180, 42),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),  # would tell who else opens which of the machine's files, across mount namespaces
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "vmsplice": (278, 75),
    "personality": (135, 92),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
# A template forks sandboxes that still have to mount their own /proc and /tmp, and moves to a new network namespace for
# each, so these are denied only to sandboxes, and so are the namespace flags of clone.
DENIED_TO_SANDBOXES: dict[str, tuple[int | None, int | None]] = {
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
}
CLONE, CLONE3 = (56, 220), (435, 435)
SOCKET = (41, 198)
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
AF_PACKET, AF_NETLINK, AF_VSOCK, AF_ALG = 17, 16, 40, 38
SOCK_RAW, SOCK_TYPE_MASK = 3, 0xF

_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GE, _AND, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
_NUMBER, _ARCH, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data; arguments by their low halves
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


class Program:
    """Instructions of classic BPF, as struct sock_filter has them."""

    def __init__(self, machine: str) -> None:
        self.column = 0 if machine == "x86_64" else 1
        self._steps: list[bytes] = []

    def step(self, code: int, value: int, yes: int = 0, no: int = 0) -> None:
        self._steps.append(struct.pack("<HBBI", code, yes, no, value))

    def refuse(self, number: int, reason: int) -> None:
        self.step(_JUMP_EQUAL, number, 0, 1)
        self.step(_RETURN, _ERRNO | reason)

    def refuse_all(self, names: dict[str, tuple[int | None, int | None]]) -> None:
        for numbers in names.values():
            if (number := numbers[self.column]) is not None:
                self.refuse(number, errno.EPERM)

    def refuse_other_namespaces(self) -> None:
        """Ends the program for unshare, which is allowed for the network only."""
        self.step(_JUMP_EQUAL, DENIED_TO_SANDBOXES["unshare"][self.column] or 0, 0, 4)
        self.step(_LOAD, _FIRST)
        self.step(_JUMP_EQUAL, linux.CLONE_NEWNET, 1, 0)
        self.step(_RETURN, _ERRNO | errno.EPERM)
        self.step(_RETURN, _ALLOW)

    def refuse_namespaces(self) -> None:
        """Ends the program for clone, which is allowed without them."""
        self.step(_JUMP_EQUAL, CLONE[self.column], 0, 4)
        self.step(_LOAD, _FIRST)
        self.step(_JUMP_SET, NAMESPACE_FLAGS, 0, 1)
        self.step(_RETURN, _ERRNO | errno.EPERM)
        self.step(_RETURN, _ALLOW)

    def refuse_sockets(self) -> None:
        """Ends the program for every call."""
        self.step(_JUMP_EQUAL, SOCKET[self.column], 0, 10)
        self.step(_LOAD, _FIRST)
        self.step(_JUMP_EQUAL, AF_PACKET, 6, 0)
        self.step(_JUMP_EQUAL, AF_VSOCK, 5, 0)
        self.step(_JUMP_EQUAL, AF_ALG, 4, 0)
        self.step(_JUMP_EQUAL, AF_NETLINK, 4, 0)  # libraries list interfaces with a raw netlink socket: harmless
        self.step(_LOAD, _SECOND)
        self.step(_AND, SOCK_TYPE_MASK)
        self.step(_JUMP_EQUAL, SOCK_RAW, 0, 1)
        self.step(_RETURN, _ERRNO | errno.EPERM)
        self.step(_RETURN, _ALLOW)
        self.step(_RETURN, _ALLOW)

    def __bytes__(self) -> bytes:
        return b"".join(self._steps)


def program(machine: str, *, template: bool) -> bytes:
    """The whole filter for one architecture."""
    made = Program(machine)
    made.step(_LOAD, _ARCH)
    made.step(_JUMP_EQUAL, AUDIT_ARCH[machine], 1, 0)
    made.step(_RETURN, _KILL)
    made.step(_LOAD, _NUMBER)
    if machine == "x86_64":  # the x32 calls share the architecture and have numbers of their own
        made.step(_JUMP_GE, 0x40000000, 0, 1)
        made.step(_RETURN, _ERRNO | errno.ENOSYS)
    made.refuse_all(DENIED if template else DENIED | DENIED_TO_SANDBOXES)
    made.refuse(CLONE3[made.column], errno.ENOSYS)
    if template:
        made.refuse_other_namespaces()
    else:
        made.refuse_namespaces()
    made.refuse_sockets()
    return bytes(made)


def supplement(machine: str) -> bytes:
    """What turns a template's filter, which its children inherit, into a sandbox's. Short: the kernel compiles it."""
    made = Program(machine)
    made.step(_LOAD, _NUMBER)
    made.refuse_all(DENIED_TO_SANDBOXES)
    made.refuse_namespaces()
    made.step(_RETURN, _ALLOW)
    return bytes(made)


_IS_KNOWN = linux.MACHINE in AUDIT_ARCH
FOR_TEMPLATES = program(linux.MACHINE, template=True) if _IS_KNOWN else b""
FOR_NEW_SANDBOXES = program(linux.MACHINE, template=False) if _IS_KNOWN else b""
FOR_FORKED_SANDBOXES = supplement(linux.MACHINE) if _IS_KNOWN else b""


def install(code: bytes) -> None:
    """Put the filter on this process for good. Needs no_new_privs.

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(fprog, len(fprog))
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.addressof(holder))

"""Numbers of system calls on this machine, for code in sandboxes that makes them without asking a library."""

import os

_NUMBERS = {  # x86_64, and those that newer architectures share
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone": (56, 220),
    "clone3": (435, 435),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
    "clock_settime": (227, 112),
    "reboot": (169, 142),
    "open_by_handle_at": (304, 265),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
}
IS_X86 = os.uname().machine == "x86_64"
NUMBERS = {name: both[0 if IS_X86 else 1] for name, both in _NUMBERS.items()}

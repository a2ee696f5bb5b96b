"""Tries, in children of its own, what sandboxes need from the kernel; prints one JSON object of name to error text."""

import json
import os
import socket
import sys
from collections.abc import Callable

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.worker.runtime.process.zygote import linux, rootfs, seccomp


def attempt(flags: int, work: Callable[[], None]) -> str:
    """Run `work` in a child with these namespaces; "" when it went well, else what was refused."""
    reader, writer = os.pipe()
    try:
        pid = linux.clone(flags)
    except OSError as error:
        return str(error)
    if pid == 0:
        try:
            work()
            os.write(writer, b"")
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    os.waitpid(pid, 0)
    return said


def mapped(work: Callable[[], None]) -> Callable[[], None]:
    uid, gid = os.geteuid(), os.getegid()

    def both() -> None:
        rootfs.map_self(0, uid, gid)
        work()

    return both


def nothing() -> None: ...


def _mount_things() -> None:
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("probe", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    os.mkdir("/tmp/usr")
    linux.bind("/usr", "/tmp/usr")
    linux.make_read_only("/tmp/usr")


def _mount_proc() -> None:
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _filter() -> None:
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(seccomp.program(linux.MACHINE, template=False))
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW).close()
    except PermissionError:
        return
    raise OSError("the filter is accepted but does not filter")


def _nested() -> None:
    said = attempt(linux.CLONE_NEWUSER | linux.CLONE_NEWPID, nothing)
    if said:
        raise OSError(said)


def main() -> None:
    user, all_of_them = linux.CLONE_NEWUSER, linux.OWN_ALL
    found = {"user": attempt(user, mapped(nothing))}
    for name, flag in (
        ("mount", linux.CLONE_NEWNS),
        ("pid", linux.CLONE_NEWPID),
        ("ipc", linux.CLONE_NEWIPC),
        ("uts", linux.CLONE_NEWUTS),
        ("network", linux.CLONE_NEWNET),
    ):
        found[name] = attempt(user | flag, nothing)
    found["nested"] = attempt(all_of_them, mapped(_nested))
    found["read_only"] = attempt(all_of_them, mapped(_mount_things))
    found["proc"] = attempt(all_of_them, mapped(_mount_proc))
    found["filter"] = attempt(0, _filter) if linux.MACHINE in seccomp.AUDIT_ARCH else f"unknown: {linux.MACHINE}"
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

"""What a user's code may not do in a template: while it is imported, and whenever it comes to itself afterwards."""

import os
from typing import Any

import pytest

from attacca.worker.core.reports import TemplateReady
from tests.live import ordinary
from tests.live.house import House, value, visit
from tests.live.syscalls import NUMBERS

KINDS = {
    "cgroup": 0x2000000,
    "ipc": 0x8000000,
    "mnt": 0x20000,
    "net": 0x40000000,
    "pid": 0x20000000,
    "user": 0x10000000,
}
SOURCE = f"""
    import ctypes, errno, os, signal, socket

    libc = ctypes.CDLL(None, use_errno=True)
    KINDS = {KINDS}

    def said(*call):
        ctypes.set_errno(0)
        words = [ctypes.c_long(word) if isinstance(word, int) else word for word in call]
        result = libc.syscall(*words)
        if result == 0 and call[0] == {NUMBERS["clone"]}:
            os._exit(0)
        return errno.errorcode[ctypes.get_errno()] if result == -1 else "allowed"

    def opened(*words):
        try:
            socket.socket(*words).close()
        except OSError as error:
            return errno.errorcode[error.errno]
        return "allowed"

    def written(path, text):
        try:
            with open(path, "w") as file:
                file.write(text)
        except OSError as error:
            return errno.errorcode[error.errno]
        return "allowed"

    def own(name):
        try:
            return os.open("/proc/self/ns/" + name, 0)
        except OSError:  # it waits in a place where it is not seen
            return 0

    def try_all():
        found = {{}}
        for name, flag in KINDS.items():
            found["unshare " + name] = said({NUMBERS["unshare"]}, flag)
            found["clone " + name] = said({NUMBERS["clone"]}, flag | 17, 0, 0, 0, 0)
            found["enter any " + name] = said({NUMBERS["setns"]}, own(name), 0)
            found["enter the first's " + name] = said({NUMBERS["setns"]}, 1, flag | 0x80)
        found["mount"] = said({NUMBERS["mount"]}, b"none", b"/tmp", b"tmpfs", 0, 0)
        found["remount"] = said({NUMBERS["mount"]}, b"none", b"/proc", b"none", 0x1020, 0)
        found["bind"] = said({NUMBERS["mount"]}, b"/tmp", b"/usr", b"none", 0x1000, 0)
        found["umount"] = said({NUMBERS["umount2"]}, b"/proc", 2)
        found["chroot"] = said({NUMBERS["chroot"]}, b"/tmp")
        found["pivot"] = said({NUMBERS["pivot_root"]}, b"/tmp", b"/tmp")
        found["netfilter"] = opened(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        found["audit"] = opened(socket.AF_NETLINK, socket.SOCK_RAW, 9)
        found["raw"] = opened(socket.AF_INET, socket.SOCK_RAW, 1)
        found["raw 6"] = opened(socket.AF_INET6, socket.SOCK_RAW, 58)
        found["packets"] = opened(socket.AF_PACKET, socket.SOCK_RAW, 0x300)
        found["packets without heads"] = opened(socket.AF_PACKET, socket.SOCK_DGRAM, 0x300)
        for name in ("self/oom_score_adj", "sys/kernel/hostname", "self/uid_map", "sys/vm/overcommit_memory",
                     "sysrq-trigger", "self/setgroups", "1/oom_score_adj", "sys/kernel/ns_last_pid"):
            found["write " + name] = written("/proc/" + name, "0")
        return found

    WHEN = {{"at import": try_all()}}

    def before_template():
        WHEN["before the template"] = try_all()
        signal.signal(signal.SIGALRM, later)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)

    def later(*_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        WHEN["later"] = try_all()

    def handler():
        return {{**WHEN, "in a sandbox": try_all()}}
"""


def test_whenever_a_template_runs_code_it_may_no_more_than_a_sandbox() -> None:
    async def story(house: House) -> dict[str, dict[str, str]]:
        revision = house.function(SOURCE)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        while True:
            told: dict[str, Any] = value(await house.run(await house.sandbox(revision, template.template), revision))
            if "later" in told:
                return told

    found = visit(story)
    assert list(found) == ["at import", "before the template", "later", "in a sandbox"]
    for when, said in found.items():
        assert {name: how for name, how in said.items() if how == "allowed"} == {}, when
        assert said.keys() == found["in a sandbox"].keys(), when


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)

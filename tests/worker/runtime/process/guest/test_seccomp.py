"""The filters, run by a small interpreter of the instructions that they are made of: on every machine, for both."""

import errno
import struct

import pytest

from attacca.worker.runtime.process.guest.seccomp import (
    AUDIT_ARCH,
    CLONE,
    CLONE3,
    DENIED,
    DENIED_TO_SANDBOXES,
    SOCKET,
    program,
    supplement,
)

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
MACHINES = ("x86_64", "aarch64")
READ = {"x86_64": 0, "aarch64": 63}
X32 = 0x40000000
NEW_NET, NEW_USER, SIGCHLD = 0x40000000, 0x10000000, 17
INET, NETLINK, PACKET, VSOCK, ALG = 2, 16, 17, 40, 38
STREAM, RAW, CLOSE_ON_EXEC = 1, 3, 0o2000000


def answer(code: bytes, number: int, first: int = 0, second: int = 0, arch: int = 0) -> int:
    """What the kernel would do with this call."""
    data = struct.pack("<IIQQQQQQQ", number, arch, 0, first, second, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("<HBBI", code))
    at = held = 0
    while True:
        kind, yes, no, value = steps[at]
        at += 1
        match kind:
            case 0x20:
                (held,) = struct.unpack_from("<I", data, value)
            case 0x54:
                held &= value
            case 0x06:
                return int(value)
            case 0x15 | 0x35 | 0x45:
                at += yes if {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[kind] else no
            case _:
                raise AssertionError(f"no such instruction: {kind:#x}")


def said(machine: str, number: int, first: int = 0, second: int = 0, *, template: bool = False) -> str:
    found = answer(program(machine, template=template), number, first, second, AUDIT_ARCH[machine])
    return {ALLOWED: "allowed", KILLED: "killed"}.get(found) or errno.errorcode[found & 0xFFFF]


def numbers(machine: str, table: dict[str, tuple[int | None, int | None]]) -> list[int]:
    return [number for pair in table.values() if (number := pair[MACHINES.index(machine)]) is not None]


@pytest.mark.parametrize("machine", MACHINES)
def test_what_reaches_out_is_denied_and_what_reads_is_not(machine: str) -> None:
    for template in (False, True):
        assert {said(machine, number, template=template) for number in numbers(machine, DENIED)} == {"EPERM"}
        assert said(machine, READ[machine], template=template) == "allowed"
        assert said(machine, CLONE3[MACHINES.index(machine)], template=template) == "ENOSYS"
    assert {said(machine, number) for number in numbers(machine, DENIED_TO_SANDBOXES)} == {"EPERM"}


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_are_the_end(machine: str) -> None:
    code = program(machine, template=False)
    other = AUDIT_ARCH[MACHINES[1 - MACHINES.index(machine)]]
    assert answer(code, READ[machine], arch=other) == KILLED
    assert answer(code, READ[machine], arch=0x40000003) == KILLED, "32 bits"


def test_there_are_no_x32_calls() -> None:
    assert {said("x86_64", number | X32) for number in (0, *numbers("x86_64", DENIED))} == {"ENOSYS"}


@pytest.mark.parametrize("machine", MACHINES)
def test_processes_can_be_made_and_namespaces_not(machine: str) -> None:
    clone = CLONE[MACHINES.index(machine)]
    assert said(machine, clone, SIGCHLD) == "allowed"
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, NEW_USER, 0x20000000, NEW_NET):
        assert said(machine, clone, flag | SIGCHLD) == "EPERM"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_template_may_make_a_network_and_mount_and_nothing_else(machine: str) -> None:
    mount, unshare = numbers(machine, DENIED_TO_SANDBOXES)
    assert said(machine, mount, template=True) == said(machine, unshare, NEW_NET, template=True) == "allowed"
    assert said(machine, unshare, NEW_USER, template=True) == "EPERM"
    assert said(machine, unshare, NEW_NET | NEW_USER, template=True) == "EPERM"


@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize("machine", MACHINES)
def test_sockets(machine: str, template: bool) -> None:  # noqa: FBT001
    def socket(family: int, kind: int) -> str:
        return said(machine, SOCKET[MACHINES.index(machine)], family, kind, template=template)

    assert socket(INET, STREAM) == socket(INET, STREAM | CLOSE_ON_EXEC) == socket(NETLINK, RAW) == "allowed"
    assert socket(INET, RAW) == socket(INET, RAW | CLOSE_ON_EXEC) == "EPERM"
    assert {socket(family, kind) for family in (PACKET, VSOCK, ALG) for kind in (STREAM, RAW)} == {"EPERM"}


@pytest.mark.parametrize("machine", MACHINES)
def test_with_its_supplement_a_templates_filter_is_a_sandboxes(machine: str) -> None:
    """The kernel runs both and takes the harder answer."""
    both = (program(machine, template=True), supplement(machine))
    calls = [(number, SIGCHLD) for number in range(460)]
    calls += [(CLONE[MACHINES.index(machine)], flag | SIGCHLD) for flag in (0, NEW_USER, NEW_NET)]
    for number, first in calls:
        wanted = answer(program(machine, template=False), number, first, arch=AUDIT_ARCH[machine])
        assert min(answer(code, number, first, arch=AUDIT_ARCH[machine]) for code in both) == wanted, number

"""The filters, run by a small interpreter of the instructions that they are made of: on every machine, for both."""

import errno
import functools
import itertools
import struct
from collections.abc import Iterator

import pytest

from attacca.worker.runtime.process.zygote import calls, seccomp
from attacca.worker.runtime.process.zygote.seccomp import AUDIT_ARCH, program, supplement
from tests.live import syscalls
from tests.live.syscalls import TABLES, X32, wanted

pytestmark = pytest.mark.long  # every number of every architecture

ALLOWED, KILLED, DONE = 0x7FFF0000, 0x80000000, 0x00050000
MACHINES = ("x86_64", "aarch64")
SIGCHLD, MOST_STEPS = 17, 4096
NEW_TIME, NEW_NS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    *(0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000),
)
ALL_PREPARED = NEW_PID | NEW_NS | NEW_NET | NEW_IPC | NEW_UTS
UNIX, INET, INET6, NETLINK, PACKET, VSOCK, ALG, BLUETOOTH, XDP = 1, 2, 10, 16, 17, 40, 38, 31, 44
STREAM, DGRAM, RAW, RDM, SEQPACKET, DCCP, OLD_PACKET, CLOSE_ON_EXEC = 1, 2, 3, 4, 5, 6, 10, 0o2000000
TCP, UDP, ICMP, ICMP6, SCTP, UDPLITE, IP_RAW, MPTCP = 6, 17, 1, 58, 132, 136, 255, 262
MOST = (1 << 64) - 1
HIGH = 1 << 32  # the kernel reads an `int` from the lower half of a register only


@functools.cache
def steps_of(code: bytes) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("<HBBI", code))


def answer(code: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0) -> int:
    """What the kernel would do with this call. It is asked a hundred thousand times."""
    words = [number, arch, 0, 0]  # struct seccomp_data, 32 bits at a time
    for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]:
        words += (argument & 0xFFFFFFFF, argument >> 32)
    steps = steps_of(code)
    at = held = 0
    while True:
        kind, yes, no, value = steps[at]
        at += 1
        if kind == 0x15:
            at += yes if held == value else no
        elif kind == 0x35:
            at += yes if held >= value else no
        elif kind == 0x20:
            held = words[value >> 2]
        elif kind == 0x54:
            held &= value
        elif kind == 0x05:
            at += value
        else:
            assert kind == 0x06, f"no such instruction: {kind:#x}"
            return value


class Filters:
    """What one machine's filters say of calls by their names."""

    def __init__(self, machine: str) -> None:
        self.machine, self.numbers = machine, TABLES[machine]
        self.codes = {template: program(machine, template=template) for template in (False, True)}

    def of(self, number: int, *arguments: int, template: bool = False) -> str:
        found = answer(self.codes[template], number, arguments, AUDIT_ARCH[self.machine])
        return {ALLOWED: "allowed", KILLED: "killed", DONE: "done"}.get(found) or errno.errorcode[found & 0xFFFF]

    def both(self, name: str, *arguments: int) -> str:
        """Of a call that is the same to a template and to a sandbox."""
        said = {self.of(self.numbers[name], *arguments, template=template) for template in (False, True)}
        assert len(said) == 1
        return said.pop()

    def questions(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Every call, and those that depend on arguments with many."""
        for number in [*range(512), 1023, X32, X32 + 1, X32 + 59, X32 + 599]:
            yield number, ()
        values = (0, 1, 2, 4, 16, 26, 1031, 65_537, 0x5412, NEW_USER, NEW_NET, ALL_PREPARED)
        for name in [*syscalls.ASKED, "unshare", "mount"]:
            for first, second, third in itertools.product(values, values, (0, 26, 65_537)):
                yield self.numbers[name], (first, second, third, third)


@pytest.fixture(scope="module", params=MACHINES)
def filters(request: pytest.FixtureRequest) -> Filters:
    return Filters(request.param)


def test_every_number_has_the_answer_that_was_decided(filters: Filters) -> None:
    first = {"prctl": 3, "socket": UNIX, "socketpair": UNIX}  # and nought for all else: nobody objects to that
    names = {number: name for name, number in filters.numbers.items()}
    for number, template in itertools.product((*range(512), 1023), (False, True)):
        name = names.get(number)
        right = wanted(name) if name else "ENOSYS"
        assert filters.of(number, first.get(name or "", 0), template=template) == right, (number, name)
        if name not in syscalls.ASKED:  # nor is looked at what would be asked of those beside it
            for arguments in ([MOST] * 6, (0, 0x5412, 12, 0), (1, 1, 26, 0x40000)):
                assert filters.of(number, *arguments, template=template) == right, (number, name)


def test_every_call_stands_in_one_list_with_its_number(filters: Filters) -> None:
    tables = (calls.ALLOWED, calls.ASKED, calls.DENIED, calls.PRETENDED, calls.MISSING)
    found = [calls.numbers(table, filters.machine) for table in tables]
    assert {name: number for table in found for name, number in table.items()} == filters.numbers
    assert sum(len(table) for table in found) == len(filters.numbers) == len(set(filters.numbers.values()))
    assert set(seccomp.QUESTIONS) == set(syscalls.ASKED) == set(found[1])


def test_calls_of_another_architecture_are_the_end(filters: Filters) -> None:
    other = AUDIT_ARCH[MACHINES[1 - MACHINES.index(filters.machine)]]
    for code in filters.codes.values():
        assert answer(code, filters.numbers["read"], arch=other) == KILLED
        assert answer(code, filters.numbers["read"], arch=0x40000003) == KILLED, "32 bits"


def test_there_are_no_x32_calls(filters: Filters) -> None:
    for number, template in itertools.product((*range(X32, X32 + 1024, 7), 0xFFFFFFFF), (False, True)):
        assert filters.of(number, template=template) == "ENOSYS"


def test_processes_can_be_made_and_neither_namespaces_nor_siblings(filters: Filters) -> None:
    assert filters.both("clone", SIGCHLD) == filters.both("clone", 0x3D0F00) == "allowed", "a process, and a thread"
    for flag in (NEW_NS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET, NEW_PID | NEW_USER, 0x8000):
        assert filters.both("clone", flag | SIGCHLD) == filters.both("clone", flag | HIGH) == "EPERM"


def test_a_template_may_enter_what_was_prepared_and_a_sandbox_nothing(filters: Filters) -> None:
    setns = filters.numbers["setns"]
    good = {ALL_PREPARED, NEW_PID, NEW_NS, NEW_NET, NEW_IPC, NEW_UTS, NEW_USER}
    for count in range(9):
        for flags in itertools.combinations(
            (NEW_TIME, NEW_NS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET), count
        ):
            asked = sum(flags)
            assert filters.of(setns, 5, asked, template=True) == ("allowed" if asked in good else "EPERM")
            assert filters.of(setns, 5, asked) == "EPERM"
    assert filters.of(setns, 5, NEW_NET | 1, template=True) == "EPERM"


@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_families_of_sockets(filters: Filters, call: str) -> None:
    allowed = {UNIX, INET, INET6}
    for family in range(64):
        said = {filters.both(call, family, kind, 0) for kind in (STREAM, DGRAM, DGRAM | CLOSE_ON_EXEC)}
        assert said == {"allowed" if family in {*allowed, NETLINK} else "EAFNOSUPPORT"}
    for family, kind in itertools.product((PACKET, VSOCK, ALG, BLUETOOTH, XDP), (STREAM, RAW)):
        assert filters.both(call, family, kind, 0) == filters.both(call, family | HIGH, kind, 0) == "EAFNOSUPPORT"


@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_types_and_protocols_of_sockets(filters: Filters, call: str) -> None:
    for family, kind in itertools.product((INET, INET6), (RAW, RDM, SEQPACKET, DCCP, OLD_PACKET, 0, 15)):
        assert filters.both(call, family, kind, 0) == filters.both(call, family, kind | CLOSE_ON_EXEC, TCP) == "EPERM"
        assert filters.both(call, family, kind | HIGH, 0) == "EPERM"
    for family, kind in itertools.product((INET, INET6), (STREAM, DGRAM)):
        assert {filters.both(call, family, kind, protocol) for protocol in (0, TCP, UDP)} == {"allowed"}
        others = (ICMP, ICMP6, SCTP, UDPLITE, IP_RAW, MPTCP, 33, 2, TCP | 0x100)
        assert {filters.both(call, family, kind, protocol) for protocol in others} == {"EPERM"}
    assert {filters.both(call, UNIX, kind, 0) for kind in (STREAM, DGRAM, SEQPACKET)} == {"allowed"}


@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_only_one_protocol_of_netlink(filters: Filters, call: str) -> None:
    for kind in (RAW, DGRAM, RAW | CLOSE_ON_EXEC):
        assert filters.both(call, NETLINK, kind, 0) == "allowed"
        assert {filters.both(call, NETLINK, kind, protocol) for protocol in range(1, 33)} == {"EAFNOSUPPORT"}


def test_options_of_sockets(filters: Filters) -> None:
    for option in (26, 50, 51, 52):  # programs of BPF
        assert filters.both("setsockopt", 5, 1, option) == "EPERM"
        assert filters.both("setsockopt", 5, 0, option) == "allowed"
    assert filters.both("setsockopt", 5, 1, 2) == filters.both("setsockopt", 5, 6, 1) == "allowed"
    assert filters.both("setsockopt", 5, 6, 31) == "EPERM"


def test_controls_of_devices_and_namespaces(filters: Filters) -> None:
    for command in (0x5412, 0x541C, 0x541D, 0x5423, 0x5760, 0x5761, *range(0xB700, 0xB710), 0x8008B705):
        assert filters.both("ioctl", 0, command) == filters.both("ioctl", 0, command | HIGH) == "EPERM", hex(command)
    for command in (0x5401, 0x5413, 0x5421, 0x541B, 0x8912, 0x5450, 0x5451):  # TCGETS, sizes, FIONBIO, interfaces
        assert filters.both("ioctl", 0, command) == "allowed"


def test_controls_of_files(filters: Filters) -> None:
    """Copies, flags, locks, owners, seals and hints; neither leases nor dnotify, nor what is to come."""
    allowed = {*range(12), 15, 16, 17, 36, 37, 38, 1025, *range(1027, 1039)}
    for command in (*range(64), *range(1000, 1064), (1 << 32) - 1):
        said = filters.both("fcntl", 0, command, 4096)
        assert said == filters.both("fcntl", 0, command | HIGH, 4096) == ("allowed" if command in allowed else "EINVAL")


def test_a_pipe_does_not_grow(filters: Filters) -> None:
    assert {filters.both("fcntl", 0, 1031, size) for size in (0, 1, 4096, 65_536)} == {"allowed"}
    assert {filters.both("fcntl", 0, 1031, size) for size in (65_537, 1 << 20, 1 << 31, HIGH, HIGH | 1)} == {"EPERM"}


def test_options_of_processes(filters: Filters) -> None:
    """Not the memory's map, core scheduling, merging of pages, who may trace, nor what is to come."""
    allowed = {1, 2, 3, 4, 7, 8, 15, 16, *range(21, 31), 36, 37, 38, 39, 40, 41, 42, 47, *range(50, 57), 60, 61, 63, 64}
    allowed |= {65, 66, 74, 75, 76, 0x53564D41, 0x41555856}
    for option in (*range(100), 0x53564D41, 0x41555856, 0x59616D61, 0x53564D42, (1 << 32) - 1):
        said = filters.both("prctl", option, 1)
        assert said == filters.both("prctl", option | HIGH, 1) == ("allowed" if option in allowed else "EINVAL"), option
    assert filters.both("prctl", 4, 0) == filters.both("prctl", 4, 2) == "EPERM"


def test_memory_that_counts_for_nobody_or_tells_of_others(filters: Filters) -> None:
    assert filters.both("madvise", 0, 4096, 4) == filters.both("mmap", 0, 4096, 3, 0x23) == "allowed"
    assert filters.both("madvise", 0, 4096, 12) == "EINVAL"
    assert filters.both("mmap", 0, 1 << 21, 3, 0x40022) == "ENOMEM"
    assert filters.both("memfd_create", 0, 1) == "allowed"
    assert filters.both("memfd_create", 0, 5) == "EINVAL"


def _is_harder(one: int, other: int) -> int:
    """The kernel runs all filters of a process and takes the answer with the lowest action, the latest first."""
    return one if one & 0xFFFF0000 <= other & 0xFFFF0000 else other


def test_with_its_supplement_a_templates_filter_is_a_sandboxes(filters: Filters) -> None:
    theirs, rest = program(filters.machine, template=True), supplement(filters.machine)
    for number, arguments in filters.questions():
        arch = AUDIT_ARCH[filters.machine]
        alone = answer(filters.codes[False], number, arguments, arch)
        together = _is_harder(answer(rest, number, arguments, arch), answer(theirs, number, arguments, arch))
        assert together == alone, (number, arguments)


def test_a_start_adds_a_handful_of_instructions(filters: Filters) -> None:
    assert len(supplement(filters.machine)) // 8 <= 5
    assert len(filters.codes[True]) // 8 <= MOST_STEPS // 8

"""What code inside a sandbox may not reach, and what it may not use up: each a real attempt from inside."""

import os
import sys
from pathlib import Path

import pytest

from attacca.model.function import Network
from attacca.model.invocation import Failed, Ok
from attacca.worker.core.reports import SandboxGone
from tests.live import ordinary
from tests.live.house import House, call, value, visit
from tests.live.inside import inside
from tests.live.syscalls import NUMBERS


def test_a_sandbox_has_no_capability_and_can_gain_none() -> None:
    status = inside(
        "[l.split() for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNewPrivs:', 'Seccomp:'))]"
    )
    told = {line[0]: line[1] for line in status}
    assert {told[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (told["NoNewPrivs:"], told["Seccomp:"]) == ("1", "2")


def test_the_system_and_the_code_are_read_only() -> None:
    paths = [
        "/usr/x",
        "/etc/passwd",
        "/function/main.py",
        "/function/new",
        "/bundle/x",
        "/x",
        "/dev/x",
        "/proc/sys/kernel/hostname",
    ]
    found = inside(f"[attempt(lambda: open(p, 'w'))[0] for p in {paths}]")
    assert found == ["refused"] * len(paths)
    assert inside("attempt(lambda: open('/tmp/x', 'w').write('y'))") == ["done", "1"]


def test_it_is_somebody_and_somewhere() -> None:
    who = "__import__('pwd').getpwuid(os.getuid()).pw_name, __import__('grp').getgrgid(os.getgid()).gr_name"
    assert inside(f"[os.getcwd(), {who}]") == ["/function", "function", "function"]


def test_no_limit_can_be_raised() -> None:
    limits = "__import__('resource')"
    pairs = inside(f"[{limits}.getrlimit(kind) for kind in ({limits}.RLIMIT_CORE, {limits}.RLIMIT_FSIZE)]")
    assert [soft == hard for soft, hard in pairs] == [True, True]
    assert pairs[0] == [0, 0]


def test_nothing_of_the_machine_is_seen() -> None:
    assert sorted(inside("os.listdir('/')")) == sorted(
        [
            *("bundle", "dev", "etc", "function", "proc", "run", "tmp", "usr", "var"),
            *(n for n in ("bin", "sbin", "lib", "lib32", "lib64", "libx32") if Path("/" + n).exists()),
            *({Path(os.path.realpath(sys.base_prefix)).parts[1]} - {"usr"}),
        ]
    )
    assert inside("[int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]") == []
    assert inside("[os.getpid() <= 2, os.getuid(), os.getgid(), os.listdir('/function')]")[:3] == [True, 1000, 1000]
    assert inside("sorted(set(os.listdir('/proc/self/fd')) - {'5'})") == ["0", "1", "2", "3", "4"]


def test_where_on_the_machine_its_code_lies_is_not_told() -> None:
    """The state directory of a test has a name that is easy to find."""
    places = "('mountinfo', 'mounts', 'mountstats', 'maps', 'environ', 'cmdline')"
    assert inside(f"[one for one in {places} if 'attacca-test-' in open('/proc/self/' + one).read()]") == []


def test_the_state_directory_and_other_functions_are_out_of_reach() -> None:
    found = inside(
        "[str(e) for top in ('/', '/tmp', '/proc', '/proc/self/root', '/proc/self/cwd/..') for e in os.listdir(top)"
        " if 'secret' in e or 'another' in e or 'attacca' in e]"
    )
    assert found == []
    assert inside("[m.split()[1] for m in open('/proc/self/mounts') if 'attacca' in m.split()[1]]") == []


def test_the_environment_holds_nothing_of_the_servers() -> None:
    os.environ["ATTACCA_TEST_SECRET"] = "secret"
    try:
        names = inside("sorted(os.environ)", env={"MINE": "1"})
    finally:
        del os.environ["ATTACCA_TEST_SECRET"]
    assert "MINE" in names
    assert "ATTACCA_TEST_SECRET" not in names


def test_there_is_no_network_unless_asked_for() -> None:
    server = "__import__('socket').create_connection(('127.0.0.1', 22), 1)"
    assert inside(f"attempt(lambda: {server})")[0] == "refused"
    listen = "(s := socket.create_server(('127.0.0.1', 0)), socket.create_connection(s.getsockname()))[1].family.name"
    assert inside(listen) == "AF_INET"  # its own loopback works
    assert inside("[i[1] for i in socket.if_nameindex()]") == ["lo"]
    assert os.readlink("/proc/self/ns/net") == inside("os.readlink('/proc/self/ns/net')", network=Network.HOST)


def test_set_user_id_programs_do_not_help() -> None:
    found = inside("[open(f'/proc/self/mountinfo').read().count('nosuid') > 3, attempt(lambda: os.setuid(0))[0]]")
    assert found == [True, "refused"]


def test_another_process_of_the_sandbox_cannot_be_looked_into() -> None:
    assert inside("attempt(lambda: open('/proc/1/mem', 'rb+').seek(4096))")[0] in ("refused", "done")
    assert inside(f"refused({NUMBERS['ptrace']}, 16, os.getppid(), 0, 0)") == "EPERM"


# What it may not use up.


def test_a_fork_bomb_ends_in_itself() -> None:
    source = """
        import os
        def handler():
            count = 0
            try:
                while True:
                    if os.fork() == 0:
                        while True:
                            try:
                                os.fork()
                            except OSError:
                                os._exit(0)
                    count += 1
            except OSError as error:
                return [type(error).__name__, count < 64]
    """

    async def story(house: House) -> object:
        revision = house.function(source)
        outcome = await house.run(await house.sandbox(revision), revision)
        other = house.function("def handler(): return 1")
        assert value(await house.run(await house.sandbox(other), other)) == 1
        return outcome

    assert value(visit(story, processes=32))[1] is True


@pytest.mark.parametrize("use_cgroups", [True, False])
def test_allocating_without_end_is_reported_as_that(use_cgroups: bool) -> None:  # noqa: FBT001
    source = """
        def handler():
            held = []
            while True:
                held.append(bytearray(b"x" * (1 << 20)))
    """
    outcome = call(source, memory_mb=64, options={"use_cgroups": use_cgroups})
    assert isinstance(outcome, SandboxGone | Failed)  # the rlimit may have been first, and Python could still tell
    assert outcome.code == "out_of_memory", outcome


def test_filling_tmp_hits_its_own_wall() -> None:
    source = """
        def handler():
            size = 0
            try:
                for i in range(1000):
                    with open(f"/tmp/{i}", "wb") as file:
                        file.write(bytes(1 << 20))
                    size += 1
            except OSError as error:
                return [error.errno, size < 16]
    """
    assert value(call(source, memory_mb=64, options={"space_mb": 8})) == [28, True]


def test_endless_output_is_cut_and_said_so() -> None:
    source = """
        def handler():
            for i in range(40_000):
                print("x" * 100)
            return "done"
    """

    async def story(house: House) -> str:
        revision = house.function(source)
        outcome = await house.run(await house.sandbox(revision), revision)
        assert isinstance(outcome, Ok)
        return house.printed()

    printed = visit(story, max_log_kb=64)
    assert len(printed) < 80_000
    assert "over 64 KB is dropped" in printed


def test_ignoring_every_signal_does_not_help() -> None:
    source = """
        import signal, os
        def handler():
            for number in range(1, 32):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except OSError:
                    pass
            return os.getpid()
    """

    async def story(house: House) -> None:
        revision = house.function(source)
        sandbox = await house.sandbox(revision)
        await house.run(sandbox, revision)
        house.runtime.kill(sandbox)
        await house.gone(sandbox)

    visit(story)


def test_a_gigabyte_back_is_refused() -> None:
    source = "def handler(): return bytes(1 << 30)"
    outcome = call(source, memory_mb=2048)
    assert getattr(outcome, "code", "") == "response_too_large", outcome


def test_a_forged_frame_of_a_gigabyte_ends_the_sandbox() -> None:
    source = """
        import os, struct, time
        def handler():
            os.write(4, struct.pack("<IBI", 1 << 30, 18, 1))
            time.sleep(60)
    """
    outcome = call(source)
    assert isinstance(outcome, SandboxGone)
    assert "frame of 1073741824 bytes" in outcome.message


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    names = ("test_process_escape.py", "test_process_filter.py", "test_process_calls.py", "test_process_lives.py")
    ordinary.run_again(*(Path(__file__).with_name(name) for name in names))

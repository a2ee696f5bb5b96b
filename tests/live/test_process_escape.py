"""What code inside a sandbox may not reach, and what it may not use up: each a real attempt from inside."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attacca.model.function import Network, Signature
from attacca.model.invocation import Failed, Ok
from attacca.worker.core.reports import SandboxGone
from attacca.worker.runtime.process.guest.seccomp import DENIED, DENIED_TO_SANDBOXES
from tests.live import ordinary
from tests.live.house import House, call, value, visit
from tests.live.syscalls import IS_X86, NUMBERS

TRY = """
    import ctypes, errno, os, socket, subprocess, sys
    libc = ctypes.CDLL(None, use_errno=True)
    def refused(*call):
        ctypes.set_errno(0)
        result = libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in call])
        return errno.errorcode.get(ctypes.get_errno(), "allowed") if result == -1 else "allowed"
    def attempt(work):
        try:
            return ["done", repr(work())]
        except BaseException as error:
            return ["refused", type(error).__name__]
"""


def inside(expression: str, **settings: Any) -> Any:
    """The value of an expression evaluated in a cold sandbox and, the same, in one forked from a template."""
    source = TRY + f"    def handler(): return [{expression}]\n"

    async def story(house: House) -> list[Any]:
        secret = house.state / "secret"
        secret.write_text("secret")
        revision = house.function(source, **settings)
        house.function("SECRET = 1", name="another")
        template = await house.template(revision)
        made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    cold, forked = visit(story)
    assert cold == forked
    return cold[0]


SYSCALLS = {
    "mount": "b'none', b'/tmp', b'tmpfs', 0, 0",
    "umount2": "b'/tmp', 2",
    "pivot_root": "b'/tmp', b'/tmp'",
    "chroot": "b'/tmp'",
    "ptrace": "0, 0, 0, 0",
    "process_vm_readv": "1, 0, 0, 0, 0, 0",
    "unshare user": "0x10000000",
    "unshare net": "0x40000000",
    "setns": "0, 0",
    "inotify_init1": "0",
    "inotify_add_watch": "0, b'/usr/bin', 0x20",
    "clone user": "0x10000011, 0, 0, 0, 0",
    "keyctl": "0, 0, 0, 0, 0",
    "bpf": "0, 0, 0",
    "perf_event_open": "0, 0, 0, 0, 0",
    "userfaultfd": "0",
    "io_uring_setup": "1, 0",
    "init_module": "0, 0, 0",
    "kexec_load": "0, 0, 0, 0",
    "clock_settime": "0, 0",
    "reboot": "0, 0, 0, 0",
    "open_by_handle_at": "0, 0, 0",
    "fsopen": "b'tmpfs', 0",
    "mount_setattr": "-100, b'/', 0, 0, 0",
}


def test_system_calls_that_reach_out_are_denied() -> None:
    calls = {name: f"{NUMBERS[name.split()[0]]}, {words}" for name, words in SYSCALLS.items()}
    calls["clone3"] = f"{NUMBERS['clone3']}, 0, 0"
    if IS_X86:
        calls["x32"] = str(0x40000000 + 39)
    found = inside("{" + ", ".join(f"{name!r}: refused({words})" for name, words in calls.items()) + "}")
    others = {name: answer for name, answer in found.items() if answer != "EPERM"}
    assert others == dict.fromkeys(calls.keys() - SYSCALLS.keys(), "ENOSYS")


def test_every_call_of_the_filter_is_denied_whatever_its_arguments() -> None:
    numbers = {name: both[0 if IS_X86 else 1] for name, both in {**DENIED, **DENIED_TO_SANDBOXES}.items()}
    calls = {name: number for name, number in numbers.items() if number is not None}
    found = inside(f"{{name: refused(number, *[-1] * 6) for name, number in {calls}.items()}}")
    assert found == dict.fromkeys(calls, "EPERM")


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
            *("bundle", "dev", "etc", "function", "proc", "tmp", "usr"),
            *(n for n in ("bin", "sbin", "lib", "lib32", "lib64", "libx32") if Path("/" + n).exists()),
            *({Path(os.path.realpath(sys.base_prefix)).parts[1]} - {"usr"}),
        ]
    )
    assert inside("[int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]") == []
    assert inside("[os.getpid() <= 2, os.getuid(), os.getgid(), os.listdir('/function')]")[:3] == [True, 1000, 1000]
    assert inside("sorted(set(os.listdir('/proc/self/fd')) - {'5'})") == ["0", "1", "2", "3", "4"]


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
    assert inside("attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW))")[0] == "refused"
    assert inside("attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM))")[0] == "refused"
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
    python = ordinary.python()
    if python is None:
        pytest.skip("no interpreter that an ordinary user may run has our packages")
    names = ("test_process_escape.py", "test_process_calls.py", "test_process_lives.py")
    files = [str(Path(__file__).with_name(name)) for name in names]
    root = ordinary.ROOT
    setting = ["-x", "-p", "no:cacheprovider", "--rootdir", str(root), "-c", str(root / "pyproject.toml")]
    command = [*ordinary.command(python), "-m", "pytest", *setting, *files]
    ran = subprocess.run(command, env=ordinary.environment(), cwd="/", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]


def test_signature_is_not_needed_to_be_denied() -> None:
    """An application on an event loop lives under the same filter."""
    source = (
        TRY
        + f"""
    async def handler(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError
        said = refused({NUMBERS["mount"]}, b"none", b"/tmp", b"tmpfs", 0, 0)
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": said.encode()}})
    """
    )
    outcome = call(source, signature=Signature.ASGI)
    assert isinstance(outcome, Ok)
    assert outcome.body == b"EPERM"

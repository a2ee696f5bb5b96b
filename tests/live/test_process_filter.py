"""System calls that code inside sandboxes is refused, each really made, and libraries that live without them."""

import json
import subprocess
import sys
import textwrap
from typing import Any

from attacca.model.function import Signature
from attacca.model.invocation import Ok
from attacca.worker.runtime.process.zygote import seccomp
from tests.live import ordinary
from tests.live.house import House, call, value, visit
from tests.live.inside import TRY, inside
from tests.live.syscalls import DONE, ENOSYS, EPERM, IS_X86, NUMBERS, X32

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
        calls["x32"] = str(X32 + 39)
    found = inside("{" + ", ".join(f"{name!r}: refused({words})" for name, words in calls.items()) + "}")
    others = {name: answer for name, answer in found.items() if answer != "EPERM"}
    assert others == dict.fromkeys(calls.keys() - SYSCALLS.keys(), "ENOSYS")


REFUSED = {name: error for error, names in (("EPERM", EPERM), ("ENOSYS", ENOSYS)) for name in names if name in NUMBERS}
UNKNOWN = (*range(472, 600), *range(X32, X32 + 64 if IS_X86 else X32))  # of numbers, and x32's
NAMED = {name: NUMBERS[name] for name in REFUSED}
TRY_ALL = f"{{name: refused(number, *[-1] * 6) for name, number in {NAMED}.items()}}"
TRY_UNKNOWN = f"sorted({{refused(number, *[-1] * 6) for number in {UNKNOWN}}})"
SOCKETS = """[attempt(lambda: socket.socket(*words).close()) for words in (
    (1, 1), (2, 1), (2, 2, 17), (10, 1, 6), (16, 3, 0), (16, 2, 0),
    (2, 3, 1), (2, 2, 1), (2, 1, 262), (2, 1, 132), (10, 4),
    (16, 3, 12), (16, 3, 6), (16, 2, 9), (16, 3, 15), (17, 3), (40, 1), (38, 5), (31, 1), (44, 3), (29, 3))]"""


def test_every_call_that_is_refused_is_refused_whatever_its_arguments() -> None:
    assert inside(TRY_ALL) == REFUSED
    assert inside(TRY_UNKNOWN) == ["ENOSYS"]
    assert inside(f"[refused(number, 0) for number in {[NUMBERS[name] for name in DONE]}]") == ["allowed"] * 2


def test_an_import_is_refused_what_a_sandbox_is_refused() -> None:
    """An import in a template, whose own filter this is."""
    source = TRY + f"    FOUND = [{TRY_ALL}, {TRY_UNKNOWN}, {SOCKETS}]\n    def handler(): return FOUND"

    async def story(house: House) -> Any:
        revision = house.function(source)
        template = await house.template(revision)
        return value(await house.run(await house.sandbox(revision, template.template), revision))

    refused, unknown, sockets = visit(story)
    assert (refused, unknown) == (REFUSED, ["ENOSYS"])
    assert sockets == inside(SOCKETS)


def test_sockets_are_those_of_the_internet_and_of_one_machine() -> None:
    found = [how if how == "done" else why for how, why in inside(SOCKETS)]
    assert found == ["done"] * 6 + ["PermissionError"] * 5 + ["OSError"] * 10


def test_what_is_asked_for_decides() -> None:
    calls = {
        "dnotify": f"{NUMBERS['fcntl']}, os.open('/usr', 0), 1026, 1",
        "lease": f"{NUMBERS['fcntl']}, os.open('/function/main.py', 0), 1024, 0",
        "a large pipe": f"{NUMBERS['fcntl']}, os.pipe()[1], 1031, 1 << 20",
        "a pipe": f"{NUMBERS['fcntl']}, os.pipe()[1], 1031, 4096",
        "typing": f"{NUMBERS['ioctl']}, 0, 0x5412, b'x'",
        "above a namespace": f"{NUMBERS['ioctl']}, os.open('/proc/self/ns/user', 0), 0xB702, 0",
        "not dumpable": f"{NUMBERS['prctl']}, 4, 0, 0, 0, 0",
        "core scheduling": f"{NUMBERS['prctl']}, 62, 1, 0, 0, 0",
        "merging": f"{NUMBERS['prctl']}, 67, 1, 0, 0, 0",
        "a filter": f"{NUMBERS['setsockopt']}, socket.socket().fileno(), 1, 26, bytes(16), 16",
        "a sibling": f"{NUMBERS['clone']}, 0x8011, 0, 0, 0, 0",
        "huge pages": f"{NUMBERS['mmap']}, 0, 1 << 21, 3, 0x40022, -1, 0",
        "huge memory files": f"{NUMBERS['memfd_create']}, b'x', 4",
    }
    found = inside("{" + ", ".join(f"{name!r}: refused({words})" for name, words in calls.items()) + "}")
    said = dict.fromkeys(calls, "EPERM") | dict.fromkeys(("dnotify", "lease", "core scheduling", "merging"), "EINVAL")
    assert found == said | {"a pipe": "allowed", "huge pages": "ENOMEM", "huge memory files": "EINVAL"}


def _under(*programs: bytes, names: dict[str, int], calls: dict[str, str]) -> dict[str, str]:
    """What the kernel says to calls in a process of ours under these filters, all of them."""
    installs = "".join(f"seccomp.install({code!r})\n" for code in programs)
    words = ", ".join(f"{name!r}: refused({call})" for name, call in calls.items())
    source = (
        f"import sys; sys.path.insert(0, {str(ordinary.ROOT)!r})\n"
        "from attacca.worker.runtime.process.zygote import linux, seccomp\n"
        f"{textwrap.dedent(TRY)}\nlinux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)\n{installs}"
        f"found = {{name: refused(number, *[-1] * 6) for name, number in {names}.items()}}\n"
        f"print(__import__('json').dumps(found | {{{words}}}))"
    )
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    told: dict[str, str] = json.loads(ran.stdout)
    return told


def test_the_filter_of_templates_that_enter_what_was_prepared() -> None:
    prepared, user = 0x6C020000, 0x10000000
    entering = {str(flags): f"{NUMBERS['setns']}, -1, {flags}" for flags in (prepared, user, 0x40000000, 0x20000)}
    other = {str(flags): f"{NUMBERS['setns']}, -1, {flags}" for flags in (0, prepared | user, 0x2000000, 0x80)}
    clones = {f"clone {flag}": f"{NUMBERS['clone']}, {flag | 17}, 0, 0, 0, 0" for flag in (user, 0x40000000, 0x20000)}
    calls = entering | other | clones
    theirs, rest = (seccomp.FOR_TEMPLATES, seccomp.FOR_FORKED_SANDBOXES)
    never = REFUSED | dict.fromkeys([*other, *clones], "EPERM")
    assert _under(theirs, names=NAMED, calls=calls) == never | dict.fromkeys(entering, "EBADF")
    assert _under(theirs, rest, names=NAMED, calls=calls) == never | dict.fromkeys(entering, "EPERM")


LIVING = """
    import asyncio, concurrent.futures, hashlib, mmap, multiprocessing, selectors, shutil, signal, socket, sqlite3
    import ssl, subprocess, sys, tempfile, threading, time
    from multiprocessing import shared_memory

    async def echo():
        async def answer(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"line\\n")
        said = await reader.readline()
        writer.close()
        server.close()
        ran = await asyncio.create_subprocess_exec("/bin/cat", stdin=-1, stdout=-1)
        return [said.decode(), (await ran.communicate(b"cat"))[0].decode(), await asyncio.to_thread(sum, [1, 2])]

    def stored():
        with tempfile.TemporaryDirectory() as place:
            base = sqlite3.connect(place + "/base")
            base.execute("pragma journal_mode=wal")
            base.execute("create table t (x)")
            base.execute("insert into t values (7)")
            base.commit()
            shutil.copy(place + "/base", place + "/copy")
            return base.execute("select x from t").fetchone()[0]

    def shared():
        lump = shared_memory.SharedMemory(create=True, size=8192)
        lump.buf[0] = 9
        found = lump.buf[0]
        lump.close()
        lump.unlink()
        return found

    def mapped():
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
            return list(pool.map(abs, [-1, -2]))

    def shell():
        return subprocess.run("echo one | tr o 0; kill -0 $$; ulimit -n > /dev/null", shell=True, capture_output=True,
                              text=True, check=True).stdout

    def handler():
        ssl.create_default_context()
        thread = threading.Thread(target=time.sleep, args=(0,))
        thread.start()
        thread.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return [asyncio.run(echo()), stored(), shared(), mapped(), shell(), bool(socket.getaddrinfo("localhost", 80))]
"""


def test_what_functions_live_on_is_allowed() -> None:
    async def story(house: House) -> list[Any]:
        revision = house.function(LIVING)
        template = await house.template(revision)
        made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    assert visit(story) == [[["line\n", "cat", 3], 7, 9, [1, 2], "0ne\n", True]] * 2


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

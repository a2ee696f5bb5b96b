"""How sandboxes made of processes come to be and how they end: templates, imports, deaths."""

import asyncio
import collections
import contextlib
import os
import signal
from pathlib import Path

import pytest

from attacca.model.function import Revision, Signature
from attacca.model.invocation import Invocation, Request
from attacca.worker.core.reports import RunBody, SandboxFailed, SandboxGone, TemplateFailed, TemplateReady
from tests.live.house import House, call, value, visit
from tests.live.patience import patiently

SOON_S = patiently(1.0)  # for an import that does not end by itself
ECHO = "def handler(name='world'): return {'hello': name}"

WHO = """
import os
def handler():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "pid", "ipc", "uts", "net")}
"""


def test_a_template_imports_once_and_every_sandbox_of_it_has_its_own_world() -> None:
    async def story(house: House) -> tuple[TemplateReady, list[dict[str, str]]]:
        revision = house.function("print('importing')\n" + WHO)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        sandboxes = [await house.sandbox(revision, template.template) for _ in range(2)]
        return template, [value(await house.run(sandbox, revision)) for sandbox in sandboxes]

    template, (one, two) = visit(story)
    assert (template.logs, template.handler, template.signature) == ("importing\n", "main:handler", Signature.NAMED)
    ours = {name: os.readlink(f"/proc/self/ns/{name}") for name in one}
    assert all(len({one[name], two[name], ours[name]}) == 3 for name in ours)


def test_chance_differs_between_sandboxes_of_a_template() -> None:
    """Also in OpenSSL, which tells forks apart by process id."""
    source = """
        import random, ssl, secrets, uuid, tempfile
        ssl.create_default_context()
        def handler():
            named = str(uuid.uuid4()), tempfile.mktemp()
            return [random.random(), ssl.RAND_bytes(16).hex(), secrets.token_hex(), *named]
    """

    async def story(house: House) -> list[list[object]]:
        revision = house.function(source)
        template = await house.template(revision)
        sandboxes = [await house.sandbox(revision, template.template) for _ in range(3)]
        return [value(await house.run(sandbox, revision)) for sandbox in sandboxes]

    for drawn in zip(*visit(story), strict=True):
        assert len(set(drawn)) == 3


def test_hooks_run_on_both_sides_of_the_fork() -> None:
    source = """
        import os
        story = []
        def before_template(): story.append("before")
        def after_fork(): story.append("after")
        def handler(): return story
    """

    async def story(house: House) -> object:
        revision = house.function(source)
        template = await house.template(revision)
        return value(await house.run(await house.sandbox(revision, template.template), revision))

    assert visit(story) == ["before", "after"]


def test_a_template_whose_import_starts_threads_says_that_it_cannot_be_forked() -> None:
    source = """
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        def handler(): return 1
    """

    async def story(house: House) -> object:
        return await house.template(house.function(source))

    template = visit(story)
    assert isinstance(template, TemplateReady)
    assert "1 thread" in template.unfit


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("def handler(:", "bad_function", "SyntaxError"),
        ("import nowhere_to_be_found", "bad_function", "No module named 'nowhere_to_be_found'"),
        ("x = 1", "bad_function", "main.py has no 'handler'"),
        ("raise SystemExit(3)", "bad_function", "SystemExit"),
        ("import os; os._exit(9)", "start_failed", "exited with status 9"),
        # what prepares places for its sandboxes meets a closed end before the process has ended
        ("import os, time; os.closerange(3, 99); time.sleep(0.2); os._exit(9)", "start_failed", "exited with status 9"),
        ("import time; time.sleep(60)", "timeout", f"longer than {SOON_S:g} s"),
        ("x = 1\nwhile True:\n    x += 1", "timeout", 'main.py", line'),
        ("b = bytearray(400 << 20)", "out_of_memory", "over its memory of 64 MB"),
    ],
)
def test_code_that_cannot_be_imported_is_refused_with_the_reason(source: str, code: str, says: str) -> None:
    async def story(house: House) -> object:
        return await house.template(house.function(source, memory_mb=64))

    report = visit(story, start_timeout_s=SOON_S, last_words_s=SOON_S)
    assert isinstance(report, TemplateFailed)
    assert (report.code, says in report.message + report.traceback) == (code, True), report


def test_a_cold_sandbox_that_cannot_import_says_why() -> None:
    async def story(house: House) -> object:
        house.runtime.make_sandbox("s", house.function("1/0"), None)
        return await house.until(lambda r: isinstance(r, SandboxFailed))

    report = visit(story)
    assert isinstance(report, SandboxFailed)
    assert report.code == "bad_function"
    assert "ZeroDivisionError" in report.message
    assert "main.py" in report.traceback


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\ndef handler(): os._exit(7)", "exited with status 7"),
        ("import os\ndef handler(): os.abort()", "killed by SIG"),
        (
            "import os\ndef handler():\n    os.closerange(0, 99)\n    import time\n    time.sleep(60)",
            "closed its channel",
        ),
        ("import os\ndef handler():\n    os.write(4, b'x' * 64)\n    import time\n    time.sleep(60)", "was killed"),
        ("import ctypes\ndef handler(): ctypes.string_at(0)", "killed by SIGSEGV"),
    ],
)
def test_a_process_that_dies_is_reported_with_its_end(source: str, says: str) -> None:
    outcome = call(source)
    assert isinstance(outcome, SandboxGone)
    assert (outcome.code, says in outcome.message) == ("sandbox_lost", True), outcome


def test_killing_a_sandbox_ends_everything_in_it() -> None:
    source = """
        import subprocess
        def handler():
            child = subprocess.Popen(["/bin/sleep", "1000.125"])
            while not open(f"/proc/{child.pid}/cmdline").read():  # between exec and its arguments being seen
                pass
    """

    async def story(house: House) -> None:
        revision = house.function(source)
        sandbox = await house.sandbox(revision)
        await house.run(sandbox, revision)
        assert running("1000.125") == 1
        house.runtime.kill(sandbox)
        await house.gone(sandbox)
        assert running("1000.125") == 0

    visit(story)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(argument: str) -> int:
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                count += argument in (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
    return count


def test_a_sandbox_that_dies_while_its_client_reads_slowly_is_reported_too() -> None:
    """Its channel is not read then, so that the end of the channel is seen only after that of the process."""
    source = """
        async def handler(scope, receive, send):
            if scope["type"] != "http":
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 60_000, "more_body": True})
    """

    async def story(house: House) -> str:
        revision = house.function(source, Signature.ASGI)
        sandbox = await house.sandbox(revision)
        house.runtime.run(sandbox, revision, Invocation("i", revision.function, revision.id, Request()))
        await house.until(lambda report: isinstance(report, RunBody))
        house.runtime.flow(sandbox, "i", paused=True)
        house.runtime.kill(sandbox)
        return (await house.gone(sandbox)).message

    assert visit(story) == "it was evicted"


def test_a_template_that_goes_takes_its_sandboxes_with_it() -> None:
    async def story(house: House) -> tuple[Revision, SandboxGone]:
        revision = house.function(ECHO)
        template = await house.template(revision)
        sandbox = await house.sandbox(revision, template.template)
        house.runtime.drop_template(template.template)
        await house.template_gone(template.template)
        return revision, await house.gone(sandbox)

    _, gone = visit(story)
    assert gone.code == "sandbox_lost"


def test_after_the_loss_of_the_zygote_there_is_another() -> None:
    async def story(house: House) -> object:
        revision = house.function(ECHO)
        sandbox = await house.sandbox(revision)
        supervisor = house.runtime._zygotes.indoors._supervisor
        assert supervisor is not None
        os.kill(children(supervisor.pid)[0], signal.SIGKILL)
        assert (await house.gone(sandbox)).code == "sandbox_lost"
        await house.runtime.ready()
        return value(await house.run(await house.sandbox(revision), revision, b'{"name":"again"}'))

    assert visit(story) == {"hello": "again"}


def test_without_isolation_functions_still_run_and_end() -> None:
    async def story(house: House) -> list[object]:
        revision = house.function(ECHO)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    assert visit(story, isolation="none", use_cgroups=False) == [{"hello": "world"}] * 2


def test_without_isolation_nobody_gains_privileges_either() -> None:
    source = "def handler(): return [l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs:')]"
    outcome = call(source, options={"isolation": "none", "use_cgroups": False})
    assert value(outcome) == ["1"]


def world() -> tuple[dict[str, int], int]:
    """The descriptors that this process holds, by kind, and the mounts that it sees."""
    held: collections.Counter[str] = collections.Counter()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            held[os.readlink(f"/proc/self/fd/{number}").partition("[")[0]] += 1
    return dict(held), len(Path("/proc/self/mounts").read_text().splitlines())


def test_a_thousand_births_and_deaths_leave_nothing() -> None:
    """What is opened once, as by a library at its first use, is no leak: some two hundred leave the world as it was."""

    async def story(house: House) -> list[tuple[object, object]]:
        revision = house.function(ECHO)
        template = await house.template(revision)

        async def cycle(count: int) -> None:
            for i in range(count):
                sandbox = await house.sandbox(revision, template.template if i % 2 else None)
                house.runtime.kill(sandbox)
                await house.gone(sandbox)
                house.reports.clear()

        async def some_two_hundred() -> tuple[object, object]:
            before = world()
            await cycle(200)
            groups = house.runtime.common.groups
            if groups is not None:
                # The template's own, and those that template and zygote wait in; at most one that was not yet free.
                assert all(len(next(os.walk(root))[1]) <= 4 for root in groups.roots())
            for _ in range(200):  # a thread may have a file of a group's open just now
                if world() == before:
                    break
                await asyncio.sleep(0.01)
            return before, world()

        await cycle(4)
        seen = [await some_two_hundred()]
        while seen[-1][0] != seen[-1][1] and len(seen) < 4:
            seen.append(await some_two_hundred())
        return seen

    seen = visit(story)
    assert seen[-1][0] == seen[-1][1], seen


def test_a_template_that_lets_go_of_its_channel_is_ended() -> None:
    source = """
        import os
        def before_template():
            if os.fork() == 0:
                return
            os._exit(0)
    """
    closes = """
        import threading, os, signal, time
        def close(*_):
            os.closerange(3, 100)
        signal.signal(signal.SIGVTALRM, close)
        def before_template():
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.signal(signal.SIGALRM, close)
        def handler(): return 1
    """

    async def story(house: House) -> object:
        template = await house.template(house.function(closes))
        assert isinstance(template, TemplateReady)
        await house.template_gone(template.template)
        return await house.template(house.function(source))

    report = visit(story, start_timeout_s=patiently(2.0))
    assert isinstance(report, TemplateFailed)

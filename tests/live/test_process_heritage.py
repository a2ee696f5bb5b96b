"""What a template's import has made besides memory: each sandbox has it as if it were cold, or is cold."""

import os
from typing import Any

import pytest

from attacca.worker.core.reports import TemplateReady
from tests.live import ordinary
from tests.live.house import House, value, visit

MADE_AND_HAD = {  # what the import does, and what two sandboxes after one another find
    "a file": ("held = open('main.py')", "return held.readline()", "import os\n"),
    "a file part read": ("held = open('main.py', 'rb', 0); held.seek(7)", "return held.read(2).decode()", "os"),
    "a descriptor": ("held = os.open('main.py', os.O_RDONLY)", "return os.read(held, 6).decode()", "import"),
    "a directory": ("held = os.open('.', os.O_RDONLY)", "return os.listdir(held).count('main.py')", 1),
    "flags": (
        "held = os.open('main.py', os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)",
        "return [os.get_inheritable(held), os.get_blocking(held)]",
        [False, False],
    ),
    "a device": ("held = open('/dev/urandom', 'rb')", "return len(held.read(3))", 3),
    "files for a while": (
        "os.makedirs('/tmp/a/b'); open('/tmp/a/b/x', 'w').write('kept'); os.symlink('a/b/x', '/tmp/l')\n"
        "os.chmod('/tmp/a/b/x', 0o640); open('/dev/shm/y', 'w').write('shm')",
        "found = [open('/tmp/l').read(), open('/dev/shm/y').read(), os.stat('/tmp/a/b/x').st_mode & 0o777]\n"
        "    open('/tmp/a/b/x', 'w').write('spoilt')\n    os.unlink('/dev/shm/y')\n    return found",
        ["kept", "shm", 0o640],
    ),
    "a file for a while, deleted": (
        "held = open('/tmp/z', 'w'); held.write('gone'); held.close(); held = open('/tmp/z'); os.unlink('/tmp/z')",
        "return held.read()",
        "gone",
    ),
    "a directory to work in": ("os.mkdir('/tmp/w'); os.chdir('/tmp/w')", "return [os.getcwd()]", ["/tmp/w"]),
    "a handler of a signal": (
        "got = []; signal.signal(signal.SIGCHLD, lambda *_: got.append(1))",
        "subprocess.run(['true']); return len(got)",
        1,
    ),
    "an executor that has ended": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as p:\n    held = list(p.map(abs, [-1]))",
        "return held",
        [1],
    ),
    "a process that has ended": ("subprocess.run(['true'])", "return 1", 1),
    "a loop that is closed": ("import asyncio; held = asyncio.run(asyncio.sleep(0, 3))", "return held", 3),
    "a lock": ("held = threading.RLock(); held.acquire()", "held.release(); return held.acquire(timeout=1)", True),
    "a stream of its own": ("sys.stdout = held = io.StringIO()", "print('x'); return held.getvalue()", "x\n"),
}
NOT_FORKED = {  # what the import does, and what is said of it
    "a thread": ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "started 1 thread"),
    "a timer": ("threading.Timer(60, print).start()", "started 1 thread"),
    "a process": ("held = subprocess.Popen(['sleep', '60'])", "started 1 process"),
    "a pool": ("import multiprocessing; held = multiprocessing.get_context('fork').Pool(2)", "started"),
    "a lock between processes": ("import multiprocessing; held = multiprocessing.Lock()", "memory for several"),
    "a value between processes": ("import multiprocessing; held = multiprocessing.Value('i')", "memory for several"),
    "shared memory": ("import mmap; held = mmap.mmap(-1, 4096)", "memory for several"),
    "a file to write to": ("held = open('/tmp/log', 'a')", "opened /tmp/log for writing"),
    "a database": (
        "import sqlite3; held = sqlite3.connect('/tmp/x.db'); held.execute('create table t(a)')",
        "/tmp/x.db",
    ),
    "a nameless file": ("import tempfile; held = tempfile.TemporaryFile()", "for writing"),
    "a memory file": ("held = os.memfd_create('x')", "for writing"),
    "a loop": ("import asyncio; held = asyncio.new_event_loop()", "opened a"),
    "a socket": ("held = socket.socket()", "opened a socket"),
    "a pipe": ("held = os.pipe()", "opened a pipe"),
    "a selector": ("import selectors; held = selectors.DefaultSelector()", "opened an event loop"),
    "a named pipe": ("os.mkfifo('/tmp/f')", "/tmp/f, which cannot be copied"),
    "much": ("open('/tmp/x', 'wb').write(bytes(17 << 20))", "left more than 16 MB"),
}
HEAD = "import os\nimport io, signal, socket, subprocess, sys, threading\n"


@pytest.mark.parametrize("what", MADE_AND_HAD)
def test_two_sandboxes_of_a_template_find_what_a_cold_one_finds(what: str) -> None:
    made, body, found = MADE_AND_HAD[what]

    async def story(house: House) -> list[Any]:
        revision = house.function(f"{HEAD}{made}\ndef handler():\n    return [look()]\ndef look():\n    {body}\n")
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        assert template.unfit == ""
        made_from = (None, template.template, template.template)
        sandboxes = [await house.sandbox(revision, parent) for parent in made_from]
        return [value(await house.run(sandbox, revision))[0] for sandbox in sandboxes]

    assert visit(story) == [found] * 3


@pytest.mark.parametrize("what", NOT_FORKED)
def test_what_a_fork_would_lack_or_share_is_named(what: str) -> None:
    made, says = NOT_FORKED[what]

    async def story(house: House) -> str:
        template = await house.template(house.function(f"{HEAD}{made}\ndef handler(): ...\n"))
        assert isinstance(template, TemplateReady)
        return template.unfit

    unfit = visit(story)
    assert unfit.startswith("its import ")
    assert says in unfit


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_a_function_that_makes_its_connections_anew_is_taken_at_its_word(isolation: str) -> None:
    source = """
        import os
        held = os.pipe()
        def after_fork():
            global held
            held = os.pipe()
        def handler():
            os.write(held[1], b"own")
            return os.read(held[0], 3).decode() + "."
    """

    async def story(house: House) -> object:
        revision = house.function(source)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        assert template.unfit == ""
        outcome = await house.run(await house.sandbox(revision, template.template), revision)
        return outcome.body  # type: ignore[union-attr]

    assert visit(story, isolation=isolation) == b"own."


def test_an_application_with_an_event_loop_is_forked_from() -> None:
    source = """
        import asyncio
        async def handler(scope, receive, send): ...
    """

    async def story(house: House) -> object:
        return await house.template(house.function(source, concurrency=10))

    template = visit(story)
    assert isinstance(template, TemplateReady)
    assert template.unfit == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="is the ordinary user already")
def test_the_same_without_privileges() -> None:
    ordinary.run_again(__file__)

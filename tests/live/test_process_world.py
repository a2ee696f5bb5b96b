"""The world that a function finds: what a script would see that `python3 main.py` runs."""

import os
import sys
from typing import Any

import pytest

from attacca.model.function import Signature
from attacca.model.invocation import FunctionError, Ok
from attacca.model.messages import Logged
from attacca.worker.core.reports import SandboxGone, TemplateReady
from tests.live import ordinary
from tests.live.house import House, call, value, visit
from tests.live.inside import inside


def both(source: str, *, options: dict[str, Any] | None = None, **settings: Any) -> list[Any]:
    """What a handler returns in a cold sandbox and in one forked from a template."""

    async def story(house: House) -> list[Any]:
        revision = house.function(source, **settings)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        assert not template.unfit
        made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    return visit(story, **(options or {}))


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_argv_and_main_are_the_scripts(isolation: str) -> None:
    source = """
        import sys
        IMPORTED = list(sys.argv), sys.modules["__main__"].__file__
        def handler():
            now = list(sys.argv), sys.modules["__main__"].__file__
            return [IMPORTED == now, [name.rpartition("/")[2] for name in sys.argv], sys.orig_argv[1:] == sys.argv]
    """
    assert both(source, options={"isolation": isolation}) == [[True, ["main.py"], True]] * 2


def test_the_flags_are_an_ordinary_interpreters() -> None:
    flags = inside("{name: getattr(sys.flags, name) for name in sys.flags.__match_args__}")
    odd = {name: flag for name, flag in flags.items() if flag not in (0, False)}
    assert set(odd) <= {"hash_randomization", "int_max_str_digits", "gil", "context_aware_warnings"}, odd
    assert inside("subprocess._args_from_interpreter_flags()") == []


def test_children_are_the_same_interpreter_and_find_what_the_function_finds() -> None:
    said = "subprocess.run({}, capture_output=True, text=True).stdout.strip()"
    look = "import main, sys; print(sys.version_info[:3], sys.flags.isolated)"
    expected = f"{tuple(sys.version_info[:3])} 0"
    for python in ("sys.executable", "'python3'", "'python'"):
        assert inside(said.format(f"[{python}, '-c', {look!r}]")) == expected
    assert inside(said.format("['python3', '-m', 'json.tool', '/dev/null']")) == ""
    assert inside("[type(exit).__name__, type(quit).__name__]") == ["Quitter"] * 2
    assert inside("__import__('site').getsitepackages() != []") is True


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("isolation", ["process", "none"])
def test_multiprocessing_starts_its_children_in_every_way(how: str, isolation: str) -> None:
    source = f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        def square(n):
            return n * n
        def handler():
            context = multiprocessing.get_context({how!r})
            lock, count = context.Lock(), context.Value("i", 0)
            with context.Pool(1) as pool:
                found = pool.map_async(square, [1, 2, 3]).get(timeout=20)
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                return found + list(executor.map(square, [4], timeout=20))
    """
    assert value(call(source, options={"isolation": isolation})) == [1, 4, 9, 16]


def test_shared_memory_is_shared_with_children() -> None:
    source = """
        import multiprocessing
        from multiprocessing.shared_memory import SharedMemory
        def write(name):
            memory = SharedMemory(name)
            memory.buf[0] = 7
            memory.close()
        def handler():
            memory = SharedMemory(create=True, size=64)
            child = multiprocessing.get_context("spawn").Process(target=write, args=(memory.name,))
            child.start(), child.join(20)
            found = memory.buf[0]
            memory.close(), memory.unlink()
            return found
    """
    assert value(call(source)) == 7


def test_what_children_print_inherits_the_output() -> None:
    source = """
        import subprocess, sys
        def handler():
            subprocess.run([sys.executable, "-c", "print('of a child')"])
    """

    async def story(house: House) -> None:
        revision = house.function(source)
        await house.run(await house.sandbox(revision), revision)
        await house.until(lambda r: isinstance(r, Logged) and "of a child" in r.text)

    visit(story)


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_variables_that_an_interpreter_obeys_are_obeyed(isolation: str) -> None:
    source = """
        import asyncio, faulthandler, locale, sys, time, tracemalloc, warnings
        from shop.core import price
        def handler():
            try:
                warnings.warn("old", DeprecationWarning)
                warned = False
            except DeprecationWarning:
                warned = True
            loop = asyncio.new_event_loop()
            found = [loop.get_debug(), faulthandler.is_enabled(), tracemalloc.is_tracing(), warned]
            zone, source = time.strftime("%Z", time.localtime(1720000000)), sys.path[1].removeprefix(sys.path[0])
            return [*found, zone, price(), source]
    """
    env = {
        "TZ": "Europe/Prague",
        "PYTHONPATH": "/function/src:/nowhere",
        "PYTHONASYNCIODEBUG": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONTRACEMALLOC": "2",
        "PYTHONWARNINGS": "error::DeprecationWarning",
    }

    async def story(house: House) -> Any:
        revision = house.function(source, env=env)
        package = house.state / "code" / revision.artefact.digests[0] / "src" / "shop"
        package.mkdir(parents=True)
        (package / "core.py").write_text("def price(): return 48.5")
        return value(await house.run(await house.sandbox(revision), revision))

    assert visit(story, isolation=isolation) == [True, True, True, True, "CEST", 48.5, "/src"]


def test_variables_that_come_too_late_are_named_to_whoever_sets_them() -> None:
    async def story(house: House) -> Any:
        env = {"PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "1", "TZ": "Europe/Pragu", "OTHER": "1"}
        return await house.template(house.function("def handler(): ...", env=env))

    template = visit(story)
    assert isinstance(template, TemplateReady)
    assert [note.split()[0] for note in template.notes] == ["PYTHONHASHSEED", "PYTHONOPTIMIZE", "TZ:"]


def test_what_other_platforms_always_set_is_set_and_may_be_overridden() -> None:
    names = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_LAMBDA_LOG_GROUP_NAME", "_HANDLER", "K_SERVICE", "HOME", "TMPDIR")
    found = inside(
        f"[os.environ[name] for name in {names}]", name="shop", env={"AWS_REGION": "eu-1", "HOME": "/function"}
    )
    assert found == ["eu-1", "us-east-1", "/attacca/shop", "main.handler", "shop", "/function", "/tmp"]
    assert inside("os.path.isdir(os.environ['LAMBDA_RUNTIME_DIR'])") is True


# Output.


def test_nothing_that_is_done_to_stdout_ends_a_sandbox() -> None:
    source = """
        import contextlib, faulthandler, io, logging, os, sys
        def handler(what):
            out = sys.stdout
            if what == "levels":
                logging.addLevelName(25, "ň" * 300)
                logging.getLogger().log(25, "of a level")
            elif what == "bytes":
                try:
                    out.write(b"")
                except TypeError:
                    out.buffer.write(b"as bytes\\n")
            elif what == "redirect":
                with contextlib.redirect_stdout(io.StringIO()) as kept:
                    print("kept")
                return kept.getvalue()
            elif what == "fault":
                faulthandler.dump_traceback(sys.stderr)
            elif what == "wrap":
                sys.stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8", line_buffering=True)
                print("wrapped")
            elif what == "original":
                print("original", file=sys.__stdout__)
            elif what == "lines":
                print("\\n" * 10_000)
            elif what == "close":
                out.close()
            elif what == "none":
                sys.stdout = None
                print("nowhere")
            elif what == "descriptors":
                os.close(1), os.close(2)
            return what
    """
    everything = [
        "levels",
        "bytes",
        "redirect",
        "fault",
        "wrap",
        "original",
        "lines",
        "close",
        "none",
        "descriptors",
        "",
    ]

    async def story(house: House) -> list[Any]:
        revision = house.function(source)
        sandbox = await house.sandbox(revision)
        found = []
        for what in everything:
            outcome = await house.run(sandbox, revision, b'{"what":"%s"}' % what.encode())
            assert isinstance(outcome, Ok), (what, outcome)
            found.append(outcome.body.decode())
        printed = house.printed()
        assert all(text in printed for text in ("as bytes\n", "wrapped\n", "original\n", "\n" * 10_000)), printed[-500:]
        assert house.printed("ň" * 32) == "root: of a level\n"
        return found

    assert visit(story) == [what if what != "redirect" else "kept\n" for what in everything]


def test_what_was_made_of_stdout_at_import_writes_with_each_invocation_in_every_sandbox() -> None:
    source = """
        import logging, sys
        log = logging.getLogger("shop")
        log.propagate = False
        log.setLevel("INFO")
        log.addHandler(logging.StreamHandler(sys.stdout))
        def handler():
            log.info("sold")
    """

    async def story(house: House) -> None:
        revision = house.function(source)
        template = await house.template(revision)
        sandbox = await house.sandbox(revision, template.template)
        for _ in range(2):
            await house.run(sandbox, revision)
        logged = [r for r in house.reports if isinstance(r, Logged)]
        assert [r.text for r in logged] == ["sold\n"] * 2
        assert len({r.invocation for r in logged}) == 2

    visit(story)


def test_a_thread_writes_after_the_answer_and_while_others_answer() -> None:
    source = """
        import threading, time
        ended = threading.Event()
        def talk():
            for number in range(300):
                print(f"late {number}\\n", end="")  # in one write: what several threads print in pieces is mixed
            ended.wait()
            print("last\\n", end="")
        def handler(end=False):
            threading.Thread(target=talk, daemon=True).start()
            if end:
                ended.set()
            return "answered"
    """

    async def story(house: House) -> None:
        revision = house.function(source)
        sandbox = await house.sandbox(revision)
        for _ in range(3):
            assert (await house.run(sandbox, revision)).body == b"answered"  # type: ignore[union-attr]
        await house.run(sandbox, revision, b'{"end":true}')
        await house.until(lambda _: house.printed().count("last\n") == 4 and house.printed().count("late 299\n") == 4)

    visit(story)


# What a handler does to its process.


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("pid = os.fork()\n    if pid == 0: return 1\n    return os.waitpid(pid, 0)[1]", 0),
        ("pid = os.fork()\n    if pid == 0: sys.exit(3)\n    return end_of(pid)", 3),
        ("pid = os.fork()\n    if pid == 0: 1 / 0\n    return end_of(pid)", 1),
        ("pid = os.fork()\n    if pid == 0: os._exit(5)\n    return end_of(pid)", 5),
        ("signal.signal(signal.SIGTERM, lambda *_: got.append(1)); os.kill(os.getpid(), 15); return len(got)", 1),
        ("signal.signal(signal.SIGALRM, lambda *_: got.append(1)); signal.setitimer(0, 0.01)\n"
         "    signal.pause(); return len(got)", 1),
        ("signal.signal(signal.SIGCHLD, lambda *_: got.append(1)); subprocess.run(['true']); return len(got)", 1),
        ("r, w = os.pipe(); os.close(r)\n    try: os.write(w, b'x')\n    except BrokenPipeError: return 1", 1),
        ("atexit.register(print, 'x'); return 1", 1),
        ("os.chdir('/tmp'); return [os.getcwd()]", ["/tmp"]),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); return 1", 1),
        ("sys.setrecursionlimit(5000); return sys.getrecursionlimit()", 5000),
        ("import asyncio; return asyncio.run(asyncio.sleep(0, 4))", 4),
        ("threading.excepthook = lambda a: got.append(1); t = threading.Thread(target=lambda: 1 / 0)\n"
         "    t.start(); t.join(); return len(got)", 1),
    ],
)  # fmt: skip
def test_a_sandbox_lives_through(body: str, answer: object) -> None:
    source = "import atexit, os, resource, signal, subprocess, sys, threading\ngot = []\n"
    source += "def end_of(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
    source += f"def handler(again=False):\n    if again: return 'alive'\n    {body}\n"

    async def story(house: House) -> None:
        revision = house.function(source)
        template = await house.template(revision)
        for sandbox in (await house.sandbox(revision), await house.sandbox(revision, template.template)):
            assert value(await house.run(sandbox, revision)) == answer
            assert (await house.run(sandbox, revision, b'{"again":true}')).body == b"alive"  # type: ignore[union-attr]

    visit(story)


def test_a_child_of_an_application_prints_past_its_channel_and_answers_nobody() -> None:
    source = """
        import multiprocessing, os
        def talk():
            for number in range(1000):
                print("of a child", number)
        async def handler(scope, receive, send):
            if scope["type"] != "http":
                raise ValueError
            child = multiprocessing.get_context("fork").Process(target=talk)
            child.start()
            child.join()
            pid = os.fork()
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if pid else 0
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"%d %d" % (child.exitcode, status)})
    """

    async def story(house: House) -> None:
        revision = house.function(source, Signature.ASGI)
        sandbox = await house.sandbox(revision)
        for _ in range(2):
            assert (await house.run(sandbox, revision)).body == b"0 0"  # type: ignore[union-attr]
        await house.until(lambda _: house.printed().count("of a child 999\n") == 2)

    visit(story)


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "RecursionError"])
def test_what_ends_a_program_is_an_error_of_one_invocation(kind: str) -> None:
    async def story(house: House) -> tuple[object, object]:
        revision = house.function(f"def handler(x):\n    if x: raise {kind}('enough')\n    return 1")
        sandbox = await house.sandbox(revision)
        return await house.run(sandbox, revision, b'{"x":1}'), await house.run(sandbox, revision, b'{"x":0}')

    failed, fine = visit(story)
    assert isinstance(failed, FunctionError)
    assert failed.type == kind
    assert value(fine) == 1


def test_a_process_that_ends_itself_is_lost() -> None:
    outcome = call("import os\ndef handler(): os._exit(3)")
    assert isinstance(outcome, SandboxGone)
    assert (outcome.code, "status 3" in outcome.message) == ("sandbox_lost", True)


def test_six_megabytes_go_in_and_come_out() -> None:
    body = b'{"x":"' + b"a" * (6 << 20) + b'"}'
    assert value(call("def handler(x): return {'x': x}", body)) == {"x": "a" * (6 << 20)}


@pytest.mark.skipif(os.geteuid() != 0, reason="is the ordinary user already")
def test_the_same_without_privileges() -> None:
    ordinary.run_again(__file__)

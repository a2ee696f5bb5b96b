"""Sandboxes made of processes: what a function gets, what it sends back, and how its life ends."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from attacca.model.function import Revision, Signature
from attacca.model.invocation import Failed, FunctionError, Ok
from attacca.worker.core.reports import Logged, RunHead, SandboxFailed, SandboxGone, TemplateFailed, TemplateReady
from tests.live.house import House, call, value, visit

ECHO = "def handler(name='world'): return {'hello': name}"
WHO = """
import os
def handler():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "pid", "ipc", "uts", "net")}
"""


@pytest.mark.parametrize(
    ("signature", "source", "body", "answer"),
    [
        (Signature.NAMED, ECHO, b'{"name":"bob"}', {"hello": "bob"}),
        (Signature.NAMED, ECHO, b"", {"hello": "world"}),
        (Signature.ARGS, "def handler(args): return args", b'{"a":1}', {"a": 1}),
        (
            Signature.EVENT_CONTEXT,
            "def handler(event, context): return [event, context.function_name]",
            b"[1]",
            [[1], "f"],
        ),
        (Signature.NAMED, "async def handler(x): return x + 1", b'{"x":1}', 2),
    ],
)
def test_every_signature_is_called_as_it_wants(signature: Signature, source: str, body: bytes, answer: object) -> None:
    assert value(call(source, body, signature, name="f")) == answer


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_sandbox_serves_many_invocations_one_after_another(concurrency: int) -> None:
    async def story(house: House) -> list[object]:
        revision = house.function(
            "n = 0\ndef handler():\n    global n\n    n += 1\n    return n", concurrency=concurrency
        )
        sandbox = await house.sandbox(revision)
        return [value(await house.run(sandbox, revision)) for _ in range(5)]

    assert visit(story) == [1, 2, 3, 4, 5]


def test_invocations_overlap_in_a_sandbox_that_allows_it() -> None:
    """Each waits for the other: alone, neither would ever end."""
    source = """
        import threading
        both = threading.Barrier(2)
        def handler():
            return both.wait(10) in (0, 1)
    """

    async def story(house: House) -> list[object]:
        revision = house.function(source, concurrency=2)
        sandbox = await house.sandbox(revision)
        return [value(o) for o in await asyncio.gather(*(house.run(sandbox, revision) for _ in range(2)))]

    assert visit(story) == [True, True]


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
    """Also in OpenSSL, which tells forks apart by pid: every sandbox is pid 1."""
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
        ("import time; time.sleep(60)", "timeout", "longer than 1 s"),
        ("b = bytearray(400 << 20)", "out_of_memory", "over its memory of 64 MB"),
    ],
)
def test_code_that_cannot_be_imported_is_refused_with_the_reason(source: str, code: str, says: str) -> None:
    async def story(house: House) -> object:
        return await house.template(house.function(source, memory_mb=64))

    report = visit(story, start_timeout_s=1.0)
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


def test_a_user_exception_leaves_the_sandbox_alive() -> None:
    async def story(house: House) -> tuple[object, object]:
        revision = house.function("def handler(x):\n    print('about to fail')\n    return {'is': 1 / x}")
        sandbox = await house.sandbox(revision)
        return await house.run(sandbox, revision, b'{"x":0}'), await house.run(sandbox, revision, b'{"x":1}')

    failed, fine = visit(story)
    assert isinstance(failed, FunctionError)
    assert (failed.type, failed.message) == ("ZeroDivisionError", "division by zero")
    assert 'File "/function/main.py", line 3, in handler' in failed.traceback
    assert "guest" not in failed.traceback
    assert value(fine) == {"is": 1.0}


@pytest.mark.parametrize(
    ("source", "body", "code", "says"),
    [
        (ECHO, b'{"nam":"x"}', "bad_request", "unknown 'nam'; the function takes 'name'"),
        ("def handler(a, b): ...", b'{"a":1}', "bad_request", "missing 'b'"),
        ("def handler(): return object()", b"", "bad_response", "object"),
        ("def handler(): return {'statusCode': 99}", b"", "bad_response", "statusCode"),
        ("def handler(): return b'x' * (3 << 20)", b"", "response_too_large", "3.1 MB"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(source: str, body: bytes, code: str, says: str) -> None:
    outcome = call(source, body, options={"max_response_mb": 2})
    assert isinstance(outcome, Failed)
    assert (outcome.code, says in outcome.message) == (code, True), outcome


@pytest.mark.parametrize(
    ("returned", "body", "kind", "status"),
    [
        ("{'a': 'ü'}", '{"a": "ü"}'.encode(), "application/json", 200),
        ("None", b"null", "application/json", 200),
        ("b'\\x00\\xff'", b"\x00\xff", "application/octet-stream", 200),
        ("'text'", b"text", "text/plain; charset=utf-8", 200),
        ("{'statusCode': 418, 'body': 'no', 'headers': {'Content-Type': 'text/html'}}", b"no", "text/html", 418),
        ("{'statusCode': 200, 'body': 'AAE=', 'isBase64Encoded': True}", b"\x00\x01", "text/plain; charset=utf-8", 200),
    ],
)
def test_what_is_returned_becomes_an_answer(returned: str, body: bytes, kind: str, status: int) -> None:
    outcome = call(f"def handler(): return {returned}")
    assert isinstance(outcome, Ok)
    assert (outcome.body, outcome.content_type, outcome.status) == (body, kind, status)


def test_output_is_captured_with_its_invocation() -> None:
    source = """
        import logging, subprocess, sys
        def handler(n):
            print("printed", n)
            print("warned", n, file=sys.stderr)
            logging.getLogger("mine").info("logged %s", n)
            subprocess.run(["/bin/echo", "child", str(n)], check=True)
    """

    async def story(house: House) -> list[tuple[str, str, str]]:
        revision = house.function(source)
        sandbox = await house.sandbox(revision)
        await house.run(sandbox, revision, b'{"n":1}')
        await house.until(lambda r: isinstance(r, Logged) and "child" in r.text)
        return [(r.invocation, r.stream, r.text) for r in house.reports if isinstance(r, Logged)]

    logged = visit(story)
    texts = {stream: text for _, stream, text in logged if "child" not in text}
    assert texts == {"stdout": "printed 1\n", "stderr": "warned 1\n", "info": "mine: logged 1\n"}
    assert ("stdout", "child 1\n") in [(stream, text) for _, stream, text in logged]
    assert len({invocation for invocation, _, text in logged if "child" not in text}) == 1


ASGI = """
    import asyncio
    started = []
    async def handler(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            started.append(1)
            await send({"type": "lifespan.startup.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        head = {"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/x"), (b"x-a", b"1")]}
        await send(head)
        if scope["path"] == "/stream":
            for i in range(3):
                await send({"type": "http.response.body", "body": b"part%d " % i, "more_body": True})
        text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {started} {len(body)}"
        await send({"type": "http.response.body", "body": text.encode()})
"""


def test_an_asgi_application_is_served_whole_and_in_pieces() -> None:
    async def story(house: House) -> tuple[object, object, tuple[list[RunHead], bytes]]:
        revision = house.function(ASGI, Signature.ASGI, concurrency=4)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        assert template.signature is Signature.ASGI
        sandbox = await house.sandbox(revision, template.template)
        whole = await house.run(sandbox, revision, b"abc", method="PUT", path="/x%20y", query="a=1")
        parts = await house.run(sandbox, revision, b"abc", path="/stream")
        return whole, parts, house.streamed()

    whole, parts, (heads, body) = visit(story)
    assert isinstance(whole, Ok)
    assert isinstance(parts, Ok)
    assert (whole.status, whole.content_type, whole.headers) == (201, "text/x", ((b"x-a", b"1"),))
    assert whole.body == b"PUT /x y a=1 [1] 3"
    assert parts.streamed
    assert (heads[0].status, heads[0].headers) == (201, ((b"content-type", b"text/x"), (b"x-a", b"1")))
    assert body == b"part0 part1 part2 POST /stream  [1] 3"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\ndef handler(): os._exit(7)", "exited with status 7"),
        ("import os\ndef handler(): os.abort()", "killed by SIG"),
        (
            "import os\ndef handler():\n    os.closerange(0, 99)\n    import time\n    time.sleep(60)",
            "closed its channel",
        ),
        ("import os\ndef handler():\n    os.write(3, b'x' * 64)\n    import time\n    time.sleep(60)", "was killed"),
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
        keeper = house.runtime._nursery._keeper
        assert keeper is not None
        os.kill(children(keeper.pid)[0], signal.SIGKILL)
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


def test_a_thousand_births_and_deaths_leave_nothing() -> None:
    def world() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(Path("/proc/self/mounts").read_text().splitlines())

    async def story(house: House) -> tuple[tuple[int, int], tuple[int, int]]:
        revision = house.function(ECHO)
        template = await house.template(revision)

        async def cycle(count: int) -> None:
            for i in range(count):
                sandbox = await house.sandbox(revision, template.template if i % 2 else None)
                house.runtime.kill(sandbox)
                await house.gone(sandbox)
                house.reports.clear()

        await cycle(4)
        before = world()
        await cycle(200)
        groups = house.runtime._groups
        if groups is not None:
            assert [len(next(os.walk(root))[1]) for root in groups.roots()] == [1] * len(
                groups.roots()
            )  # the template's
        return before, world()

    before, after = visit(story)
    assert before == after


def test_json_travels_unchanged() -> None:
    sent = {"a": [1, 2.5, None, True, "ü\u0000😀"], "b": {"c": {}}}
    body = json.dumps({"x": sent}).encode()
    assert value(call("def handler(x): return x", body)) == sent

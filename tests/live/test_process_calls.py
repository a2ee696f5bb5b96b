"""What a function gets from a process sandbox, and what becomes of what it sends back."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from attacca.model.function import Signature
from attacca.model.invocation import Failed, FunctionError, Ok
from attacca.model.messages import Logged
from attacca.worker.core.reports import RunHead, TemplateFailed, TemplateReady
from tests.live.house import House, call, value, visit

ECHO = "def handler(name='world'): return {'hello': name}"


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
        ("def handler(): return {'x': float('nan')}", b"", "bad_response", "JSON"),
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


@pytest.mark.parametrize("name", ["string", "json", "time"])
def test_a_file_that_pythons_own_module_hides_is_not_taken_for_it(name: str) -> None:
    async def story(house: House) -> object:
        revision = house.function("")
        (house.state / "code" / revision.artefact.digests[0] / f"{name}.py").write_text("def handler(): return 1")
        return await house.template(msgspec.structs.replace(revision, handler=name + ":handler"))

    failed = visit(story)
    assert isinstance(failed, TemplateFailed)
    assert "has the name of a module of Python's own" in str(failed)


UNSPEAKABLE = """
    class Unspeakable(Exception):
        def __str__(self): raise TypeError("no text")
"""


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        ("def handler(): raise Unspeakable()", {}),
        ("def handler(): raise Unspeakable()", {"concurrency": 2}),
        ("async def handler(): raise Unspeakable()", {"concurrency": 2}),
        ("async def handler(scope, receive, send): raise Unspeakable()", {"signature": Signature.ASGI}),
    ],
)
def test_an_exception_without_a_text_is_an_exception(source: str, settings: dict[str, Any]) -> None:
    outcome = call(UNSPEAKABLE + "    " + source, **settings)
    assert isinstance(outcome, FunctionError), outcome
    assert (outcome.type, outcome.message) == ("Unspeakable", "<exception str() failed>")


@pytest.mark.parametrize("settings", [{}, {"concurrency": 2}])
@pytest.mark.parametrize("body", ["abc", "\u00e9\u00e9\u00e9\u00e9", "!!!!"])
def test_a_body_that_is_not_base64_is_told_so(body: str, settings: dict[str, Any]) -> None:
    outcome = call(
        f"def handler(): return {{'statusCode': 200, 'isBase64Encoded': True, 'body': {body!r}}}", **settings
    )
    assert isinstance(outcome, Failed), outcome
    assert (outcome.code, "base64" in outcome.message) == ("bad_response", True)


def test_what_is_raised_after_the_answer_is_in_the_log() -> None:
    source = """
        async def handler(scope, receive, send):
            if scope["type"] != "http":
                return
            await send({"type": "http.response.start", "status": 500})
            await send({"type": "http.response.body", "body": b"Internal Server Error"})
            raise ValueError("for the server to log")  # as Starlette's ServerErrorMiddleware does
    """

    async def story(house: House) -> str:
        revision = house.function(source, Signature.ASGI)
        sandbox = await house.sandbox(revision)
        assert isinstance(await house.run(sandbox, revision), Ok)
        await house.until(lambda r: isinstance(r, Logged) and "ValueError" in r.text)
        return house.printed("error")

    told = visit(story)
    assert "main.py" in told
    assert "for the server to log" in told


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
        path = scope["path"].removeprefix(scope["root_path"])
        if path == "/stream":
            for i in range(3):
                await send({"type": "http.response.body", "body": b"part%d " % i, "more_body": True})
        text = f"{scope['method']} {path} {scope['query_string'].decode()} {started} {len(body)}"
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


def test_json_travels_unchanged() -> None:
    sent = {"a": [1, 2.5, None, True, "ü\u0000😀"], "b": {"c": {}}}
    body = json.dumps({"x": sent}).encode()
    assert value(call("def handler(x): return x", body)) == sent

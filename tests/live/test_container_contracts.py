"""Images that speak otherwise than by HTTP on $PORT: what is asked of them, what they answer, and how they fail."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Self

import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Revision, SecretAs, Settings, Signature
from attacca.model.invocation import Failed, FunctionError, Ok
from attacca.worker.core.reports import SandboxGone, TemplateFailed, TemplateReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live import needed, python_image
from tests.live.test_container_conformance import OneImage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
HANDLER = """
def handler(event, context):
    if isinstance(event, dict) and "wrong" in event:
        raise KeyError(event["wrong"])
    return {"event": event, "name": context.function_name, "left": context.get_remaining_time_in_millis() > 0}
"""
SERVER = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    looks = 0
    def answer(self, status, told):
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        Handler.looks += 1
        if self.path == "/_/health":
            self.answer(503 if Handler.looks < 3 else 200, {})
        elif os.environ.get("DOING") == "broken":
            self.answer(500, {"Status": "code import error", "user_error": "no module named zebra"})
        else:
            self.answer(200, {"Status": "OK"})
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/invoke":
            self.answer(200, {"looks": Handler.looks, "secret": open("/var/openfaas/secrets/key").read()})
        elif told.get("wrong"):
            self.answer(422, {"user_error": "Traceback\\nKeyError: 'x'", "was_cold": False})
        elif told.get("nonsense"):
            self.answer(200, ["no agent's"])
        else:
            self.answer(200, {"user_result": json.dumps({"body": told, "port": os.environ["__IL_PORT"]})})
http.server.HTTPServer(("", int(os.environ.get("port") or os.environ["__IL_PORT"])), Handler).serve_forever()
"""
AGENT = """
import json, os, socket, struct
where = os.environ["__IL_SOCKET"]
listener = socket.socket(socket.AF_UNIX)
listener.bind(where)
listener.listen(8)
if os.environ.get("DOING") == "deaf-port":  # as gunicorn's, whose worker is busy with the socket
    socket.create_server(("", int(os.environ["__IL_PORT"])))
while True:
    client, _ = listener.accept()
    stream = client.makefile("rwb")
    while head := stream.read(16):
        command, size = struct.unpack("=QQ", head)
        told = json.loads(stream.read(size) or b"{}")
        if command == 0 and os.environ.get("DOING") == "broken":
            answer = {"Status": "code import error", "user_error": "no module named zebra"}
        elif command == 0:
            answer = {"Status": "OK"}
        elif told.get("wrong"):
            answer = {"user_error": "KeyError: 'x'", "was_cold": False}
        elif told.get("drop"):
            break
        elif told.get("exit"):
            os._exit(1)
        else:
            answer = {"user_result": json.dumps({"body": told}), "was_cold": False}
        data = json.dumps(answer).encode()
        stream.write(struct.pack("=Q", len(data)) + data)
        stream.flush()
    stream.close()
    client.close()
"""
IMPORTED = python_image.LOADED.replace("import sys,", "import sys, http.server, json, struct,")
BY_CRUN = ContainerOptions(engine="crun")


class Speaking:
    """A runtime with one image that speaks so."""

    def __init__(self, directory: Path, program: str, told: ContainerOptions = BY_CRUN, **options: Any) -> None:
        if told is BY_CRUN:
            needed.expect("crun")
        image = python_image.unpacked(directory / "image", program, **options)
        self.runtime = ContainerRuntime(OneImage(image), told, ProcessOptions(), SystemClock(), lambda _: b"hidden")
        self.bench = Bench(self.runtime)

    def revision(self, signature: Signature = Signature.WSGI, **settings: Any) -> Revision:
        return Revision(
            function="box", number=3, settings=Settings(name="box", memory_mb=96, **settings), handler="x",
            signature=signature, artefact=Image(python_image.DIGEST),
        )  # fmt: skip

    async def found(self, **settings: Any) -> TemplateReady:
        report = await self.bench.born(self.bench.make_template(self.revision(**settings)))
        assert isinstance(report, TemplateReady), report
        return report

    async def said(self, sandbox: str, revision: Revision, body: bytes) -> Any:
        return (await self.bench.ended(self.bench.run(sandbox, revision, body))).outcome

    async def __aenter__(self) -> Self:
        await self.runtime.open(self.bench.witness.hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runtime.close()
        assert self.bench.witness.wrong == []


def test_one_that_is_made_for_lambda_asks_for_its_events(tmp_path: Path) -> None:
    asks_for_its_events(tmp_path, BY_CRUN)


def asks_for_its_events(place: Path, told: ContainerOptions) -> None:
    async def main() -> None:
        async with Speaking(place, HANDLER, told, module="awslambdaric") as speaking:
            assert (await speaking.found()).signature is Signature.EVENT_CONTEXT
            revision = speaking.revision(Signature.EVENT_CONTEXT)
            sandbox = await speaking.bench.sandbox(revision)
            for number in range(3):
                outcome = await speaking.said(sandbox, revision, b'{"n": %d}' % number)
                assert isinstance(outcome, Ok), outcome
                assert json.loads(outcome.body) == {"event": {"n": number}, "name": "box", "left": True}
            wrong = await speaking.said(sandbox, revision, b'{"wrong": "no such key"}')
            assert isinstance(wrong, FunctionError), wrong
            assert (wrong.type, wrong.message) == ("KeyError", "'no such key'")
            assert isinstance(refused := await speaking.said(sandbox, revision, b"{"), Failed)
            assert refused.code == "bad_request"
            assert isinstance(await speaking.said(sandbox, revision, b"[]"), Ok)

    asyncio.run(main())


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with Speaking(tmp_path, "import zebra", module="awslambdaric") as speaking:
            failed = await speaking.bench.born(speaking.bench.make_template(speaking.revision()))
            assert isinstance(failed, TemplateFailed)
            assert failed.code == "bad_function"
            assert "zebra" in failed.message
            several = speaking.revision(concurrency=2)
            failed = await speaking.bench.born(speaking.bench.make_template(several))
            assert isinstance(failed, TemplateFailed)

    asyncio.run(main())


def test_a_watchdog_is_well_before_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_image, "LOADED", IMPORTED)

    async def main() -> None:
        labels = {"attacca.contract": "openfaas"}
        async with Speaking(tmp_path, SERVER, labels=labels) as speaking:
            revision = speaking.revision(secrets={"key": SecretAs.FILE})
            sandbox = await speaking.bench.sandbox(revision)
            outcome = await speaking.said(sandbox, revision, b"{}")
            assert isinstance(outcome, Ok), outcome
            assert json.loads(outcome.body) == {"looks": 3, "secret": "hidden"}

    asyncio.run(main())


def test_an_agent_of_iluvatar_is_asked_by_its_own_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_image, "LOADED", IMPORTED)

    async def main() -> None:
        labels = {"attacca.contract": "iluvatar"}
        async with Speaking(tmp_path, SERVER, labels=labels) as speaking:
            assert (await speaking.found()).signature is Signature.ARGS
            revision = speaking.revision(Signature.ARGS)
            sandbox = await speaking.bench.sandbox(revision)
            outcome = await speaking.said(sandbox, revision, b'{"a": 1}')
            assert json.loads(outcome.body) == {"body": {"a": 1}, "port": "8080"}
            wrong = await speaking.said(sandbox, revision, b'{"wrong": true}')
            assert wrong == FunctionError("Error", "KeyError: 'x'", "Traceback\nKeyError: 'x'")
            assert (await speaking.said(sandbox, revision, b'{"nonsense": true}')).code == "bad_response"
            broken = speaking.revision(env={"DOING": "broken"})
            failed = await speaking.bench.born(speaking.bench.make_template(broken))
            assert isinstance(failed, TemplateFailed)
            assert failed.code == "bad_function"
            assert "zebra" in failed.message

    asyncio.run(main())


def test_an_agent_of_iluvatar_is_asked_over_its_socket_where_that_is_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_image, "LOADED", IMPORTED)

    async def main() -> None:
        labels = {"attacca.contract": "iluvatar"}
        async with Speaking(tmp_path, AGENT, labels=labels) as speaking:
            assert (await speaking.found(env={"DOING": "deaf-port"})).signature is Signature.ARGS
            revision = speaking.revision(Signature.ARGS)
            sandbox = await speaking.bench.sandbox(revision)
            for number in range(3):
                outcome = await speaking.said(sandbox, revision, b'{"n": %d}' % number)
                assert json.loads(outcome.body) == {"body": {"n": number}}
            wrong = await speaking.said(sandbox, revision, b'{"wrong": true}')
            assert wrong == FunctionError("Error", "KeyError: 'x'", "KeyError: 'x'")
            dropped = await speaking.said(sandbox, revision, b'{"drop": true}')
            assert (dropped.code, "closed its socket" in dropped.message) == ("bad_response", True)
            runs = [speaking.bench.run(sandbox, revision, b'{"n": 7}') for _ in range(2)]
            assert [(await speaking.bench.ended(run)).outcome for run in runs] == [Ok(b'{"body": {"n": 7}}')] * 2
            ended = speaking.bench.run(sandbox, revision, b'{"exit": true}')
            assert isinstance(
                await speaking.bench.witness.until(lambda one: isinstance(one, SandboxGone), "it"), SandboxGone
            )
            assert not [one for one in speaking.bench.witness.heard if getattr(one, "invocation", "") == ended]
            broken = speaking.revision(env={"DOING": "broken"})
            failed = await speaking.bench.born(speaking.bench.make_template(broken))
            assert isinstance(failed, TemplateFailed)
            assert (failed.code, "zebra" in failed.message) == ("bad_function", True)

    asyncio.run(main())

import asyncio
import json
from typing import Any, cast

import msgspec
import pytest

from attacca.control.core.labels import settings
from attacca.errors import BadConfig, BadFunction
from attacca.guest.payload import BadInput
from attacca.kernel.clock import ManualClock
from attacca.model.function import EventShape, Image, Revision, Settings, Signature
from attacca.model.image import Contract, ImageConfig
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Request
from attacca.worker.runtime.container import contracts
from attacca.worker.runtime.container.lambda_api import LambdaApi, Line
from attacca.worker.runtime.container.translation import event_of, outcome_of, refused, unwrapped
from attacca.worker.runtime.container.upstream import Question
from tests.cases import each


def revision(event: EventShape | None = None) -> Revision:
    return Revision(
        function="box", number=2, settings=Settings(name="box", event=event, timeout_s=2.0), handler="main.handler",
        signature=Signature.EVENT_CONTEXT, artefact=Image("a"),
    )  # fmt: skip


@each(
    "config, contract",
    [
        (ImageConfig(cmd=("/bin/serve",)), None),
        (ImageConfig(), None),
        (ImageConfig(entrypoint=("/lambda-entrypoint.sh",), cmd=("app.handler",)), Contract.LAMBDA),
        (ImageConfig(entrypoint=("python3", "-m", "awslambdaric"), cmd=("app.handler",)), Contract.LAMBDA),
        (ImageConfig(entrypoint=("/var/task/bootstrap",)), Contract.LAMBDA),
        (ImageConfig(entrypoint=("serve", "bootstrap")), None),
        (ImageConfig(entrypoint=("fwatchdog",)), Contract.OPENFAAS),
        (ImageConfig(cmd=("x",), env=("fprocess=cat",)), Contract.OPENFAAS),
        (ImageConfig(entrypoint=("fwatchdog",), labels={"attacca.contract": "http"}), Contract.HTTP),
        (ImageConfig(labels={"attacca.contract": "iluvatar"}), Contract.ILUVATAR),
    ],
)
def test_a_contract_is_seen_by_what_an_image_runs_and_its_label_wins(
    config: ImageConfig, contract: Contract | None
) -> None:
    assert config.contract is contract


def test_a_label_that_names_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadFunction, match="'grpc'") as refused:
        _ = ImageConfig(labels={"attacca.contract": "grpc"}).contract
    assert refused.value.hint == "it may be one of http, lambda, openfaas, iluvatar, iluvatar-unix, guest"


def test_its_label_is_no_setting_of_the_function() -> None:
    assert settings("box", {"attacca.contract": "lambda", "attacca.memory_mb": "96"}).memory_mb == 96
    with pytest.raises(BadConfig):
        settings("box", {"attacca.contracts": "lambda"})


def test_a_program_is_told_what_its_contract_says() -> None:
    image = ImageConfig(entrypoint=("/bootstrap",), cmd=("app.handler",), env=("AWS_REGION=eu-south-1",))
    told = contracts.variables(Contract.LAMBDA, image, revision(), 8080)
    assert (told["_HANDLER"], told["AWS_LAMBDA_FUNCTION_NAME"], told["AWS_REGION"]) == (
        "app.handler",
        "box",
        "eu-south-1",
    )
    assert contracts.variables(Contract.OPENFAAS, image, revision(), 81) == {"port": "81"}
    agent = contracts.variables(Contract.ILUVATAR, image, revision(), 82)
    assert (agent["__IL_PORT"], agent["GUNICORN_CMD_ARGS"]) == ("82", "--workers=1 --timeout=2 --bind=0.0.0.0:82")
    assert contracts.variables(None, image, revision(), 8080) == {}
    assert contracts.configured(ImageConfig(), Contract.ILUVATAR).command == ("gunicorn", "server:app")
    assert contracts.configured(image, Contract.ILUVATAR) is image
    assert contracts.secret_paths(Contract.OPENFAAS, "a") == ["/run/secrets/a", "/var/openfaas/secrets/a"]
    assert contracts.secret_paths(None, "a") == ["/run/secrets/a"]
    found = contracts.event(Signature.EVENT_CONTEXT, EventShape.HTTP), contracts.event(Signature.WSGI, EventShape.HTTP)
    assert found == (EventShape.HTTP, EventShape.PLAIN)


def asked(body: bytes, kind: str = "application/json") -> Invocation:
    return Invocation("i1", "box", "box@2", Request(body=body, content_type=kind, query="q=1", path="/p"))


def test_an_event_is_json_whatever_came() -> None:
    assert event_of(asked(b'{"a": 1}'), revision()) == b'{"a": 1}'
    assert event_of(asked(b""), revision()) == b'{"q": "1"}'
    assert event_of(asked(b"[1]"), revision(), is_object=True) == b'{"body": [1]}'
    whole = json.loads(event_of(asked(b"x", "text/plain"), revision(EventShape.API_GATEWAY_V2)))
    assert (whole["rawPath"], whole["body"], whole["requestContext"]["requestId"]) == ("/p", "x", "i1")
    for body, kind in ((b"{", "application/json"), (b"\xff\x00", "image/png")):
        with pytest.raises(BadInput):
            event_of(asked(body, kind), revision())


def test_a_result_is_an_answer_as_a_handlers_is() -> None:
    assert outcome_of({"a": 1}, revision()) == Ok(b'{"a": 1}')
    told = {"statusCode": 201, "headers": {"X": "y"}, "body": "z"}
    assert outcome_of(told, revision()) == Ok(b"z", "text/plain; charset=utf-8", 201, ((b"X", b"y"),))
    assert outcome_of("z", revision(EventShape.API_GATEWAY_V2)) == Ok(b"z")
    failed = outcome_of({"statusCode": 999}, revision())
    assert isinstance(failed, Failed)
    assert failed.code == "bad_response"


def test_an_agent_of_iluvatar_wraps_what_it_says() -> None:
    assert unwrapped(Ok(b'{"user_result": "[1]", "was_cold": true}')) == Ok(b"[1]")
    assert unwrapped(Ok(b'{"user_error": "Traceback\\nE: x"}', status=422)) == FunctionError(
        "Error", "E: x", "Traceback\nE: x"
    )
    for body in (b"<html>", b"{}", b'{"platform_error": "no JSON"}'):
        told = unwrapped(Ok(body, status=500))
        assert isinstance(told, Failed)
        assert told.code == "bad_response"


class Wire:
    """A transport that takes all that it is told."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def close(self) -> None:
        self.is_closed = True


NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"


def posted(path: str, body: bytes) -> bytes:
    return b"POST /2018-06-01/runtime/%b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


class Desk:
    def __init__(self) -> None:
        self.ended: list[tuple[str, Any]] = []
        self.api = LambdaApi(revision(), 100, ManualClock(5.0), lambda name, result: self.ended.append((name, result)))
        self.wire = Wire()
        self.line = Line(self.api, 100)
        self.line.connection_made(cast(asyncio.BaseTransport, self.wire))

    def says(self, data: bytes) -> list[str]:
        """The status lines that come back."""
        self.wire.said.clear()
        self.line.data_received(data)
        return [one.partition(b"\r\n")[0].decode() for one in self.wire.said]


def test_a_program_asks_for_its_events_and_says_what_came_of_each() -> None:
    desk = Desk()
    assert repr(desk.api) == "<LambdaApi idle, 1 connections>"
    assert desk.says(NEXT) == []
    assert repr(desk.api) == "<LambdaApi asked, 1 connections>"
    desk.api.ask("i1", b"[1]")
    head, _, body = desk.wire.said.pop().partition(b"\r\n\r\n")
    assert body == b"[1]"
    assert b"Lambda-Runtime-Aws-Request-Id: i1\r\nLambda-Runtime-Deadline-Ms: 7000\r\n" in head
    assert repr(desk.api) == "<LambdaApi at i1, 1 connections>"
    assert desk.says(posted("invocation/i2/response", b"2")) == ["HTTP/1.1 400 Bad Request"]
    assert desk.says(posted("invocation/i1/response", b"2")) == ["HTTP/1.1 202 Accepted"]
    desk.api.ask("i2", b"[2]")
    assert desk.says(NEXT) == ["HTTP/1.1 200 OK"]
    desk.says(posted("invocation/i2/error", b'{"errorType": "Sad", "errorMessage": "so"}'))
    assert desk.ended[0] == ("i1", 2)
    assert outcome_of(desk.ended[1][1], revision()) == FunctionError("Sad", "so")


def test_who_asks_for_the_next_event_has_not_answered_the_last() -> None:
    desk = Desk()
    desk.says(NEXT)
    desk.api.ask("i1", b"1")
    desk.says(NEXT)
    assert (desk.ended[0][0], type(desk.ended[0][1]).__name__) == ("i1", "Runtime.NoAnswer")
    desk.line.connection_lost(None)
    desk.api.ask("i2", b"2")
    assert repr(desk.api) == "<LambdaApi idle, 0 connections>"


def test_what_is_no_request_of_this_api_is_refused() -> None:
    desk = Desk()
    assert desk.says(posted("init/error", b'{"errorType": "Import"}')) == ["HTTP/1.1 202 Accepted"]
    assert desk.api.asked.is_set()
    assert type(desk.api.init_error).__name__ == "Import"
    assert desk.says(b"GET /else HTTP/1.1\r\n\r\n") == ["HTTP/1.1 404 Not Found"]
    assert desk.says(b"nonsense\r\n\r\n") == ["HTTP/1.1 400 Bad Request"]
    assert desk.wire.is_closed
    assert repr(desk.line).startswith("<Line open, ")


def test_a_question_of_our_own_has_one_answer() -> None:
    async def main() -> None:
        await asyncio.sleep(0)
        question = Question()
        assert repr(question) == "<Question asked>"
        question.head(503, ())
        question.data(b"no")
        question.end()
        question.broken("late")
        assert await question.answer == (503, b"no")
        assert repr(question) == "<Question answered>"
        broken = Question()
        broken.broken("it hung up")
        with pytest.raises(ConnectionError):
            await broken.answer

    asyncio.run(main())


def test_what_an_image_says_of_itself_is_read_with_its_labels() -> None:
    raw = b'{"Entrypoint": ["/a"], "Labels": {"attacca.contract": "lambda"}}'
    assert msgspec.json.decode(raw, type=ImageConfig).contract is Contract.LAMBDA


def test_an_agent_of_iluvatar_may_lay_a_socket_where_it_is_told_to() -> None:
    told = contracts.variables(Contract.ILUVATAR_UNIX, ImageConfig(), revision(), 8080)
    assert told["GUNICORN_CMD_ARGS"] == "--workers=1 --timeout=0 --bind=0.0.0.0:8080"
    [place] = contracts.mounts(Contract.ILUVATAR)
    assert told["__IL_SOCKET"] == f"{place['destination']}/sock"
    assert "size=64k" in place["options"]
    assert [contracts.mounts(one) for one in (None, Contract.HTTP)] == [[], []]


def test_what_an_agent_says_of_itself_over_its_socket() -> None:
    assert refused(b'{"Status": "OK"}') is None
    assert refused(b'{"Status": "code import error", "user_error": "why"}') == "code import error: why"
    assert refused(b"[") == "'['"

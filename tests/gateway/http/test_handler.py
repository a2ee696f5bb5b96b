"""The seam bears: another dialect is a class of a few lines, and everything that HTTP asks for is there already.

It is a small piece of AWS Lambda's Invoke API: an address of its own, an error told in the body of a 200 and named in a
field, and an invocation whose answer nobody waits for.
"""

from collections.abc import Sequence

import msgspec

from attacca.errors import AttaccaError, BadRequest
from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import response
from attacca.gateway.http.handler import Action, Handler, Invoke, Refuse, Serve
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Headers, Whole
from attacca.model.invocation import FunctionError, Ok, Outcome
from tests.gateway.http.stage import Stage
from tests.gateway.wire import CHUNKED, get, post

PREFIX, SUFFIX = b"/2015-03-31/functions/", b"/invocations"


class Lambda:
    """Invocations in Lambda's way, the rest by `after`."""

    def __init__(self, after: Handler) -> None:
        self._after = after

    def handle(self, head: Head, ends: Ends) -> Action:
        if not head.url.startswith(PREFIX):
            return self._after.handle(head, ends)
        name = head.url.removeprefix(PREFIX).removesuffix(SUFFIX).decode()
        if head.named.get(b"x-amz-invocation-type") == b"DryRun":
            return Serve(Whole(204, [], b""))
        if head.method != b"POST":
            return Refuse(BadRequest("it is asked for with POST", ""))
        return Invoke(name, content_type=head.content_type, told=Says())


class Says:
    def outcome(self, outcome: Outcome, taken: Inflight) -> Whole:
        request = (b"x-amzn-requestid", taken.id.encode())
        if isinstance(outcome, Ok):
            return Whole(200, [request, *response.of_outcome(outcome).fields], outcome.body)
        said = outcome.message if isinstance(outcome, FunctionError) else outcome.code
        return Whole(200, [request, (b"x-amz-function-error", b"Unhandled")], _json(errorMessage=said))

    def error(self, error: AttaccaError, taken: Inflight | None) -> Whole:
        return Whole(error.status, [(b"x-amzn-errortype", error.code.encode())], _json(Message=error.message))

    def head(self, headers: Headers, taken: Inflight) -> Fields:
        return [(b"x-amzn-requestid", taken.id.encode()), *response.clean(headers)]


def _json(**values: str) -> bytes:
    return msgspec.json.encode(values)


def stage(config: GatewayConfig | None = None) -> Stage:
    return Stage(config, handler=Lambda)


def call(name: str, body: bytes, *lines: str) -> bytes:
    return post(f"{PREFIX.decode()}{name}{SUFFIX.decode()}", body, *lines)


def names(fields: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    return {name for name, _ in fields}


def test_an_invocation_and_its_answer_in_another_dialect() -> None:
    here = stage()
    line = here.connect()
    for body in (b"1", b"2", b"3"):
        answer = line.ask(call("echo", body))
        assert (answer.status, answer.body) == (200, body)
        assert (b"x-amzn-requestid", here.last.encode()) in answer.fields
        assert not names(answer.fields) & {b"x-attacca-start", b"server-timing"}
    assert line.ask(post("/function/echo", b"own")).body == b"own", "attacca's own addresses stay"


def test_errors_are_told_in_its_way() -> None:
    here = stage()
    here.worker.answers["f"] = lambda request: FunctionError("ValueError", "no")
    answer = here.connect().ask(call("f", b"{}"))
    assert (answer.status, answer.body) == (200, b'{"errorMessage":"no"}')
    assert answer.all(b"x-amz-function-error") == [b"Unhandled"]
    missing = here.connect().ask(call("nobody", b"{}"))
    assert (missing.status, missing.all(b"x-amzn-errortype")) == (404, [b"not_found"])
    here.worker.answers["f"] = lambda request: Ok(headers=((b"a b", b""),))
    assert here.connect().ask(call("f", b"{}")).all(b"x-amzn-errortype") == [b"bad_response"]


def test_limits_and_refusals_are_those_of_everybody() -> None:
    here = stage(GatewayConfig(max_body_mb=0.001))
    large = here.connect().ask(call("echo", b"x" * 2000))
    assert (large.status, large.all(b"x-amzn-errortype")) == (413, [b"payload_too_large"])
    early = here.connect().ask(call("echo", b"x" * 2000)[:-1])
    assert (early.status, early.closes) == (413, False)
    path = f"{PREFIX.decode()}echo{SUFFIX.decode()}"
    stranger = get(path, method="POST").replace(b"localhost", b"evil.example")
    assert here.connect().ask(stranger).all(b"x-amzn-errortype") == [b"forbidden"]
    assert here.worker.dispatched == []


def test_it_may_answer_by_itself_and_its_functions_in_pieces() -> None:
    here = stage()
    line = here.connect()
    assert line.ask(call("echo", b"{}", "X-Amz-Invocation-Type: DryRun")).status == 204
    assert line.ask(get(f"{PREFIX.decode()}echo")).status == 400
    path = f"{PREFIX.decode()}stream{SUFFIX.decode()}"
    line.send(get(path, CHUNKED, method="POST") + b"2\r\nhi\r\n0\r\n\r\n")
    here.start()
    here.head((b"x-one", b"1"))
    here.piece(b"one")
    here.end(Ok(streamed=True))
    answer = line.answer()
    assert (answer.body, answer.all(b"x-one")) == (b"one", [b"1"])
    assert answer.all(b"x-amzn-requestid") == [here.last.encode()]

"""Calls whose answers are fetched later: /async-function/NAME, /calls/ID, and requests with an Idempotency-Key."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from attacca.errors import AttaccaError, BadRequest, BadResponse, MethodNotAllowed, NotFound
from attacca.gateway.async_calls import AsyncCalls
from attacca.gateway.http import response
from attacca.gateway.http.asgi_adapter import Answers
from attacca.gateway.http.delivery import Delivery
from attacca.gateway.http.handler import Action, Deliver, Invoke, Refuse
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Whole
from attacca.model.async_call import AsyncCall, Kind, Record, State
from attacca.model.invocation import Call, Failed, FunctionError, Ok, Outcome, Request

ASYNC_FUNCTION, CALLS = "/async-function/", "/calls/"
KEY = b"idempotency-key"
CALLBACK = b"x-attacca-callback-url"
KEY_MOST = 255
REPLAYED = (b"idempotency-replayed", b"true")
CALL_ID = re.compile(r"[0-9a-f]{32}")
TAKEN_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")  # a key says nothing there


class AsyncRoutes:
    """Asked by `routes.Routes`, for what is no ordinary invocation."""

    def __init__(self, calls: AsyncCalls, *, hides_token: bool) -> None:
        """`hides_token`: what stands in Authorization is this server's own, and is not kept."""
        self._calls = calls
        self._hides_token = hides_token

    def __repr__(self) -> str:
        return f"<AsyncRoutes to {self._calls!r}>"

    def is_here(self, path: str) -> bool:
        return path.startswith((ASYNC_FUNCTION, CALLS))

    # What is to be done.

    def call(self, head: Head, plan: Invoke, caller: str) -> Action:
        """For /async-function: `plan` is what would be invoked at /function."""
        if head.verb not in TAKEN_METHODS:
            return Refuse(MethodNotAllowed(f"{head.verb} has no answer to fetch later", "use POST"))
        callback = head.named.get(CALLBACK, b"").decode("latin-1")
        try:
            if callback:
                self._calls.callbacks.expect(callback)
            key = key_of(head, plan.function, caller)
        except BadRequest as error:
            return Refuse(error)
        return Deliver(plan.function, partial(self._accept, plan, Kind.ASYNC, key, callback))

    def keyed(self, head: Head, plan: Invoke, caller: str) -> Action:
        """For /function with an Idempotency-Key."""
        if head.verb in SAFE_METHODS:
            return plan
        try:
            key = key_of(head, plan.function, caller)
        except BadRequest as error:
            return Refuse(error)
        return Deliver(plan.function, partial(self._accept, plan, Kind.KEYED, key, ""), plan)

    def fetch(self, head: Head, path: str, query: str) -> Action:
        """For /calls."""
        name, _, part = path.removeprefix(CALLS).partition("/")
        if CALL_ID.fullmatch(name) is None or part not in ("", "result"):
            return Refuse(unknown(name))
        if head.verb == "DELETE" and not part:
            return Deliver("", lambda _, answers: self._cancel(name, answers))
        if head.verb not in ("GET", "HEAD"):
            return Refuse(
                MethodNotAllowed(f"{path} cannot be asked for with {head.verb}", "use GET, or DELETE to cancel")
            )
        try:
            wait_s = self._wait_s(query)
        except BadRequest as error:
            return Refuse(error)
        show = self._result if part else self._status
        return Deliver("", lambda _, answers: _later(answers, lambda: show(name, wait_s)))

    def _wait_s(self, query: str) -> float:
        asked = dict(parse_qsl(query)).get("wait", "0")
        try:
            wait_s = float(asked)
        except ValueError:
            wait_s = -1.0
        if not 0 <= wait_s < float("inf"):
            raise BadRequest(f"wait={asked[:20]} is no number of seconds", "?wait=10")
        return min(wait_s, self._calls.config.wait_s)

    # Doing it.

    def _accept(self, plan: Invoke, kind: Kind, key: str, callback: str, body: bytes, answers: Answers) -> Delivery:
        headers = plan.headers
        if self._hides_token:
            headers = tuple((name, value) for name, value in headers if name != b"authorization")
        request = Request(
            body, plan.content_type, plan.method, plan.path, plan.query, headers, client=plan.client, port=plan.port,
            scheme=plan.scheme,
        )  # fmt: skip
        now = self._calls.wall()
        call = AsyncCall(
            id=self._calls.new_id(), function=plan.function, kind=kind, at=now, due=now, size=len(body),
            callback=callback, key=key, fingerprint=fingerprint(kind, request, callback) if key else "",
        )  # fmt: skip
        delivery = Keyed(answers) if kind is Kind.KEYED else Taking(answers)
        self._calls.ask(call, request, delivery)
        return delivery

    def _cancel(self, name: str, answers: Answers) -> Delivery:
        delivery = Taking(answers)
        self._calls.cancel(name, delivery)
        return delivery

    async def _look(self, name: str, wait_s: float) -> tuple[Record, bool]:
        """
        Raises:
            NotFound: no gateway has it.
        """
        found = await self._calls.look(name, wait_s)
        if found is None or found[0].call.kind is Kind.KEYED:
            raise unknown(name)
        return found

    async def _status(self, name: str, wait_s: float) -> Whole:
        record, is_running = await self._look(name, wait_s)
        shown = status(record, is_running=is_running)
        return Whole(200, [(b"content-type", response.JSON)], msgspec.json.encode(shown))

    async def _result(self, name: str, wait_s: float) -> Whole:
        record, _ = await self._look(name, wait_s)
        call, outcome = record.call, record.outcome
        if outcome is None:
            if call.state is State.CANCELLED:
                raise NotFound(f"call {name} was cancelled, and has no answer")
            return Whole(202, [(b"content-type", response.JSON), (b"retry-after", b"1")], pending(call))
        return rendered(call, outcome)


def _later(answers: Answers, work: Callable[[], Awaitable[Whole]]) -> Delivery:
    delivery = Delivery(answers)
    task = asyncio.get_running_loop().create_task(delivery.finish(work))
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)
    return delivery


TASKS: set[asyncio.Task[None]] = set()  # the loop itself holds them only weakly


class Taking(Delivery):
    """Waits for a call to be accepted, or to be cancelled."""

    __slots__ = ()

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None:
        fields: Fields = [
            (b"content-type", response.JSON),
            (b"location", b"/calls/" + call.id.encode()),
            (b"x-attacca-call-id", call.id.encode()),
        ]
        self.respond(Whole(202, [*fields, REPLAYED] if is_repeat else fields, pending(call)))

    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None:
        raise AssertionError("nobody waits for this answer here")

    def rejected(self, error: AttaccaError) -> None:
        self.reject(error)

    def cancelled(self, call: str) -> None:
        shown = {"id": call, "status": State.CANCELLED.value}
        self.respond(Whole(200, [(b"content-type", response.JSON)], msgspec.json.encode(shown)))


class Keyed(Delivery):
    """Waits for the answer."""

    __slots__ = ()

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None:
        raise AssertionError("a keyed request is answered, not accepted")

    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None:
        answer = rendered(call, outcome)
        self.respond(Whole(answer.status, [*answer.fields, REPLAYED], answer.body) if is_repeat else answer)

    def rejected(self, error: AttaccaError) -> None:
        self.reject(error)

    def cancelled(self, call: str) -> None:
        raise AssertionError("a keyed request has no name to cancel it by")


# What is said.


def rendered(call: AsyncCall, outcome: Outcome) -> Whole:
    """As the function answered, and beside it which invocation that was."""
    try:
        answer = response.of_outcome(outcome)
    except BadResponse as error:
        answer = response.of_error(error)
    fields = (
        [*answer.fields, (b"x-attacca-call-id", call.id.encode())] if call.kind is not Kind.KEYED else answer.fields
    )
    return Whole(answer.status, [*fields, *(trace(call.tries[-1]) if call.tries else ())], answer.body)


def trace(last: Call) -> Fields:
    fields = [(b"x-attacca-invocation-id", last.id.encode())]
    if last.start is None:
        return fields
    spent = last.timing
    parts = {name: getattr(spent, name) for name in spent.__struct_fields__} | {"total": last.total_ms}
    timing = ", ".join(f"{name};dur={value:.3f}" for name, value in parts.items())
    return [*fields, (b"x-attacca-start", last.start.encode()), (b"server-timing", timing.encode())]


def pending(call: AsyncCall) -> bytes:
    return msgspec.json.encode({"id": call.id, "function": call.function, "status": call.state.value})


def status(record: Record, *, is_running: bool) -> dict[str, Any]:
    """What GET /calls/ID says. Times in seconds since 1970."""
    call = record.call
    shown: dict[str, Any] = {
        "id": call.id,
        "function": call.function,
        "status": "running" if is_running and call.state is State.WAITING else call.state.value,
        "kind": call.kind.value,
        "at": call.at,
        "attempts": call.attempts,
        "tries": [msgspec.to_builtins(one) for one in call.tries],
    }
    if call.state is State.WAITING:
        shown["due"] = call.due
    else:
        shown |= {"ended_at": call.ended_at, "expires_at": call.expires_at}
    if call.why:
        shown["why"] = call.why
    if call.callback:
        shown["callback"] = call.posting.value
    if record.outcome is not None:
        shown["result"] = result(record.outcome)
    return shown


def result(outcome: Outcome) -> dict[str, Any]:
    """An answer as JSON: its body as what it is, if it is JSON or text, else as base64."""
    match outcome:
        case FunctionError(type=kind, message=message, traceback=traceback):
            return {"error": {"code": "function_error", "type": kind, "message": message, "traceback": traceback}}
        case Failed(code=code, message=message, hint=hint):
            return {"error": {"code": code, "message": message, "try": hint}}
        case Ok():
            pass
    kind = outcome.content_type or next(
        (value.decode("latin-1") for name, value in outcome.headers if name.lower() == b"content-type"), ""
    )
    return {"status": outcome.status, "content_type": kind, **readable(outcome.body, kind)}


def readable(body: bytes, kind: str) -> dict[str, Any]:
    if kind.startswith("application/json"):
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
            return {"body": msgspec.Raw(body)}
        except (msgspec.DecodeError, RecursionError):
            pass
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": body}  # msgspec writes bytes so


def unknown(name: str) -> NotFound:
    return NotFound(
        f"no call is named {name[:64]!r}", "answers are kept for a while: keep_s in [async] of function.toml"
    )


# Keys.


def key_of(head: Head, function: str, caller: str) -> str:
    """A digest of who sent which key to which function; empty where there is none.

    Raises:
        BadRequest: it is none that could be told apart from others.
    """
    sent = [value for name, value in head.fields if name == KEY]
    if not sent:
        return ""
    text = sent[0].strip()
    if text[:1] == b'"' and text[-1:] == b'"' and len(text) >= 2:  # a string, as structured fields have it
        text = text[1:-1]
    if len(sent) > 1 or not text or len(text) > KEY_MOST:
        raise BadRequest(
            f"there are {len(sent)} Idempotency-Keys, or it has not 1 to {KEY_MOST} characters",
            'send one, such as a UUID: Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"',
        )
    digest = hashlib.sha256()
    for part in (function.encode("utf-8", "replace"), caller.encode("latin-1", "replace"), text):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def fingerprint(kind: Kind, request: Request, callback: str) -> str:
    """Equal for requests that ask for the same; headers, which proxies change, say nothing."""
    digest = hashlib.sha256()
    said = (kind.value, request.method, request.path, request.query, request.content_type, callback)
    for part in (*(text.encode("utf-8", "replace") for text in said), request.body):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def function_of(path: str) -> tuple[str, str]:
    """The name below /async-function, and the path below that."""
    name, slash, rest = path.removeprefix(ASYNC_FUNCTION).partition("/")
    if "%" in name:
        name = unquote_to_bytes(name).decode("latin-1")
    return name, slash + rest if slash else "/"

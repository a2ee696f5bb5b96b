"""Functions that take a request: of Flask or Starlette, where the function brings one of these, else of our own.

With a framework the function becomes an application of that framework's, with one route: so all that the framework
gives to its views, it gives to the function.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote

from attacca.guest import channel as wire
from attacca.guest import deferred
from attacca.guest.answers import Answer, Stream, Unsendable, encode_response
from attacca.guest.events import Headers, cookies_of, headers_of
from attacca.guest.load import Loaded
from attacca.guest.payload import Asked, BadInput, Requested, decode, gathered

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_made: dict[int, Loaded] = {}  # by the function's id: what it became before the fork


def application(loaded: Loaded) -> Loaded:
    """What is served in its place."""
    found = _made.get(id(loaded.call))
    if found is None:
        found = _made[id(loaded.call)] = _application(loaded)
    return found


def _application(loaded: Loaded) -> Loaded:
    match _framework(loaded):
        case "flask":
            return loaded._replace(call=flask_application(loaded), signature="wsgi", is_async=False)
        case "starlette":
            return loaded._replace(call=starlette_application(loaded), signature="asgi", is_async=True)
        case _:
            return loaded


def _framework(loaded: Loaded) -> str:
    """The one that its code has imported; or else one that it has, the asynchronous one first for a coroutine."""
    names = ("starlette", "flask") if loaded.is_async else ("flask", "starlette")
    for name in names:
        if name in sys.modules:
            return name
    return next((name for name in names if importlib.util.find_spec(name) is not None), "")


def _arity(call: Callable[..., Any]) -> int:
    """How many positional arguments it takes: one, a request, or none, as on Fission."""
    import inspect  # the frameworks have imported it

    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return 1
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    return sum(one.kind in kinds for one in parameters)


# Flask.


def flask_application(loaded: Loaded) -> Any:
    flask: Any = importlib.import_module("flask")
    rules: Any = importlib.import_module("werkzeug.routing")
    server = _Runner()
    call = _of_events(loaded) or loaded.call
    takes = _arity(call)

    def view(**_: Any) -> Any:
        result = server.run_to_end(call(flask.request._get_current_object()) if takes else call())
        if isinstance(result, flask.Response | str | bytes | dict | list | tuple) or callable(result):
            return result
        return flask_response(flask, result)

    app = flask.Flask(loaded.module.__name__, static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # what it raises is the function's error
    app.view_functions["function"] = view
    for rule in ("/", "/<path:path>"):
        app.url_map.add(
            rules.Rule(rule, endpoint="function", methods=METHODS, strict_slashes=False, merge_slashes=False)
        )
    return app


class _Runner:
    """Runs coroutines to their end, in a loop of the thread's."""

    def __init__(self) -> None:
        import threading

        self._here = threading.local()

    def run_to_end(self, result: Any) -> Any:
        if not hasattr(result, "__await__"):
            return result
        import asyncio

        loop = getattr(self._here, "loop", None) or asyncio.new_event_loop()
        self._here.loop = loop

        async def awaited() -> Any:
            return await result

        return loop.run_until_complete(awaited())


def flask_response(flask: Any, result: Any) -> Any:
    """What Flask itself makes no response of."""
    found = encode_response(result)
    if not isinstance(found, Answer | Stream):
        raise Unsendable("a coroutine came back where a result was awaited")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in wire.fields(found.headers)]
    body = found.body if isinstance(found, Answer) else found.pieces
    kind = found.content_type.decode("latin-1") or None
    return flask.Response(body, found.status, headers, content_type=kind)


def _of_events(loaded: Loaded) -> Callable[..., Any] | None:
    """functions-framework's other kinds: a function of a CloudEvent, or of a type of its own."""
    registry: Any = sys.modules.get("functions_framework._function_registry")
    name = getattr(loaded.call, "__name__", "")
    kind = getattr(registry, "REGISTRY_MAP", {}).get(name)
    if kind == "cloudevent":
        from_http: Any = importlib.import_module("cloudevents.http").from_http

        def of_event(request: Any) -> Any:
            result = loaded.call(from_http(request.headers, request.get_data()))
            return "OK" if result is None else result

        return of_event
    if kind == "typed":
        wanted = registry.get_func_input_type(name)

        def of_type(request: Any) -> Any:
            result = loaded.call(wanted.from_dict(request.get_json()))
            return result.to_dict() if hasattr(result, "to_dict") else result

        return of_type
    return None


# Starlette.


def starlette_application(loaded: Loaded) -> Any:
    requests: Any = importlib.import_module("starlette.requests")
    failures: Any = importlib.import_module("starlette.exceptions")
    takes = _arity(loaded.call)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        arguments = (requests.Request(scope, receive),) if takes else ()
        try:
            result = await _result(loaded, arguments)
            response = result if _is_response(result) else _starlette_response(result)
        except failures.HTTPException as error:
            response = _starlette_response(({"detail": error.detail}, error.status_code, dict(error.headers or {})))
        await response(scope, receive, send)

    return app


async def _result(loaded: Loaded, arguments: tuple[Any, ...]) -> Any:
    if loaded.is_async:
        result = loaded.call(*arguments)
    else:
        import asyncio

        result = await asyncio.to_thread(loaded.call, *arguments)
    return await result if hasattr(result, "__await__") else result


def _is_response(result: Any) -> bool:
    return callable(result) and hasattr(result, "status_code") and hasattr(result, "raw_headers")


def _starlette_response(result: Any) -> Any:
    responses: Any = importlib.import_module("starlette.responses")
    found = encode_response(result)
    if not isinstance(found, Answer | Stream):
        raise Unsendable("a coroutine came back where a result was awaited")
    headers = wire.fields(found.headers)
    kind = found.content_type.decode("latin-1") or None
    if isinstance(found, Answer):
        response = responses.Response(found.body, found.status, media_type=kind)
    else:
        writer = deferred.load("results").Writer(found.content_type)
        response = responses.StreamingResponse(_written(writer, found.pieces), found.status, media_type=kind)
    response.raw_headers.extend(headers)
    return response


async def _written(writer: Any, pieces: Any) -> Any:
    if hasattr(pieces, "__aiter__"):
        async for piece in pieces:
            yield writer.write(piece)
    else:
        for piece in pieces:
            yield writer.write(piece)


# Neither.


class Values(dict[str, Any]):
    """A query's or a form's: the first of each name, and with `getlist` all of them."""

    def __init__(self, raw: bytes) -> None:
        found = gathered(raw) if raw else {}
        self._lists = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
        super().__init__({name: values[0] for name, values in self._lists.items()})

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002 - as werkzeug has it
        if name not in self:
            return default
        try:
            return self[name] if type is None else type(self[name])
        except ValueError:
            return default

    def getlist(self, name: str) -> list[str]:
        return list(self._lists.get(name, ()))


class Request:
    """A request as those of web frameworks are, for a function that brings none of them."""

    def __init__(self, asked: Requested, function: str) -> None:
        self._asked, self._function = asked, function
        self.method, self.scheme = asked.method, asked.scheme
        self.remote_addr, self.body = asked.client, asked.body
        self.query_string = asked.query

    @cached_property
    def path(self) -> str:
        return unquote(self._asked.path)

    @cached_property
    def headers(self) -> Headers:
        return headers_of(self._asked)

    @cached_property
    def args(self) -> Values:
        return Values(self._asked.query)

    @property
    def query(self) -> Values:
        return self.args

    @cached_property
    def form(self) -> Values:
        return Values(self.body if "urlencoded" in self.content_type else b"")

    @cached_property
    def cookies(self) -> dict[str, str]:
        return cookies_of(self.headers.get("cookie", ""))

    @property
    def content_type(self) -> str:
        return self._asked.content_type.decode("latin-1")

    @property
    def url(self) -> str:
        query = f"?{self._asked.query.decode('latin-1')}" if self._asked.query else ""
        host = self.headers.get("host", "localhost")
        return f"{self.scheme}://{host}/function/{self._function}{quote(self.path)}{query}"

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def data(self) -> bytes:
        return self.body

    def get_data(self, *, as_text: bool = False) -> Any:
        return self.text if as_text else self.body

    @property
    def is_json(self) -> bool:
        kind = self.content_type.partition(";")[0].strip().lower()
        return kind.endswith(("/json", "+json"))

    @property
    def json(self) -> Any:
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: FBT001, FBT002 - as Flask has it
        """The body as JSON; None if it does not say that it is, or, with `silent`, if it is not.

        Raises:
            BadInput: it is not.
        """
        if not (force or self.is_json):
            return None
        try:
            return decode(Asked("", b"application/json", b"", self.body or b" "))
        except BadInput:
            if silent:
                return None
            raise

"""`wasi:http/incoming-handler`: what a component asks of its request, and says of its answer.

wasmtime brings streams, but no way to make one from Python. So the body comes as the standard input of its store, and
the answer's goes as its standard output; a bridge, a component of ours in the same store, hands their streams over.
What the component itself prints goes to the standard error.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import wasmtime
from wasmtime import component

from .compiling import ENGINE

FIELDS, REQUEST, BODY_IN, TRAILERS, RESPONSE, BODY_OUT, OUTPARAM = range(1, 8)
RESOURCES = {
    "fields": FIELDS, "incoming-request": REQUEST, "incoming-body": BODY_IN, "future-trailers": TRAILERS,
    "outgoing-response": RESPONSE, "outgoing-body": BODY_OUT, "response-outparam": OUTPARAM,
}  # fmt: skip
METHODS = ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")
OURS = frozenset({"content-length", "transfer-encoding", "connection"})  # of an answer's fields
PLAIN = "/:@!$&'()*+,;=~"  # of a path, besides letters and digits
Pairs = list[tuple[str, bytes]]
BRIDGE = """(component
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type (sub resource))) (export "output-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $in))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (export "input-stream" (type $i (eq $in))) (export "get-stdin" (func (result (own $i))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (export "output-stream" (type $o (eq $out))) (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (export "output-stream" (type $o (eq $out))) (export "get-stderr" (func (result (own $o))))))
  (alias export $stdin "get-stdin" (func $get-in))
  (alias export $stdout "get-stdout" (func $get-out))
  (alias export $stderr "get-stderr" (func $get-err))
  (core func $get-in' (canon lower (func $get-in)))
  (core func $get-out' (canon lower (func $get-out)))
  (core func $get-err' (canon lower (func $get-err)))
  (core module $code
    (import "" "in" (func $in (result i32)))
    (import "" "out" (func $out (result i32)))
    (import "" "err" (func $err (result i32)))
    (func (export "in") (result i32) (call $in))
    (func (export "out") (result i32) (call $out))
    (func (export "err") (result i32) (call $err)))
  (core instance $made (instantiate $code (with "" (instance
    (export "in" (func $get-in')) (export "out" (func $get-out')) (export "err" (func $get-err'))))))
  (func (export "in") (result (own $in)) (canon lift (core func $made "in")))
  (func (export "out") (result (own $out)) (canon lift (core func $made "out")))
  (func (export "err") (result (own $out)) (canon lift (core func $made "err"))))"""


class WebCall:
    """One request and its answer. What the component has of them it knows by numbers."""

    def __init__(self, environ: dict[str, Any], bridge: Callable[[str], Any]) -> None:
        self.environ, self.bridge = environ, bridge
        self._things: list[Any] = []
        self.answer: Any = None  # a Response, or an error's name

    def __repr__(self) -> str:
        return f"<WebCall of {len(self._things)} things>"

    def give(self, thing: Any, kind: int) -> Any:
        self._things.append(thing)
        return component.ResourceHost.own(len(self._things) - 1, kind)

    def take(self, store: Any, resource: Any) -> Any:
        return self._things[resource.to_host(store).rep]


class Response:
    def __init__(self, fields: Pairs) -> None:
        self.status, self.fields = 200, fields

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.fields)} fields>"

    def told(self) -> list[tuple[str, str]]:
        return [(name, value.decode("latin-1")) for name, value in self.fields if name not in OURS]


def linkers(made: component.Component, imports: list[str], here: Any) -> tuple[component.Linker, component.Linker]:
    """For the component, and for the bridge. `here.exchange` is that of the instance that runs in this thread."""
    beneath, linker = component.Linker(ENGINE), component.Linker(ENGINE)
    beneath.add_wasip2()
    linker.allow_shadowing = True
    linker.add_wasip2()
    with linker.root() as root:
        for name in imports:
            if name.startswith("wasi:http/types@"):
                with root.add_instance(name) as types:
                    _define(types, here)
            elif name.startswith("wasi:cli/stdout@"):
                with root.add_instance(name) as stdout:
                    stdout.add_func("get-stdout", lambda _: here.exchange.bridge("err"))
    linker.define_unknown_imports_as_traps(made)
    return linker, beneath


def bridge() -> component.Component:
    return component.Component(ENGINE, wasmtime.wat2wasm(BRIDGE))


def _define(types: component.LinkerInstance, here: Any) -> None:
    for name, kind in RESOURCES.items():
        types.add_resource(name, component.ResourceType.host(kind), lambda _store, _rep: None)
    for name, function in {**_FIELDS, **_INCOMING, **_OUTGOING}.items():
        types.add_func(name, _told(function, here))


def _told(function: Callable[..., Any], here: Any) -> Callable[..., Any]:
    def run(store: Any, *words: Any) -> Any:
        exchange = here.exchange
        taken = [exchange.take(store, word) if isinstance(word, component.ResourceAny) else word for word in words]
        return function(exchange, *taken)

    return run


def _set(_: WebCall, fields: Pairs, name: str, values: list[bytes]) -> None:
    _delete(_, fields, name)
    fields += [(name.lower(), value) for value in values]


def _append(_: WebCall, fields: Pairs, name: str, value: bytes) -> None:
    fields.append((name.lower(), value))


def _delete(_: WebCall, fields: Pairs, name: str) -> None:
    fields[:] = [pair for pair in fields if pair[0] != name.lower()]


_FIELDS: dict[str, Callable[..., Any]] = {
    "[constructor]fields": lambda here: here.give([], FIELDS),
    "[static]fields.from-list": lambda here, pairs: here.give([(name.lower(), value) for name, value in pairs], FIELDS),
    "[method]fields.get": lambda _, fields, name: [value for known, value in fields if known == name.lower()],
    "[method]fields.has": lambda _, fields, name: any(known == name.lower() for known, _ in fields),
    "[method]fields.set": _set,
    "[method]fields.append": _append,
    "[method]fields.delete": _delete,
    "[method]fields.entries": lambda _, fields: list(fields),
    "[method]fields.clone": lambda here, fields: here.give(list(fields), FIELDS),
}


def _method(here: WebCall, _: Any) -> component.Variant:
    name = here.environ.get("REQUEST_METHOD", "POST")
    return component.Variant(name.lower()) if name.lower() in METHODS else component.Variant("other", name)


def _path(here: WebCall, _: Any) -> str:
    query = here.environ.get("QUERY_STRING", "")
    path = quote_from_bytes((here.environ.get("PATH_INFO") or "/").encode("latin-1"), PLAIN)
    return f"{path}?{query}" if query else path


def _headers(here: WebCall, _: Any) -> Any:
    told = [(key[5:], value) for key, value in here.environ.items() if key.startswith("HTTP_")]
    told += [(key, here.environ[key]) for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if key in here.environ]
    return here.give([(key.lower().replace("_", "-"), str(value).encode("latin-1")) for key, value in told], FIELDS)


_INCOMING: dict[str, Callable[..., Any]] = {
    "[method]incoming-request.method": _method,
    "[method]incoming-request.path-with-query": _path,
    "[method]incoming-request.scheme": lambda _here, _: component.Variant("HTTP"),
    "[method]incoming-request.authority": lambda here, _: here.environ.get("HTTP_HOST"),
    "[method]incoming-request.headers": _headers,
    "[method]incoming-request.consume": lambda here, _: here.give("body", BODY_IN),
    "[method]incoming-body.stream": lambda here, _: here.bridge("in"),
    "[static]incoming-body.finish": lambda here, _: here.give("trailers", TRAILERS),
}


def _new_response(here: WebCall, fields: Pairs) -> Any:
    return here.give(Response(fields), RESPONSE)


def _set_status(_: WebCall, response: Response, status: int) -> component.Variant:
    response.status = status
    return component.Variant("ok")


def _set_answer(here: WebCall, _: Any, answer: Any) -> None:
    here.answer = answer.tag if isinstance(answer, component.Variant) else answer


_OUTGOING: dict[str, Callable[..., Any]] = {
    "[constructor]outgoing-response": _new_response,
    "[method]outgoing-response.status-code": lambda _, response: response.status,
    "[method]outgoing-response.set-status-code": _set_status,
    "[method]outgoing-response.headers": lambda here, response: here.give(response.fields, FIELDS),
    "[method]outgoing-response.body": lambda here, _: here.give("answer", BODY_OUT),
    "[method]outgoing-body.write": lambda here, _: here.bridge("out"),
    "[static]outgoing-body.finish": lambda *_: None,
    "[static]response-outparam.set": _set_answer,
}

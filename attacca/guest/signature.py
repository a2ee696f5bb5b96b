"""How a handler wants to be called: by its parameters, by what it wraps, and where these leave a doubt by its name.

What is looked through is what passes everything on: a wrapper that takes `*args`, a partial, a bound method, an object
with `__call__`. A wrapper with parameters of its own is what is called, so those are its own to say.
"""

from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from attacca.guest import conversion, frameworks
from attacca.guest.conversion import Kind
from attacca.guest.source import Source, Usage

COROUTINE, ANY_POSITIONAL, ANY_KEYWORD = 0x80, 0x04, 0x08  # of a code's flags, as inspect has them
LAYERS = 50  # of wrappers around a function that are looked through
RUNNERS = frozenset({"run", "run_until_complete", "async_to_sync", "run_coroutine_threadsafe", "syncify"})

HANDLERS = frozenset({"lambda_handler", "handler", "handle", "main"})  # names that say who calls
EVENTS = frozenset({"event", "evt", "ev", "events", "lambda_event", "aws_event", "event_data"})
CONTEXTS = frozenset({"context", "ctx", "lambda_context", "aws_context", "contexto", "ctxt"})
VALUES = frozenset({"data", "payload", "message", "msg", "input", "body", "json", "obj", "inp", "e", "json_input"})
ARGUMENTS = frozenset({"args", "params", "arguments", "parameters"})
OF_MAIN = ARGUMENTS | VALUES | {"dict", "dictionary", "dct", "d", "param", "arg", "options", "kwargs"}
REQUESTS = frozenset({"request", "req", "http_request"})
READ_OF_REQUESTS = frozenset(
    {
        "args", "cookies", "data", "files", "form", "get_data", "get_json", "headers", "is_json", "json", "method",
        "mimetype", "path", "path_params", "query_params", "query_string", "remote_addr", "stream", "url", "values",
        "body", "client",
    }
)  # fmt: skip
ENVIRONS = frozenset({"environ", "env", "environment"})
STARTS = frozenset({"start_response", "start_resp", "startresponse", "start", "sr"})
SCALARS = frozenset({"int", "float", "bool", "str", "bytes"})


class Parameters(NamedTuple):
    """What a function with named parameters accepts."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    takes_any: bool
    kinds: dict[str, Kind]  # of those whose annotation says more than "a text": what a query string is converted to


class Takes(NamedTuple):
    """What can be given to a callable. Those that are bound already are left out."""

    names: tuple[str, ...] = ()  # by position
    needed: int = 0  # so many of them
    only: int = 0  # so many of them by position alone
    keywords: tuple[str, ...] = ()  # by name alone
    needed_keywords: tuple[str, ...] = ()
    any_positional: bool = False
    any_keyword: bool = False
    function: Any = None  # whose parameters these are, a FunctionType where it is known

    def without(self, count: int) -> "Takes":
        """The first so many are given already."""
        return self._replace(
            names=self.names[count:], needed=max(self.needed - count, 0), only=max(self.only - count, 0)
        )

    @property
    def event_at(self) -> int:
        """The place of the event: on Nuclio the context comes first."""
        return int(self.names[:2] == ("context", "event"))

    @property
    def notes(self) -> dict[str, Any]:
        return {} if self.function is None else conversion.annotations(self.function)

    @property
    def spaces(self) -> dict[str, Any]:
        """Where its annotations mean something."""
        return {} if self.function is None else self.function.__globals__


def takes(target: Any, name: str = "", layers: int = 0) -> Takes:
    """`name`: what it is called in its module, by which it is told apart from others that its wrapper knows."""
    if layers > LAYERS:
        return Takes(any_positional=True, any_keyword=True)
    if isinstance(target, FunctionType):
        inner = behind(target, name) if passes_on(target) else None
        return _of_code(target) if inner is None else takes(inner, name, layers + 1)
    if isinstance(target, MethodType):
        return takes(target.__func__, name, layers + 1).without(1)
    if isinstance(target, partial):
        return _of_partial(target, takes(target.func, name, layers + 1))
    if isinstance(target, type):
        made = vars(target).get("__init__")
        return takes(made, "__init__", layers + 1).without(1) if isinstance(made, FunctionType) else Takes()
    call = getattr(type(target), "__call__", None)  # noqa: B004 - wanted for its code
    if isinstance(call, FunctionType):
        inner = behind(target, name) if passes_on(call) else None
        return takes(call, name, layers + 1).without(1) if inner is None else takes(inner, name, layers + 1)
    inner = behind(target, name)
    return _inspected(target) if inner is None else takes(inner, name, layers + 1)


def passes_on(function: FunctionType) -> bool:
    """Does it take whatever comes, and so say nothing of what is wanted?"""
    code = function.__code__
    own = code.co_argcount - (code.co_varnames[:1] == ("self",))
    return bool(code.co_flags & ANY_POSITIONAL) or (own == 0 and bool(code.co_flags & ANY_KEYWORD))


def behind(target: Any, name: str = "") -> Any:
    """What a wrapper calls, if it is clear; else None."""
    wrapped = getattr(target, "__wrapped__", None)
    if isinstance(wrapped, FunctionType | MethodType | partial):
        return wrapped
    if isinstance(target, FunctionType):
        held = [_content(cell) for cell in target.__closure__ or ()]
    else:
        held = list(getattr(target, "__dict__", {}).values())
    known = [one for one in held if isinstance(one, FunctionType | MethodType | partial) and one is not target]
    same = [one for one in known if getattr(one, "__name__", "") == name]
    return same[0] if same else known[0] if len(known) == 1 else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _of_code(function: FunctionType) -> Takes:
    code, defaults = function.__code__, len(function.__defaults__ or ())
    names = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return Takes(
        names,
        len(names) - defaults,
        code.co_posonlyargcount,
        keywords,
        tuple(one for one in keywords if one not in (function.__kwdefaults__ or ())),
        bool(code.co_flags & ANY_POSITIONAL),
        bool(code.co_flags & ANY_KEYWORD),
        function,
    )


def _of_partial(target: "partial[Any]", whole: Takes) -> Takes:
    """From the first that is given by its name on, the rest can only be given by theirs."""
    left = whole.without(len(target.args))
    cut = next((at for at, name in enumerate(left.names) if name in target.keywords), len(left.names))
    needed = (*left.names[cut : left.needed], *left.needed_keywords)
    return left._replace(
        names=left.names[:cut],
        needed=min(left.needed, cut),
        keywords=(*left.names[cut:], *left.keywords),
        needed_keywords=tuple(name for name in needed if name not in target.keywords),
    )


def _inspected(target: Any) -> Takes:
    import inspect  # costs 10 ms, and most handlers are plain functions

    try:
        found = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # builtins do not say what they take
        return Takes(any_positional=True, any_keyword=True)
    places = [one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    keywords = [one for one in found if one.kind is one.KEYWORD_ONLY]
    return Takes(
        tuple(one.name for one in places),
        sum(one.default is one.empty for one in places),
        sum(one.kind is one.POSITIONAL_ONLY for one in places),
        tuple(one.name for one in keywords),
        tuple(one.name for one in keywords if one.default is one.empty),
        any(one.kind is one.VAR_POSITIONAL for one in found),
        any(one.kind is one.VAR_KEYWORD for one in found),
    )


def is_async(target: Any, name: str = "") -> bool:
    """Will calling it give something to be awaited, as far as can be seen? A wrapper may have awaited it already."""
    for _ in range(LAYERS):
        if isinstance(target, partial):
            target = target.func
            continue
        function = target if isinstance(target, FunctionType) else getattr(target, "__func__", None)
        function = function or getattr(type(target), "__call__", None)  # noqa: B004 - wanted for its code
        if not isinstance(function, FunctionType):
            function = None
        elif function.__code__.co_flags & COROUTINE:
            return True
        elif RUNNERS.intersection(function.__code__.co_names):
            return False
        inner = behind(function or target, name) or behind(target, name)
        if inner is None:
            return False
        target = inner
    return False


def describe(target: Any, name: str, wants: Takes, source: Source) -> str:
    """Which of model.function.Signature the target wants."""
    known = frameworks.signature(target)
    if known:
        return known
    names = tuple(one.lower().strip("_") for one in wants.names)
    if not wants.names and wants.any_positional:
        return {"lambda_handler": "event_context", "handler": "event_context", "handle": "event_context"}.get(
            name, "args" if name == "main" else "named"
        )
    if len(names) >= 3 and _is_asgi(target, name, wants, names, source):
        return "asgi"
    if len(names) >= 2 and wants.needed <= 2 and _is_wsgi(name, wants, names, source):
        return "wsgi"
    if len(names) >= 2 and _takes_context(name, wants, names):
        return "event_context"
    if wants.needed <= 1 and names:
        return _of_one(name, wants, names[0], source)
    return "named"


def _is_asgi(target: Any, name: str, wants: Takes, names: tuple[str, ...], source: Source) -> bool:
    if names[0] == "scope" or names[1:3] == ("receive", "send"):
        return True
    if wants.needed != 3 or not is_async(target, name):
        return False
    is_named_so = name in ("app", "application", "asgi") or names[2] == "send"
    return is_named_so or not isinstance(target, FunctionType) or source.usage(wants.function, 2).is_called


def _is_wsgi(name: str, wants: Takes, names: tuple[str, ...], source: Source) -> bool:
    if names[1] == "start_response" or (names[0] in ENVIRONS and (names[1] in STARTS or names[0] == "environ")):
        return True
    if wants.needed != 2 or names[1] in CONTEXTS or names[0] in EVENTS:
        return False
    return name == "application" or (names[0] in ENVIRONS and source.usage(wants.function, 1).is_called)


def _takes_context(name: str, wants: Takes, names: tuple[str, ...]) -> bool:
    """An event and a context, whatever they are called?"""
    if name == "lambda_handler" or wants.event_at == 1 or names[1] in CONTEXTS or "LambdaContext" in _label(wants, 1):
        return True
    if names[0] in EVENTS:
        return wants.needed != 1 or names[1] in ("", "c")
    if names[0] in ("", "e") and names[1] in ("", "c"):
        return wants.needed == 2
    return False


def _label(wants: Takes, at: int) -> str:
    return conversion.label(wants.notes.get(wants.names[at]))


def _of_one(name: str, wants: Takes, first: str, source: Source) -> str:
    label = _label(wants, 0)
    if label.rpartition(".")[2] == "Request":
        return "request"
    if first in EVENTS or name == "lambda_handler":
        return "event"
    if first in ARGUMENTS or (name == "main" and first in OF_MAIN and label not in SCALARS):
        return "args"
    if label in SCALARS and label != "str":
        return "named"
    if name == "handle" and wants.needed == 1:
        return _by_use(source.usage(wants.function, 0), "text")
    if first in REQUESTS and label != "str":
        return _by_use(source.usage(wants.function, 0), "request")
    if name in HANDLERS and wants.needed == 1 and label != "str":
        use = source.usage(wants.function, 0)
        return "event" if first in VALUES or use.paths or not first else "named"
    return "named"


def _by_use(use: Usage, unused: str) -> str:
    """A request has attributes, an event has keys, a text has neither."""
    if use.attributes & READ_OF_REQUESTS:
        return "request"
    return "text" if () in use.parsed else "event" if use.paths else unused


def parameters(wants: Takes) -> Parameters:
    names = (*wants.names[wants.only :], *wants.keywords)
    required = (*wants.names[wants.only : wants.needed], *wants.needed_keywords)
    return Parameters(names, required, wants.any_keyword, conversion.kinds(wants.notes, wants.spaces))

"""What an object of a known web framework is, told by its class, and by what it can do where the class is unknown.

None of these packages is imported here: a function that brings one has it imported already.
"""

import importlib
import sys
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

ASGI = frozenset({"starlette", "fastapi", "quart", "litestar", "sanic", "blacksheep", "robyn"})
WSGI = frozenset({"falcon", "pyramid", "django"})
ROUTE_WHOLE_PATHS = frozenset({"falcon", "microdot"})
EVENTS = frozenset({"chalice", "mangum", "apig_wsgi"})  # called with an event and a context
NOT_CALLED = {
    "typer": "a command line", "click": "a command line", "celery": "a task queue",
    "aws_cdk": "a description of infrastructure", "streamlit": "an interactive page", "gradio": "an interactive page",
}  # fmt: skip
ANSWERS = frozenset({"asgi", "wsgi"})
FACTORIES = frozenset(
    {"create_app", "make_app", "get_app", "build_app", "app_factory", "create_application", "make_application",
     "get_wsgi_application", "get_asgi_application", "get_application"}
)  # fmt: skip
THREE, TWO = 3, 2


def package(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    return str(getattr(kind, "__module__", "")).split(".")[0]


def _packages(value: Any) -> list[str]:
    """Of its class and of those that it is derived from: most specific first."""
    return [one.__module__.split(".")[0] for one in type(value).__mro__ if one is not object]


def _places(function: Any) -> tuple[str, ...]:
    """What has to be given to a method by position, without self."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ()
    return tuple(code.co_varnames[1 : code.co_argcount - len(function.__defaults__ or ())])


def signature(target: Any) -> str:
    """Which of model.function.Signature an application is, or a class whose calls make answers; else empty."""
    if isinstance(target, type):
        return _of_class(target)
    if isinstance(target, FunctionType | MethodType | ModuleType) or not callable(target):
        return ""
    packages = _packages(target)
    if packages[0] in EVENTS:
        return "event_context"
    call = getattr(type(target), "__call__", None)  # noqa: B004 - wanted for its code
    is_coroutine = bool(getattr(getattr(call, "__code__", None), "co_flags", 0) & 0x80)
    places = _places(call)
    if places[:1] == ("scope",) or (len(places) == THREE and (is_coroutine or places[1:] == ("receive", "send"))):
        return "asgi" if len(places) == THREE else ""
    if (len(places) == TWO and places[1] in ("start_response", "start")) or callable(
        getattr(type(target), "wsgi_app", None)
    ):
        return "wsgi"
    return "" if hasattr(call, "__code__") else _of_compiled(target, packages)


def _of_compiled(target: Any, packages: list[str]) -> str:
    """What it takes cannot be seen, but some packages have nothing else that can be called."""
    if ASGI.intersection(packages) or (packages[0] in WSGI and ".asgi" in type(target).__module__):
        return "asgi"
    return "wsgi" if WSGI.intersection(packages) else ""


def _of_class(kind: type) -> str:
    """PEP 3333 and ASGI allow a class whose instances are the answers themselves."""
    places = _places(vars(kind).get("__init__"))
    if len(places) == THREE and places[1:] == ("receive", "send") and hasattr(kind, "__await__"):
        return "asgi"
    return "wsgi" if len(places) == TWO and places[1] == "start_response" and hasattr(kind, "__iter__") else ""


def at_its_root(app: Any) -> Any:
    """Falcon's and Microdot's ASGI applications look for their routes in the whole path: they get what follows."""
    if not ROUTE_WHOLE_PATHS.intersection(_packages(app)):
        return app

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path, root = scope.get("path", ""), scope.get("root_path", "")
        await app({**scope, "path": path.removeprefix(root)} if root else scope, receive, send)

    return inner


def is_app(value: Any) -> bool:
    return not isinstance(value, type) and signature(value) in ANSWERS


def is_event_app(value: Any) -> bool:
    return not isinstance(value, type) and signature(value) == "event_context"


def uses_flask(function: FunctionType) -> bool:
    """Fission's way: `main()` takes nothing, and asks `flask.request`, or anything else of Flask's."""
    flask = sys.modules.get("flask")
    if flask is None:
        return False
    known = [function.__globals__.get(name) for name in function.__code__.co_names]
    offered = [value for name, value in vars(flask).items() if not name.startswith("_")]
    return any(one is flask or any(one is other for other in offered) for one in known if one is not None)


def registered(function: Any, name: str) -> tuple[Callable[..., Any], str] | None:
    """A function that functions-framework's decorators have marked: what serves it, and how that wants to be called."""
    told: Any = sys.modules.get("functions_framework")
    registry: Any = sys.modules.get("functions_framework._function_registry")
    if told is None or registry is None:
        return None
    known = getattr(function, "__name__", name)
    kind = getattr(registry, "REGISTRY_MAP", {}).get(known)
    if known in getattr(registry, "ASGI_FUNCTIONS", ()):
        return _asgi_app(function, kind)
    if kind == "http":
        return function, "request"
    return None if kind is None else _wsgi_app(told, function, known, kind)


def _wsgi_app(framework: Any, function: Any, name: str, kind: str) -> tuple[Callable[..., Any], str] | None:
    """The package's own application around the function, which makes the CloudEvent, or the input, of the request."""
    flask: Any = sys.modules.get("flask")
    configure = getattr(framework, "_configure_app", None)
    if flask is None or configure is None:
        return None
    app = flask.Flask(name)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # what it raises is the function's error, with its traceback
    configure(app, function, kind)
    return app, "wsgi"


def _asgi_app(function: Any, kind: str | None) -> tuple[Callable[..., Any], str] | None:
    aio: Any = sys.modules.get("functions_framework.aio")
    make = getattr(aio, "create_asgi_app_from_module", None)
    module = sys.modules.get(function.__module__)
    if make is None or module is None:
        return None
    return make(function.__name__, getattr(module, "__file__", ""), kind, module, module.__spec__), "asgi"


def wants_cloud_event(name: str) -> bool:
    return name.lower().replace("_", "") == "cloudevent"


def cloud_event(function: Any, name: str) -> tuple[Callable[..., Any], str] | None:
    """What serves a function of a CloudEvent that no decorator has marked; None without functions-framework."""
    try:
        return _wsgi_app(importlib.import_module("functions_framework"), function, name, "cloudevent")
    except ImportError:
        return None


def is_marked(function: Any, name: str) -> bool:
    """Has a decorator of functions-framework named it?"""
    registry: Any = sys.modules.get("functions_framework._function_registry")
    return registry is not None and getattr(function, "__name__", name) in getattr(registry, "REGISTRY_MAP", {})

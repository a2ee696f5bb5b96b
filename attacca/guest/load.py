"""Finds a function's handler and how it wants to be called, by importing the code and looking at it."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import CoroutineType, FunctionType, GeneratorType, ModuleType
from typing import Any, NamedTuple

from attacca.guest import fetch, frameworks, platforms, shapes
from attacca.guest.find import ATTRIBUTES, DUNDER_MAIN, Finder
from attacca.guest.find import Unfit as Unfit
from attacca.guest.signature import ANY_POSITIONAL, COROUTINE, Takes, describe, is_async, parameters, takes
from attacca.guest.signature import (
    Parameters as Parameters,  # for who decodes what these are given
)
from attacca.guest.source import Source

MAIN = "main__"  # what a `__main__.py` is imported as, because `__main__` would run what only a script runs
PARENT = "function"  # of a handler that imports relatively, as OpenFaaS has it
APPS = ("app", "application", "api", "server")
AS_THEY_ARE = frozenset({"event_context", "event", "text"})  # functions of such a signature are called as they are
CLEAR = frozenset({"event_context", "asgi", "wsgi", "request"})
EVENTS = "events"
HANDLED = ("cast", "call")  # one of them makes an event function
NOT_AZURE = "take `def main(request)`, with flask in requirements.txt, and return a text or a dict"
NOBODY = "give it a default, or name another function with --handler"


class Loaded(NamedTuple):
    call: Callable[..., Any]
    handler: str
    signature: str
    event: str  # of model.function.EventShape
    is_async: bool  # as far as can be seen: what it returns may have to be awaited all the same, or not
    module: ModuleType
    parameters: Parameters | None


def load(handler: str, signature: str, event: str, here: str) -> Loaded:
    """Import and look. `handler` is "module:attribute", "directory/module.attribute", "attribute" or empty.

    Raises:
        Unfit: there is nothing to call.
        BaseException: whatever the code raises when it is imported.
    """
    source = Source(here)
    finder = Finder(here, source)
    place = finder.place(handler or _target())
    module = _import(place.module, finder)
    if signature == EVENTS:
        return _event_function(module, place)
    attribute, target = _reach(module, place) if place.attribute else _find(module, place.module, source)
    shown, name = f"{place.module}:{attribute}", attribute.removesuffix("()").rpartition(".")[2]
    if attribute.endswith("()"):
        target = _made(target, shown)
    _refuse_what_is_none(target, shown)
    wants = takes(target, name)
    found = signature
    served = frameworks.registered(target, name) or _cloud_event(target, name, shown, wants)
    if served is not None:
        target, found = served
    found = found or describe(target, name, wants, source)
    if found == "named" and _is_view(wants, source):
        found = "request"
    _refuse_what_nobody_calls(target, shown, found, wants)
    shape = _shape(event, found, shown) or shapes.recognise(found, target, wants, module, source)
    if not signature and found == "event_context" and shapes.is_action(wants, source):
        found = "args"
    call = target if served is not None else _adapted(target, found, wants)
    named = parameters(wants) if found == "named" else None
    return Loaded(call, shown, found, shape, found == "asgi" or is_async(target, name), module, named)


def _event_function(module: ModuleType, place: Any) -> Loaded:
    """A class that is made anew for each instance, or the module itself."""
    attribute, target = place.attribute, None
    if attribute:
        attribute, target = _reach(module, place)
    elif not any(isinstance(vars(module).get(name), FunctionType) for name in HANDLED):
        classes = [
            name for name, value in vars(module).items() if _handles(value) and value.__module__ == module.__name__
        ]
        if len(classes) > 1:
            options = " or ".join(f"{place.module}:{one}" for one in classes)
            raise Unfit(
                f"{_file(place.module)} has several event functions: {', '.join(classes)}", f"name one: {options}"
            )
        if not classes:
            raise Unfit(
                f"{_file(place.module)} has no event function",
                "define a class with cast(ctx, source, message) or call(ctx, source, message)",
            )
        attribute, target = classes[0], vars(module)[classes[0]]
    if attribute and not _handles(target):
        raise Unfit(f"{place.module}:{attribute} is no class with a cast or a call", "give it one")
    made: Callable[..., Any] = target if target is not None else lambda: module
    return Loaded(made, f"{place.module}:{attribute}", EVENTS, shapes.PLAIN, False, module, None)  # noqa: FBT003 - in the order of Loaded


def _handles(value: Any) -> bool:
    return isinstance(value, type) and any(callable(getattr(value, name, None)) for name in HANDLED)


def load_known(handler: str, signature: str, event: str, here: str) -> Loaded:
    """The same for a revision in which `load` has found all this: a plain function is not looked into again."""
    name, _, attribute = handler.partition(":")
    if signature in AS_THEY_ARE and event and name != DUNDER_MAIN and attribute.isidentifier():
        module = _brought(name, here)
        target: Any = getattr(module, attribute, None)
        if _is_plain(target) and "functions_framework" not in sys.modules:
            is_coroutine = bool(target.__code__.co_flags & COROUTINE)
            return Loaded(target, handler, signature, event, is_coroutine, module, None)
    return load(handler, signature, event, here)


def _is_plain(target: Any) -> bool:
    """A function as it was defined, whose parameters are an event, if any, and then others."""
    return (
        type(target) is FunctionType
        and target.__closure__ is None
        and not target.__dict__
        and target.__code__.co_varnames[:1] != ("context",)
        and not target.__code__.co_flags & ANY_POSITIONAL
    )


def _target() -> str:
    """What functions-framework's own variables say."""
    target, path = os.environ.get("FUNCTION_TARGET", ""), os.environ.get("FUNCTION_SOURCE", "")
    if not target.replace("_", "a").isalnum():
        return ""
    module = os.path.normpath(path).removesuffix(".py")
    return f"{module}:{target}" if path.endswith(".py") and not module.startswith(("/", "..")) else target


def _import(name: str, finder: Finder) -> ModuleType:
    module = _brought(name, finder.here)
    _expect_ours(module, name, finder)
    return module


def _brought(name: str, here: str) -> ModuleType:
    if (known := sys.modules.get(f"{PARENT}.{name}")) is not None:
        return known
    try:
        return _imported(name, here)
    except ImportError as error:
        if not _wants_parent(error, here):
            raise
    parent = ModuleType(PARENT)
    parent.__path__ = [here]
    sys.modules[PARENT] = parent
    return importlib.import_module(f"{PARENT}.{name}")


def _imported(name: str, here: str) -> ModuleType:
    if name != DUNDER_MAIN:
        return fetch.fetched(name, here) or importlib.import_module(name)
    path = Finder(here, Source(here)).path(name)
    spec = importlib.util.spec_from_file_location(MAIN, path) if path else None
    if spec is None or spec.loader is None:
        raise Unfit("there is no __main__.py", "name the file: --handler module:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MAIN] = module
    spec.loader.exec_module(module)
    return module


def _wants_parent(error: ImportError, here: str) -> bool:
    """OpenFaaS imports the handler's directory as the package `function`."""
    if Finder(here, Source(here)).path(PARENT):
        return False
    return "no known parent package" in str(error) or (error.name or "").split(".")[0] == PARENT


def _expect_ours(module: ModuleType, name: str, finder: Finder) -> None:
    """A file called like a module that is imported already, json.py say, is never looked at: Python has that one."""
    file = getattr(module, "__file__", None) or ""
    if finder.path(name) and not file.startswith(os.path.join(finder.here, "")):
        raise Unfit(f"{name}.py has the name of a module of Python's own, which hides it", "give the file another name")


def _reach(module: ModuleType, place: Any) -> tuple[str, Any]:
    target: Any = module
    parts = place.attribute.removesuffix("()").split(".")
    for part in parts:
        if not hasattr(target, part):
            raise Unfit(
                f"{_file(place.module)} has no {place.attribute!r}", f"it has: {_listed(module) or 'nothing public'}"
            )
        parent, target = target, getattr(target, part)
    if (
        isinstance(parent, type)
        and isinstance(vars(parent).get(parts[-1]), FunctionType)
        and _is_bound_to_nothing(target)
    ):
        raise Unfit(
            f"{place.module}:{place.attribute} is a method, and there is no object whose method it could be",
            f"make one in the code, `handler = {parent.__name__}().{parts[-1]}`, or make it a staticmethod",
        )
    return place.attribute, target


def _is_bound_to_nothing(target: Any) -> bool:
    return bool(target.__code__.co_varnames[:1] == ("self",) and target.__code__.co_argcount)


def _file(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def _listed(module: ModuleType) -> str:
    return ", ".join(_public(module))


def _public(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]


def _find(module: ModuleType, name: str, source: Source) -> tuple[str, Any]:
    """What in the module is it: what is marked as one, what is called like one, the only application or function."""
    values = vars(module)
    marked = [one for one in _public(module) if frameworks.is_marked(values[one], one)]
    apps = _apps(values)
    named = [one for one in ("handler", "lambda_handler") if callable(values.get(one))]
    conventional = [one for one in ATTRIBUTES if callable(values.get(one)) and not _is_other(values[one])]
    functions = [one for one in _public(module) if isinstance(values[one], FunctionType)]
    makers = [f"{one}()" for one in functions if one in frameworks.FACTORIES and takes(values[one]).needed == 0]
    for choice in (marked, named[:1], apps, conventional[:1], makers, functions):
        clear = choice if len(choice) < 2 else _clear(choice, values, source)
        if len(clear) == 1:
            return clear[0], values[clear[0].removesuffix("()")]
        if choice:
            options = " or ".join(f"--handler {name}:{one}" for one in choice)
            raise Unfit(f"{_file(name)} has several functions: {', '.join(choice)}", f"name one: {options}")
    if of_azure := [one for one, value in values.items() if type(value).__name__ in ("FunctionApp", "Blueprint")]:
        raise Unfit(
            f"{_file(name)} has {of_azure[0]}, a FunctionApp, whose functions only Azure's own host finds and calls",
            NOT_AZURE,
        )
    raise Unfit(f"{_file(name)} has no function", "define `def handler(event, context)` or an ASGI or WSGI `app`")


def _apps(values: dict[str, Any]) -> list[str]:
    """Applications, each once; those called so first, and alone when there are any."""
    found = {id(value): name for name, value in reversed(list(values.items())) if _is_app(name, value)}
    names = list(reversed(found.values()))
    known = [name for name in APPS if name in names]
    return known[:1] or names


def _is_app(name: str, value: Any) -> bool:
    return not name.startswith("_") and frameworks.is_app(value)


def _is_other(value: Any) -> bool:
    return (isinstance(value, type) and not frameworks.signature(value)) or frameworks.package(
        value
    ) in frameworks.NOT_CALLED


def _clear(names: list[str], values: dict[str, Any], source: Source) -> list[str]:
    """Of several functions, the only one with parameters that nobody else has."""
    known = [name for name in names if not name.endswith("()")]
    return [name for name in known if describe(values[name], name, takes(values[name], name), source) in CLEAR]


def _made(target: Any, shown: str) -> Any:
    if not callable(target):
        raise Unfit(f"{shown}: what is to be called there cannot be", "name a function that makes an application")
    return target()


def _refuse_what_is_none(target: Any, shown: str) -> None:
    """What can never answer, whoever calls it."""
    kind = type(target).__name__
    if isinstance(target, ModuleType):
        raise Unfit(f"{shown} is a module", f"name what is in it: --handler {shown.replace(':', '.')}:function")
    if isinstance(target, CoroutineType | GeneratorType):
        what = "a coroutine" if isinstance(target, CoroutineType) else "a generator"
        raise Unfit(f"{shown} is {what} that was made by a call", "name the function itself, without calling it")
    other = frameworks.NOT_CALLED.get(frameworks.package(target))
    if other is not None and not isinstance(target, FunctionType):
        raise Unfit(
            f"{shown} is {other} ({frameworks.package(target)}), which answers no requests", "name a function of it"
        )
    if not callable(target):
        raise Unfit(
            f"{shown} is not callable, it is of {kind}", "name a function or an ASGI or WSGI app with --handler"
        )
    if isinstance(target, type) and not frameworks.signature(target):
        if takes(target).names[:1] == ("scope",):
            raise _asgi_2(shown)
        if any(one.__name__ == "BaseHTTPRequestHandler" for one in target.__mro__):
            raise Unfit(
                f"{shown} is a request handler of http.server, which wants a socket",
                'take a WSGI or ASGI app, or `def handler(event, context)` with event = "http"',
            )
        raise Unfit(
            f"{shown} is a class, and calling it makes an object and no answer",
            f"name a function, or make an object that can be called: `handler = {target.__name__}()`",
        )


def _asgi_2(shown: str) -> Unfit:
    return Unfit(
        f"{shown} is an ASGI 2 application, which is called twice",
        "make it ASGI 3: `app = asgiref.compatibility.guarantee_single_callable(app)`",
    )


def _refuse_what_nobody_calls(target: Any, shown: str, found: str, wants: Takes) -> None:
    """Parameters that have to be given, and that nothing gives."""
    if found not in ("asgi", "wsgi") and wants.names[:1] == ("scope",) and wants.needed == 1:
        raise _asgi_2(shown)
    note = wants.notes.get(wants.names[0]) if wants.names else None
    if getattr(note, "__module__", "").startswith("azure.functions"):
        raise Unfit(
            f"{shown} is an Azure function, whose request nobody makes here",
            NOT_AZURE,
        )
    if wants.function is not target:  # what wraps it may give the rest
        return
    if found == "named" and not (wants.names or wants.keywords) and _reads_input(wants.function):
        raise Unfit(
            f"{shown} takes nothing and reads its standard input, where nothing comes",
            'take the body as `def handle(req)`; what stands under `if __name__ == "__main__":` is not run here',
        )
    if found == "named" and wants.needed and wants.names[0] == "ctx":  # as on Fn
        raise Unfit(f"{shown} has to be given a context first, which nobody does", "`def handler(event, context)`")
    given = {"event_context": 2, "event": 1, "args": 2, "text": 1, "request": 1}.get(found)
    if found == "named" and (few := wants.names[: min(wants.only, wants.needed)]):
        raise Unfit(f"{shown} takes {few[0]!r} by position alone, and a request has names", "leave out the `/`")
    if given is not None and (rest := (*wants.names[given : wants.needed], *wants.needed_keywords)):
        raise Unfit(f"{shown} has to be given {', '.join(map(repr, rest))} besides, which nobody does", NOBODY)


def _reads_input(function: FunctionType) -> bool:
    """As programs for OpenFaaS's classic watchdog do."""
    names = function.__code__.co_names
    return "stdin" in names or ("input" in names and "input" not in function.__globals__)


def _shape(event: str, found: str, shown: str) -> str:
    """What the settings say of the event. Empty: nothing."""
    if event in ("", shapes.PLAIN) or found in shapes.TAKE_EVENTS or (found, event) == ("text", shapes.HTTP):
        return event
    if found in ("named", "text"):
        raise Unfit(
            f"the setting event is {event!r}, and {shown} takes no event",
            "define it as `def handler(event, context)`, or leave the setting out",
        )
    return shapes.PLAIN


def _is_view(wants: Takes, source: Source) -> bool:
    """Fission's `main()`, which takes nothing: it asks `flask.request`, or answers as a view of Flask's does."""
    function = wants.function
    if function is None or wants.names or wants.keywords:
        return False
    return frameworks.uses_flask(function) or source.returns_status(function)


def _cloud_event(target: Any, name: str, shown: str, wants: Takes) -> tuple[Callable[..., Any], str] | None:
    """functions-framework started with --signature-type=cloudevent, where no decorator says so."""
    if wants.needed != 1 or wants.function is not target or not frameworks.wants_cloud_event(wants.names[0]):
        return None
    served = frameworks.cloud_event(target, name)
    if served is None:
        raise Unfit(
            f"{shown} takes a CloudEvent, which functions-framework makes of a request",
            "list functions-framework in requirements.txt beside the code",
        )
    return served


def _adapted(target: Any, found: str, wants: Takes) -> Any:
    """What is called in its place, where it takes more or less than its signature says."""
    if found == "asgi":
        return frameworks.at_its_root(target)
    if found == "request" and not wants.names and not wants.any_positional:
        return lambda _request: target()
    if found == "args" and wants.needed == 2:
        return lambda args: target(args, platforms.ActionContext())
    if found == "event_context" and wants.event_at == 1:
        return lambda event, context: target(platforms.NuclioContext(context), event)
    return target


def open_paths(here: str, bundle: str | None) -> None:
    """Let `import` find the function's own modules first, then its bundle, then the standard library."""
    src = os.path.join(here, "src")
    sys.path[:0] = [here, *([src] if os.path.isdir(src) else []), *([bundle] if bundle else [])]

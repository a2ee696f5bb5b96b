"""Finds a function's handler and how it wants to be called, by importing the code and looking at it."""

import importlib
import os
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

MODULES = ("main", "app", "handler", "lambda_function", "function", "index")
ATTRIBUTES = ("handler", "lambda_handler", "main", "app", "application")
NOT_CODE = ("setup", "conftest", "noxfile", "manage")


class Unfit(Exception):
    """The code was imported, or could not even be tried, and has no handler that can be called. Args: what, hint."""


class Parameters(NamedTuple):
    """What a function with named parameters accepts."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    takes_any: bool
    kinds: dict[str, type]  # of those annotated as int, float or bool: what a query string is converted to


class Loaded(NamedTuple):
    call: Callable[..., Any]
    handler: str
    signature: str
    event: str  # of model.function.EventShape
    is_async: bool
    module: ModuleType
    parameters: Parameters | None


def load(handler: str, signature: str, event: str, here: str) -> Loaded:
    """Import and look. `handler` is "module:attribute", "module.attribute", "attribute" or empty.

    Raises:
        Unfit: there is nothing to call.
        BaseException: whatever the code raises when it is imported.
    """
    name, attribute = _split(handler, here)
    module = importlib.import_module(name)
    _expect_ours(module, name, here)
    if attribute:
        target: Any = module
        for part in attribute.split("."):
            if not hasattr(target, part):
                raise Unfit(
                    f"{name}.py has no {attribute!r}", f"it has: {', '.join(_public(module)) or 'nothing public'}"
                )
            target = getattr(target, part)
    else:
        attribute, target = _find(module)
    if not callable(target):
        raise Unfit(f"{name}:{attribute} is not callable", "name a function or an ASGI app with --handler")
    found = signature or describe(target)
    is_async = found == "asgi" or _is_coroutine_function(target)
    parameters = _parameters(target) if found == "named" else None
    return Loaded(target, f"{name}:{attribute}", found, event or "plain", is_async, module, parameters)


def _expect_ours(module: ModuleType, name: str, here: str) -> None:
    """A file called like a module that is imported already, json.py say, is never looked at: Python has that one."""
    path = os.path.join(here, *name.split("."))
    file = getattr(module, "__file__", None) or ""
    is_here = os.path.isfile(f"{path}.py") or os.path.isfile(os.path.join(path, "__init__.py"))
    if is_here and not file.startswith(os.path.join(here, "")):
        raise Unfit(f"{name}.py has the name of a module of Python's own, which hides it", "give the file another name")


def _split(handler: str, here: str) -> tuple[str, str]:
    if ":" in handler:
        name, attribute = handler.split(":", 1)
        return name, attribute
    if "." in handler:
        name, attribute = handler.rsplit(".", 1)
        return name, attribute
    files = sorted(entry for entry in os.listdir(here) if entry.endswith(".py"))
    names = [file[:-3] for file in files]
    for name in MODULES:
        if name in names:
            return name, handler
    rest = [name for name in names if not name.startswith(("test_", "_")) and name not in NOT_CODE]
    if len(rest) == 1:
        return rest[0], handler
    seen = ", ".join(files) or "no .py file at all"
    raise Unfit(f"cannot tell which file is the function: found {seen}", "name it: --handler module:function")


def _public(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]


def _find(module: ModuleType) -> tuple[str, Any]:
    for name in ATTRIBUTES:
        target = getattr(module, name, None)
        if callable(target):
            return name, target
    apps = [name for name, value in vars(module).items() if not name.startswith("_") and _is_asgi_object(value)]
    functions = [name for name in _public(module) if isinstance(getattr(module, name), FunctionType)]
    names = apps or functions
    if len(names) == 1:
        return names[0], getattr(module, names[0])
    if names:
        raise Unfit(
            f"{module.__name__}.py has several functions: {', '.join(names)}", "name one: --handler module:function"
        )
    raise Unfit(f"{module.__name__}.py has no function", "define `def handler(event, context)` or an ASGI `app`")


def _is_coroutine_function(target: Any) -> bool:
    code = getattr(target, "__code__", None) or getattr(getattr(type(target), "__call__", None), "__code__", None)  # noqa: B004 - wanted for its code
    return bool(code is not None and code.co_flags & 0x80)  # CO_COROUTINE, as inspect has it


def _arguments(target: Any) -> list[str]:
    """Names of the positional parameters, without self."""
    bound = target
    if not isinstance(target, FunctionType):
        bound = getattr(target, "__func__", None) or getattr(type(target), "__call__", None)  # noqa: B004 - wanted for its code
    code = getattr(getattr(bound, "__wrapped__", bound), "__code__", None)
    if code is None:
        return []
    names = list(code.co_varnames[: code.co_argcount])
    return names[1:] if names[:1] == ["self"] else names


def _is_asgi_object(value: Any) -> bool:
    if isinstance(value, type | FunctionType | ModuleType) or not callable(value):
        return False
    return _arguments(value)[:3] == ["scope", "receive", "send"]


def describe(target: Any) -> str:
    """Which of model.function.Signature the target wants."""
    names = _arguments(target)
    if names[:3] == ["scope", "receive", "send"]:
        return "asgi"
    if len(names) >= 2 and (names[1] == "context" or names[0] == "event"):
        return "event_context"
    if len(names) == 1 and names[0] in ("args", "params"):
        return "args"
    return "named"


def _parameters(target: Any) -> Parameters:
    plain = getattr(target, "__wrapped__", target)
    if not isinstance(plain, FunctionType):
        return _inspected(target)
    code, defaults = plain.__code__, len(plain.__defaults__ or ())
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    required = positional[: len(positional) - defaults] + tuple(
        k for k in keywords if k not in (plain.__kwdefaults__ or ())
    )
    return Parameters(positional + keywords, required, bool(code.co_flags & 0x08), _kinds(plain.__annotations__))


def _inspected(target: Any) -> Parameters:
    import inspect  # costs 10 ms, and most handlers are plain functions

    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # builtins do not say what they take
        return Parameters((), (), takes_any=True, kinds={})
    named = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return Parameters(
        tuple(p.name for p in named),
        tuple(p.name for p in named if p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()),
        _kinds({p.name: p.annotation for p in named}),
    )


def _kinds(annotations: dict[str, Any]) -> dict[str, type]:
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool}
    labels = {name: getattr(note, "__name__", note) for name, note in annotations.items()}
    return {name: kinds[label] for name, label in labels.items() if isinstance(label, str) and label in kinds}


def open_paths(here: str, bundle: str | None) -> None:
    """Let `import` find the function's own modules first, then its bundle, then the standard library."""
    sys.path[:0] = [here, bundle] if bundle else [here]
    importlib.invalidate_caches()

"""Which classes change, and whether each says its state."""

import inspect
from enum import Enum
from importlib import import_module
from pkgutil import walk_packages

import msgspec

FROZEN = (msgspec.Struct, Enum, tuple, BaseException)


def without_repr(package: str) -> list[str]:
    """Of all modules of a package: the classes that are neither data nor a protocol, and have no `__repr__`."""
    path = import_module(package).__path__
    modules = [import_module(module.name) for module in walk_packages(path, f"{package}.")]
    return [
        f"{module.__name__}.{name}"
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not issubclass(kind, FROZEN)
        if not getattr(kind, "_is_protocol", False) and kind.__repr__ is object.__repr__
    ]

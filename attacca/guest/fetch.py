"""Imports a module of the function's own that is one file, as most functions are, from the bytecode beside it.

What comes of it is what comes of `import`, which for a small module takes longer to find out where it lies than to take
it from there. Whatever is not just so is left to `import`: a package, an extension, bytecode that is
to be compared with its source or that is not there, other finders, other versions of Python.
"""

import _imp
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from types import CodeType, ModuleType
from typing import Any

KNOWN = (3, 11) <= sys.version_info < (3, 15)  # those whose `import` comes to just this
FINDERS = (BuiltinImporter, FrozenImporter, PathFinder)
ELSE = ("", *EXTENSION_SUFFIXES)  # after a module's name: what comes before its source
HEAD_B = 16
HEAD = importlib.util.MAGIC_NUMBER + b"\1\0\0\0"  # never compared with its source: how a deployment compiles
COMPILED = f".{sys.implementation.cache_tag}.pyc"
# Whoever imports the same meanwhile, from another thread, waits for it. Private to `importlib`.
_Lock: Any = getattr(importlib._bootstrap, "_ModuleLockManager", None)


def whole(path: str) -> bytes:
    """What is in a file; nothing where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, os.lseek(descriptor, 0, os.SEEK_END), 0)
    finally:
        os.close(descriptor)


reader: Callable[[str], bytes] = whole


def fetched(name: str, here: str) -> ModuleType | None:
    """The module of that name, which lies in `here`; None where it is to be imported.

    Raises:
        BaseException: whatever its code raises.
    """
    source = f"{here}/{name}.py"
    if not _is_the_first(name, here) or not os.access(source, os.R_OK):
        return None
    for finder in sys.meta_path[: -len(FINDERS)]:
        if finder.find_spec(name, None) is not None:
            return None
    cached = f"{here}/__pycache__/{name}{COMPILED}"
    raw = reader(cached)
    if not raw.startswith(HEAD):
        return None
    code = marshal.loads(memoryview(raw)[HEAD_B:])
    _imp._fix_co_filename(code, source)  # type: ignore[attr-defined]  # as `importlib` does
    loader = SourceFileLoader(name, source)
    spec = ModuleSpec(name, loader, origin=source)
    spec.has_location = True
    module = ModuleType(name)
    vars(module).update(__loader__=loader, __package__="", __spec__=spec, __file__=source, __cached__=cached)
    return _executed(module, code, spec)


def _is_the_first(name: str, here: str) -> bool:
    """Whether `import` would look for it in `here` first, and for its source before anything else that is there."""
    return (
        KNOWN
        and _Lock is not None
        and sys.path[:1] == [here]
        and name.isidentifier()
        and name not in sys.modules
        and not (_imp.is_builtin(name) or _imp.is_frozen(name))
        and tuple(sys.meta_path[-len(FINDERS) :]) == FINDERS
        and sys.pycache_prefix is None
        and not sys.flags.optimize
        and _imp.check_hash_based_pycs == "default"
        and not _has_else(f"{here}/{name}")
    )


def _has_else(stem: str) -> bool:
    for other in ELSE:  # noqa: SIM110 - a generator would be one more thing to be run for the first time
        if os.access(stem + other, os.F_OK):
            return True
    return False


def _executed(module: ModuleType, code: CodeType, spec: Any) -> ModuleType:
    name = module.__name__
    with _Lock(name):
        spec._initializing = True
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - the function's own, as `import` does
            module = sys.modules[name] = sys.modules.pop(name)  # which it may have replaced
        except BaseException:
            sys.modules.pop(name, None)
            raise
        finally:
            spec._initializing = False
    return module

"""The code that decides a run, as bytes: attacca's own, and the plug-ins that a scenario names, with what they import.

Modules of the standard library and of site-packages that a plug-in imports do not count; a plug-in's own package does,
wherever it lies. Imports are read from the source, those inside functions too, and so are names that are given to
`import_module` as plain text; what a plug-in reads besides, say a table of weights, is not known here.
"""

import ast
import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attacca.load.workload.scenario import Scenario

FAMILIES: Final = {  # of the choices of a system
    **{name: name for name in ("queueing", "concurrency", "keepalive", "balancing", "slots", "scaling", "placement")},
    "device_queueing": "queueing",
    "dispatch": "dispatch",
}
IMPORTING: Final = ("import_module", "__import__")
NOT_COUNTED: Final = (
    "cli/",
    "client/",
    "control/core/packages/",
    "control/deploy/",
    "control/driver.py",
    "control/http/",
    "control/secrets.py",
    "control/tokens.py",
    "io/",
    "gateway/http/",
    "guest/",
    "lab/",
    "load/report/",
    "worker/runtime/process/",
)  # never simulated
DIGESTING: Final = tuple(f"load/report/{name}.py" for name in ("breakdown", "digest", "measure"))  # what is kept


@cache
def code(package: Path) -> bytes:
    """As it was when this process first asked, for that is what it runs."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name in DIGESTING or not name.startswith(NOT_COUNTED):
            digest.update(name.encode() + path.read_bytes())
    return digest.digest()


def deciding(scenario: Scenario, package: Path) -> dict[str, str]:
    """What a run says of the code that decided it: digests, by whose it is."""
    return {"code": code(package).hex()[:12], **{name: digest[:12] for name, digest in plugins(scenario).items()}}


def plugins(scenario: Scenario) -> dict[str, str]:
    """By policy that is not attacca's own: the digest of its module and of all that it brings, as it is here."""
    found = {}
    for field, family in FAMILIES.items():
        chosen = getattr(scenario.system, field)
        if not chosen:
            continue
        choice = chosen.policy
        module = _module(family, choice)
        if module:
            found[choice] = digest_of(module)
    return found


def _module(family: str, choice: str) -> str:
    """Where a policy comes from; empty: from attacca itself."""
    name = choice
    if ":" not in choice:
        name = next((point.value for point in entry_points(group=f"attacca.policy.{family}", name=choice)), "")
    module = name.partition(":")[0].strip()
    return "" if module.partition(".")[0] == "attacca" else module


@cache
def digest_of(module: str) -> str:
    """Of a module's files and of those that it imports, by name: where they lie changes nothing."""
    digest = hashlib.blake2b(digest_size=10)
    for name, content in sorted(files(module).items()):
        digest.update(f"{name} {len(content)}\0".encode() + content)
    return digest.hexdigest()


def files(module: str) -> Mapping[str, bytes]:
    """What counts, by module name."""
    top, found, left = module.partition(".")[0], {}, [module]
    while left:
        name = left.pop()
        if name in found:
            continue
        spec = _spec(name)
        origin = None if spec is None or spec.origin is None or not spec.has_location else Path(spec.origin)
        if origin is None or not (name.partition(".")[0] == top or _is_own(name, origin)):
            continue
        try:
            found[name] = origin.read_bytes()
        except OSError:  # it is part of Python, or in an archive
            continue
        package = name if spec is not None and spec.submodule_search_locations is not None else name.rpartition(".")[0]
        if origin.suffix == ".py":
            left += imported(found[name], package)
    return found


def imported(source: bytes, package: str) -> list[str]:
    """All that a module's source may import, packages above it included. `package`: what its dots start from."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # whoever loads it says so better
        return []
    names = [name for node in ast.walk(tree) for name in _of(node, package)]
    return list(dict.fromkeys(above for name in names for above in _and_above(name)))


def _of(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            parts = package.split(".") if node.level else []
            parts = parts[: len(parts) - node.level + 1] if node.level else parts
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)  # a name in it, or a module: what there is
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _called(node.func) in (
            "import_module",
            "__import__",
        ):
            yield name


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _and_above(name: str) -> list[str]:
    parts = [part for part in name.split(".") if part]
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _spec(name: str) -> ModuleSpec | None:
    """Found without importing anything."""
    top, *more = _and_above(name)
    try:
        spec = find_spec(top)
    except ValueError:  # the program itself, say
        return None
    for below in more:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(below, list(spec.submodule_search_locations))
    return spec


def _is_own(name: str, origin: Path) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "attacca":
        return False
    return not any(origin.is_relative_to(place) for place in _installed())


@cache
def _installed() -> tuple[Path, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(Path(path) for path in sorted(path for path in paths if path))

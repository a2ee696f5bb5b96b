"""Which file is the function: by the setting, whoever's way of writing it that is, or by what lies there.

Files are looked at as source first, and only the one that is chosen is imported. In order: what people call a
function's file, at the top and then in `src/`; a Django project's `wsgi.py`; the only other file; the only package or
directory that holds one of those.
"""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from attacca.guest.source import Source

MODULES = (
    "main", "app", "handler", "lambda_function", "function", "index", "func", "application", "wsgi", "asgi",
    "server", "api",
)  # fmt: skip
DUNDER_MAIN = "__main__"  # the file of a zipped OpenWhisk action
PROGRAM = "bootstrap"  # an executable, in any language
PACKAGE = "__init__"  # the directory is one itself
ATTRIBUTES = ("handler", "lambda_handler", "main", "handle", "app", "application")
NOT_CODE = frozenset({"setup", "conftest", "noxfile", "manage", "tasks", "fabfile", "locustfile", "gunicorn_conf"})
NOT_FUNCTIONS = frozenset(
    {"tests", "test", "docs", "doc", "examples", "scripts", "migrations", "node_modules", "venv", "env", "build",
     "dist", "templates", "static", "data", "infra", "cdk", "deploy", "terraform", "site-packages", "__pycache__",
     "lost+found"}  # of a micro-VM's disk
)  # fmt: skip
LOOKED_AT = 300  # directories
SHOWN = 12  # candidates that are named


def is_program(runtime: str, handler: str, here: str) -> bool:
    """Is the function that lies in `here` a program, and no Python to be imported? `runtime` is a RuntimeKind's.

    Many a Python project has a script of that name, by which it is set up: with Python beside it, it has to be said.
    """
    if runtime != "auto" or handler not in ("", PROGRAM):
        return runtime == "custom"
    return os.path.isfile(os.path.join(here, PROGRAM)) and not any(name.endswith(".py") for name in os.listdir(here))


class Unfit(Exception):
    """The code was imported, or could not even be tried, and has no handler that can be called. Args: what, hint."""


class Place(NamedTuple):
    module: str
    attribute: str = ""  # to be found in it when empty


class Held(NamedTuple):
    """What a file defines at its top, in order."""

    functions: tuple[str, ...] = ()
    made: tuple[str, ...] = ()  # names of what a call has made: applications, perhaps
    others: frozenset[str] = frozenset()  # imported, or anything else
    is_known: bool = True  # False: it cannot be read, which importing it will say better

    def has(self, name: str) -> bool:
        return (
            not self.is_known
            or name in self.functions
            or name in self.made
            or name in self.others
            or "*" in self.others
        )

    @property
    def is_named_so(self) -> bool:
        return any(self.has(name) for name in ATTRIBUTES)

    @property
    def candidates(self) -> list[str]:
        """Public, the conventional names first."""
        known = [name for name in ATTRIBUTES if name in (*self.functions, *self.made)]
        return known or [name for name in (*self.functions, *self.made) if not name.startswith("_")]


class Finder:
    def __init__(self, here: str, source: Source) -> None:
        self._source = source
        self.here = here
        self.roots = [here, *([src] if os.path.isdir(src := os.path.join(here, "src")) else [])]

    def __repr__(self) -> str:
        return f"<Finder in {len(self.roots)} folders>"

    def place(self, handler: str) -> Place:
        """
        Raises:
            Unfit: there is no file that could be it, or there are several.
        """
        if ":" in handler:
            path, attribute = handler.split(":", 1)
            return Place(path.removesuffix(".py").replace("/", "."), attribute)
        if handler.endswith(".py"):
            return Place(handler.removesuffix(".py").replace("/", "."))
        if "." not in handler and "/" not in handler:
            return self._search(handler)
        parts = handler.replace("/", ".").split(".")
        for cut in range(len(parts), 0, -1):
            if self.path(".".join(parts[:cut])) and (cut < len(parts) or "/" in handler):
                return Place(".".join(parts[:cut]), ".".join(parts[cut:]))
        return Place(".".join(parts[:-1]), parts[-1])

    def path(self, module: str) -> str | None:
        """The file that a module would be read from, if it is the function's own."""
        for root in self.roots:
            whole = os.path.join(root, *module.split("."))
            for path in (f"{whole}.py", os.path.join(whole, "__init__.py")):
                if os.path.isfile(path):
                    return path
        return None

    def _search(self, attribute: str) -> Place:
        first: str | None = None
        for group in self._groups():
            first = first or (group[0] if group else None)
            fit = [name for name in group if self._fits(name, attribute)]
            clear = fit if attribute else self._likeliest(fit)
            if len(clear) > 1:
                raise self._several(clear, attribute)
            if clear:
                return Place(clear[0], attribute)
        if attribute and self.path(attribute):
            return Place(attribute)
        if first is not None:  # it says itself what it lacks
            return Place(first, attribute)
        raise self._nothing()

    def _nothing(self) -> Unfit:
        what, hint = "cannot tell which file is the function", "name it: --handler module:function"
        if seen := sorted(entry for entry in os.listdir(self.here) if entry.endswith(".py")):
            return Unfit(f"{what}: found {', '.join(seen)}", hint)
        if below := list(islice(_below(self.here), SHOWN)):
            hint = f"deploy the directory that holds it, such as {os.path.dirname(below[0])}"
            return Unfit(f"{what}: none is at the top, but there is {', '.join(below)}", hint)
        return Unfit(f"{what}: found no .py file at all", hint)

    def _likeliest(self, modules: list[str]) -> list[str]:
        named_so = [name for name in modules if self._held(name).is_named_so]
        return named_so or [name for name in modules if self._held(name).functions] or modules

    def _several(self, modules: list[str], attribute: str) -> Unfit:
        names = [
            f"--handler {module}:{name}"
            for module in modules
            for name in ([attribute] if attribute else self._held(module).candidates or ["NAME"])
        ]
        more = f", or one of {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        what = (
            f"cannot tell which file is the function: {', '.join(self._shown(one) for one in modules[:SHOWN])} could be"
        )
        return Unfit(what, f"name it: {' or '.join(names[:SHOWN])}{more}")

    def _shown(self, module: str) -> str:
        path = self.path(module)
        return os.path.relpath(path, self.here) if path else module

    def _groups(self) -> Iterator[list[str]]:
        """Of each, one module at most may fit."""
        for root in self.roots:
            yield self._django(root)
            for name in (*MODULES, DUNDER_MAIN):
                if _is_file(root, name):
                    yield [name]
            yield [name for name in _files(root) if name not in MODULES]
            yield list(self._inside(root))
            if _is_file(root, PACKAGE) and self._fits(PACKAGE, ""):
                yield [PACKAGE]

    def _django(self, root: str) -> list[str]:
        """Beside `manage.py` lies the project, which has one of them."""
        if not os.path.isfile(os.path.join(root, "manage.py")):
            return []
        projects = [name for name in _directories(root) if os.path.isfile(os.path.join(root, name, "settings.py"))]
        projects = projects or [
            name for name in _directories(root) if os.path.isdir(os.path.join(root, name, "settings"))
        ]
        served = (
            next((f"{name}.{kind}" for kind in ("wsgi", "asgi") if self.path(f"{name}.{kind}")), "")
            for name in projects
        )
        return [name for name in served if name]

    def _inside(self, root: str) -> Iterator[str]:
        for folder in _directories(root):
            for name in MODULES:
                module = f"{folder}.{name}"
                if self.path(module) and self._fits(module, ""):
                    yield module
                    break
            else:
                if self.path(folder) and self._fits(folder, ""):
                    yield folder

    def _fits(self, module: str, attribute: str) -> bool:
        held = self._held(module)
        name = attribute.removesuffix("()").split(".")[0]
        return held.has(name) if name else bool(held.candidates) or held.is_named_so

    def _held(self, module: str) -> Held:
        path = self.path(module)
        return Held() if path is None else held(self._source.tree(path))


def _is_file(root: str, name: str) -> bool:
    whole = os.path.join(root, name)
    return os.path.isfile(f"{whole}.py") or os.path.isfile(os.path.join(whole, "__init__.py"))


def _files(root: str) -> list[str]:
    names = sorted(entry[:-3] for entry in os.listdir(root) if entry.endswith(".py"))
    return [
        name
        for name in names
        if not name.startswith(("test_", "_")) and not name.endswith("_test") and name not in NOT_CODE
    ]


def _below(here: str) -> Iterator[str]:
    """What could be one in the directories of a whole project."""
    waiting, looked_at = _directories(here), 0
    while waiting and looked_at < LOOKED_AT:
        folder, looked_at = waiting.pop(0), looked_at + 1
        whole = os.path.join(here, folder)
        names = [*_files(whole), *([DUNDER_MAIN] if _is_file(whole, DUNDER_MAIN) else [])]
        yield from (f"{folder}/{name}.py" for name in names)
        waiting += [os.path.join(folder, one) for one in _directories(whole)]


def _directories(root: str) -> list[str]:
    return [
        name
        for name in sorted(os.listdir(root))
        if not name.startswith((".", "_"))
        and name not in NOT_FUNCTIONS
        and name != "src"
        and not name.endswith((".dist-info", ".egg-info"))
        and os.path.isdir(os.path.join(root, name))
    ]


def held(tree: Any) -> Held:
    if tree is None:
        return Held(is_known=False)
    import ast

    functions: list[str] = []
    made: list[str] = []
    others: set[str] = set()
    waiting = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(node.name)
        elif isinstance(node, ast.ClassDef):
            others.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            others |= {(one.asname or one.name).split(".")[0] for one in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            _sort_in(node.value, names, functions, made, others)
        elif isinstance(node, ast.If | ast.Try | ast.With) and not _is_script(node):
            below = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            below += [one for handler in getattr(node, "handlers", []) for one in handler.body]
            waiting += reversed(below)
    return Held(tuple(dict.fromkeys(functions)), tuple(dict.fromkeys(made)), frozenset(others))


def _sort_in(value: Any, names: list[str], functions: list[str], made: list[str], others: set[str]) -> None:
    import ast

    if isinstance(value, ast.Lambda):
        functions += names
    elif isinstance(value, ast.Call | ast.Attribute | ast.Name) and any(name in ATTRIBUTES for name in names):
        made += names
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name | ast.Attribute):
        kind = value.func.id if isinstance(value.func, ast.Name) else value.func.attr
        (made.extend if kind[:1].isupper() and kind != "Path" else others.update)(names)
    else:
        others |= set(names)


def _is_script(node: Any) -> bool:
    """`if __name__ == "__main__":` is not run here."""
    import ast

    return isinstance(node, ast.If) and any(
        isinstance(one, ast.Name) and one.id == "__name__" for one in ast.walk(node.test)
    )

"""What a function's source does with what it is given: which keys it reads, which attributes, and what it calls.

Only reads of the argument itself count, followed through assignments and into the function's own other functions; a
word in a docstring or in somebody else's dict says nothing. Where the source cannot be read, nothing is known.
"""

import os
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ast

SOURCE_BYTES = 1 << 20  # of one file; what is larger was written by a program
FUNCTIONS = 200  # that are followed from one handler
READERS = frozenset({"get", "pop", "setdefault", "__getitem__"})
OF_DICTS = READERS | {"keys", "values", "items", "copy", "update"}
SAME = frozenset({"dict", "copy", "deepcopy", "CaseInsensitiveDict", "cast"})  # what these return has the same keys
DECODERS = frozenset(
    {"loads", "parse_qs", "parse_qsl", "b64decode", "urlsafe_b64decode", "parse_raw", "model_validate_json"}
)

Keys = tuple[str, ...]  # ("requestContext", "http") is event["requestContext"]["http"]; () the argument itself


class Usage(NamedTuple):
    paths: frozenset[Keys] = frozenset()
    taken: frozenset[Keys] = frozenset()  # those of `paths` read as event["key"], which has to be there
    attributes: frozenset[str] = frozenset()
    parsed: frozenset[Keys] = frozenset()  # what is decoded as a text
    is_called: bool = False
    has_status: bool = False  # a "statusCode" is written in what was read


class Source:
    """The function's own source, file by file, each parsed once and only when somebody asks."""

    def __init__(self, here: str) -> None:
        self._here = os.path.join(here, "")
        self._trees: dict[str, ast.Module | None] = {}

    def __repr__(self) -> str:
        return f"<Source {len(self._trees)} files parsed>"

    def is_ours(self, path: str | None) -> bool:
        return bool(path) and os.path.abspath(str(path)).startswith(self._here)

    def tree(self, path: str) -> "ast.Module | None":
        """None: it cannot be parsed."""
        if path not in self._trees:
            import ast  # a template has it in any case, and a sandbox never asks

            try:
                with open(path, "rb") as file:
                    text = file.read(SOURCE_BYTES + 1)
                self._trees[path] = ast.parse(text) if len(text) <= SOURCE_BYTES else None
            except (OSError, ValueError, SyntaxError, RecursionError, MemoryError, AttributeError):
                self._trees[path] = None
        return self._trees[path]

    def usage(self, function: FunctionType | None, position: int, owner: Any = None) -> Usage:
        """What becomes of a parameter. `owner`: the object whose method the function is."""
        if function is None or position >= function.__code__.co_argcount:
            return Usage()
        name = function.__code__.co_varnames[_first(function) + position]
        reading = Reading(self, owner)
        with suppress(RecursionError):  # of an expression that goes too deep
            reading.follow(function, {name: ()})
        return reading.usage()

    def definition(self, function: FunctionType) -> "ast.AST | None":
        path = function.__code__.co_filename
        tree = self.tree(path) if self.is_ours(path) else None
        if tree is None:
            return None
        import ast

        wanted = function.__code__.co_firstlineno
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                if line == wanted and node.name == function.__code__.co_name:
                    return node
            elif isinstance(node, ast.Lambda) and node.lineno == wanted and function.__name__ == "<lambda>":
                return node
        return None

    def mentions(self, function: FunctionType | None, beginning: str) -> bool:
        """Does a text in its file begin so?"""
        path = function.__code__.co_filename if function is not None else None
        tree = self.tree(str(path)) if self.is_ours(path) else None
        if tree is None:
            return False
        import ast

        texts = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
        return any(isinstance(text, str) and text.startswith(beginning) for text in texts)

    def returns_status(self, function: FunctionType) -> bool:
        """Is `return body, 404` written in it?"""
        node = self.definition(function)
        if node is None:
            return False
        import ast

        returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
        seconds = [one.elts[1] for one in returned if isinstance(one, ast.Tuple) and len(one.elts) in (2, 3)]
        codes = [one.value for one in seconds if isinstance(one, ast.Constant)]
        return any(type(code) is int and 200 <= code <= 599 for code in codes)


def _first(function: FunctionType) -> int:
    return int(function.__code__.co_varnames[:1] in (("self",), ("cls",)))


class Reading:
    """One argument, followed from function to function."""

    def __init__(self, source: Source, owner: Any = None) -> None:
        self.source, self.owner = source, owner
        self.paths: set[Keys] = set()
        self.taken: set[Keys] = set()
        self.attributes: set[str] = set()
        self.parsed: set[Keys] = set()
        self.is_called = False
        self._seen: set[tuple[str, int, tuple[tuple[str, Keys], ...]]] = set()
        self._files: set[str] = set()

    def __repr__(self) -> str:
        return f"<Reading {len(self._seen)} functions in {len(self._files)} files, {len(self.paths)} paths>"

    def usage(self) -> Usage:
        return Usage(
            frozenset(self.paths),
            frozenset(self.taken),
            frozenset(self.attributes),
            frozenset(self.parsed),
            self.is_called,
            any(_has_status(self.source.tree(path)) for path in self._files),
        )

    def follow(self, function: FunctionType, names: dict[str, Keys]) -> None:
        code = function.__code__
        mark = code.co_filename, code.co_firstlineno, tuple(sorted(names.items()))
        if mark in self._seen or len(self._seen) >= FUNCTIONS:
            return
        self._seen.add(mark)
        node = self.source.definition(function)
        if node is not None:
            self._files.add(code.co_filename)
            _Walk(self, function, dict(names)).body(node)

    def know(self, function: FunctionType) -> None:
        """It is called, with something else: it may write the answer."""
        if self.source.is_ours(function.__code__.co_filename):
            self._files.add(function.__code__.co_filename)


class _Walk:
    """Through one function, in the order in which it is written. `names`: which variables hold what of the argument."""

    def __init__(self, reading: Reading, function: FunctionType, names: dict[str, Keys]) -> None:
        import ast

        self.ast, self.reading, self.function, self.names = ast, reading, function, names
        self.kinds: dict[type, Any] = {
            ast.Name: lambda node: self.names.get(node.id),
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.Attribute: self._attribute,
            ast.BoolOp: lambda node: self._first_of(node.values),
            ast.IfExp: lambda node: self._first_of([node.test, node.body, node.orelse][1:], beside=[node.test]),
            ast.NamedExpr: lambda node: self._assign([node.target], node.value),
            ast.Await: lambda node: self.look(node.value),
            ast.Compare: self._compare,
        }

    def body(self, node: Any) -> None:
        statements = node.body if isinstance(node.body, list) else [node.body]
        for statement in statements:
            self.look(statement)

    def look(self, node: Any) -> Keys | None:
        """Everything below it; and which part of the argument it is, if it is one."""
        kind = self.kinds.get(type(node))
        if kind is not None:
            return kind(node)  # type: ignore[no-any-return]
        if isinstance(node, self.ast.Assign):
            self._assign(node.targets, node.value)
        elif isinstance(node, self.ast.AnnAssign) and node.value is not None:
            self._assign([node.target], node.value)
        elif isinstance(node, self.ast.For | self.ast.AsyncFor | self.ast.comprehension):
            self.look(node.iter)
            self._below(node, beside=("iter", "target"))
        else:
            self._below(node)
        return None

    def _below(self, node: Any, beside: tuple[str, ...] = ()) -> None:
        for field, value in self.ast.iter_fields(node):
            if field not in beside:
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, self.ast.AST):
                        self.look(one)

    def _assign(self, targets: list[Any], value: Any) -> Keys | None:
        keys = self.look(value)
        for target in targets:
            if isinstance(target, self.ast.Name):
                if keys is not None:
                    self.names[target.id] = keys
            else:
                self._below(target)
        return keys

    def _first_of(self, nodes: list[Any], beside: list[Any] | None = None) -> Keys | None:
        for node in beside or []:
            self.look(node)
        found = [self.look(node) for node in nodes]
        return next((keys for keys in found if keys is not None), None)

    def _text(self, node: Any) -> str | None:
        return node.value if isinstance(node, self.ast.Constant) and isinstance(node.value, str) else None

    def _subscript(self, node: Any) -> Keys | None:
        keys, key = self.look(node.value), self._text(node.slice)
        if key is None:
            self.look(node.slice)
        if keys is None or key is None or not isinstance(node.ctx, self.ast.Load):
            return None
        self.reading.taken.add((*keys, key))
        return self._read(keys, key)

    def _read(self, keys: Keys, key: str) -> Keys:
        self.reading.paths.add((*keys, key))
        return (*keys, key)

    def _compare(self, node: Any) -> None:
        key = self._text(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            keys = self.look(right)
            if keys is not None and key is not None and isinstance(operator, self.ast.In | self.ast.NotIn):
                self._read(keys, key)
        self.look(node.left)

    def _attribute(self, node: Any) -> None:
        if self.look(node.value) == () and node.attr not in OF_DICTS:
            self.reading.attributes.add(node.attr)

    def _call(self, node: Any) -> Keys | None:
        given = [self.look(one) for one in node.args]
        named = {one.arg: self.look(one.value) for one in node.keywords}
        called = node.func
        if isinstance(called, self.ast.Attribute):
            keys = self.look(called.value)
            key = self._text(node.args[0]) if node.args else None
            if keys is not None and called.attr in READERS:
                return self._read(keys, key) if key is not None else None
            if keys is not None:
                self._attribute(called)
                return keys if called.attr == "copy" else None
        elif self.look(called) == ():
            self.reading.is_called = True
        return self._passed_to(self._dotted(called), given, named)

    def _passed_to(self, dotted: list[str], given: list[Keys | None], named: dict[Any, Keys | None]) -> Keys | None:
        if not dotted:
            return None
        first = next((keys for keys in given if keys is not None), None)
        if first is not None and dotted[-1] in DECODERS:
            self.reading.parsed.add(first)
        if dotted[-1] in SAME | DECODERS:
            return first
        function = self._resolve(dotted)
        if function is not None:
            self._enter(function, given, named)
        return None

    def _enter(self, function: FunctionType, given: list[Keys | None], named: dict[Any, Keys | None]) -> None:
        code = function.__code__
        places = code.co_varnames[_first(function) : code.co_argcount]
        known = {name: keys for name, keys in zip(places, given, strict=False) if keys is not None}
        known |= {name: keys for name, keys in named.items() if keys is not None and name in code.co_varnames}
        if known:
            self.reading.follow(function, known)
        else:
            self.reading.know(function)

    def _dotted(self, node: Any) -> list[str]:
        parts: list[str] = []
        while isinstance(node, self.ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        return [node.id, *parts] if isinstance(node, self.ast.Name) else []

    def _own(self, name: str) -> FunctionType | None:
        """A function that the object holds, or another of its methods."""
        held = getattr(self.reading.owner, "__dict__", {}).get(name)
        return held if isinstance(held, FunctionType) else _method(self.function, name)

    def _resolve(self, dotted: list[str]) -> FunctionType | None:
        """By looking, and nothing of the user's runs for it: only modules and classes are asked."""
        if dotted[0] in ("self", "cls"):
            return self._own(dotted[1]) if len(dotted) == 2 else None
        found = _enclosed(self.function, dotted[0]) or self.function.__globals__.get(dotted[0])
        for part in dotted[1:]:
            found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
        while isinstance(found, FunctionType) and isinstance(vars(found).get("__wrapped__"), FunctionType):
            found = vars(found)["__wrapped__"]
        return found if isinstance(found, FunctionType) else None


def _enclosed(function: FunctionType, name: str) -> Any:
    """What a wrapper wraps is a variable of the function around it."""
    for known, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        if known == name:
            with suppress(ValueError):  # not set yet
                return cell.cell_contents
    return None


def _method(function: FunctionType, name: str) -> FunctionType | None:
    """Another method of the class that this one belongs to, by its name."""
    owner: Any = function.__globals__
    for part in function.__qualname__.split(".")[:-1]:
        owner = owner.get(part) if isinstance(owner, dict) else vars(owner).get(part)
        if not isinstance(owner, type):
            return None
    found = vars(owner).get(name) if isinstance(owner, type) else None
    return found if isinstance(found, FunctionType) else None


def _has_status(tree: "ast.Module | None") -> bool:
    if tree is None:
        return False
    import ast

    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [one.value for one in node.keys if isinstance(one, ast.Constant)]
        elif isinstance(node, ast.Call):
            keys = [one.arg for one in node.keywords]
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            keys = [node.slice.value] if isinstance(node.ctx, ast.Store) else []
        else:
            continue
        if "statusCode" in keys:
            return True
    return False

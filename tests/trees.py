"""The package as text, and modules as trees, of which house rules look at the statements only."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "attacca").rglob("*.py"))
IMPORT = re.compile(
    r"^[ \t]*(?:from (attacca[\w.]*) import (?:\(([^)]*)\)|([^\n]*))|import (attacca[\w.]*))", re.MULTILINE
)
COMMENT = re.compile(r"#[^\n]*")

Modules = Mapping[str, str]  # of each dotted name its text; a package's text is its __init__'s


def modules() -> dict[str, str]:
    found = {}
    for path in PACKAGE:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imported(text: str, known: Modules) -> Iterator[str]:
    """The modules that a text imports, wherever in it, for types too."""
    for package, several, few, whole in IMPORT.findall(text):
        if whole:
            yield whole
            continue
        for name in COMMENT.sub("", several or few).split(","):
            inner = f"{package}.{name.split()[0]}" if name.split() else package
            yield inner if inner in known else package


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All that are anywhere in it. What is inside expressions need not be looked at, and is most of it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from statements(child)

"""The agent goes into sandboxes that hold nothing of ours but it, and what forks it starts on a bare interpreter."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cases import each
from tests.trees import statements

ROOT = Path(__file__).parents[2]
AGENT = "attacca.guest"
FORK_SERVER = "attacca.worker.runtime.process.zygote"
ALLOWED = {AGENT: (AGENT,), FORK_SERVER: (AGENT, FORK_SERVER)}


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """The modules that are imported anywhere in it; `from package import module` as the module."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], node.module or ""])
            yield from ([node.module] if node.level == 0 and node.module else [module.rstrip(".")])


def foreign(text: str, package: str) -> list[str]:
    """What a module of this package imports and must not."""
    return [
        name
        for name in imported(ast.parse(text), package)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == own or name.startswith(f"{own}.") for own in ALLOWED[package])
    ]


@pytest.mark.parametrize("package", ALLOWED)
def test_they_import_the_standard_library_and_each_other(package: str) -> None:
    files = sorted(ROOT.joinpath(*package.split(".")).rglob("*.py"))
    assert len(files) > 10
    assert {file.name: found for file in files if (found := foreign(file.read_text(), package))} == {}


@each(
    "line, package, found",
    [
        ("import rich", AGENT, ["rich"]),
        ("import json, rich.table as table", AGENT, ["rich.table"]),
        ("def draw():\n    from rich.console import Console", AGENT, ["rich.console"]),
        ("try:\n    import msgspec\nexcept ImportError:\n    msgspec = None", FORK_SERVER, ["msgspec"]),
        ("from attacca.errors import BadInput", AGENT, ["attacca.errors"]),
        (f"from {FORK_SERVER} import linux", AGENT, [FORK_SERVER]),
        (f"from {FORK_SERVER} import linux", FORK_SERVER, []),
        ("from attacca.guesthouse import beds", AGENT, ["attacca.guesthouse"]),
        ("from .. import errors", AGENT, ["attacca"]),
        ("from ..kernel.clock import Clock", AGENT, ["attacca.kernel.clock"]),
        ("from . import channel\nfrom .link import Link\nimport os.path", AGENT, []),
    ],
)
def test_what_does_not_belong_is_found(line: str, package: str, found: list[str]) -> None:
    assert foreign(line, package) == found

"""Which modules are compiled, and that these can be."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.compile import ROOT, modules, told, wanted, why_not
from tests.trees import statements

DATA = {
    "Enum",
    "Exception",
    "NamedTuple",
    "Protocol",
    "StrEnum",
    "IntEnum",
    "msgspec.Struct",
}  # classes as Python has them
CLASS = re.compile(r"^ *class (\w+)(?:\(([^:]*?)\))?:", re.MULTILINE)


def test_every_folder_that_decides_is_among_them() -> None:
    folders = [path for path in sorted((ROOT / "attacca").glob("*/core")) if path.is_dir()]
    names = [str(path.relative_to(ROOT)) for path in folders]
    assert [
        name for name in [*names, "attacca/kernel", "attacca/model", "attacca/policy"] if name not in told()["pure"]
    ] == []
    assert [place for place in (*told()["pure"], *told()["hot"]) if not (ROOT / place).exists()] == []


def test_whatever_is_not_compiled_says_why() -> None:
    assert {str(path) for path in wanted() if not why_not(path)} == set(modules())
    assert [place for place, why in told()["left-out"].items() if not why or not (ROOT / place).exists()] == []
    assert "attacca/worker/core/scheduler.py" in modules()
    assert (
        why_not(Path("attacca/policy/queueing/fcfs.py"))
        == "Fcfs has keywords in its class statement, which mypyc drops"
    )


def bases(text: str) -> Mapping[str, set[str]]:
    return {name: {base.strip().partition("[")[0] for base in of.split(",")} - {""} for name, of in CLASS.findall(text)}


def heirs(compiled: Mapping[str, str], written: Mapping[str, str]) -> list[str]:
    """Classes as they are written that inherit from a compiled one, which that allows nobody: modules to their text."""
    native = {(module, name) for module, text in compiled.items() for name, of in bases(text).items() if not of & DATA}
    named = re.compile(rf"^ *class \w+\(.*\b({'|'.join(name for _, name in native)})\b", re.MULTILINE)
    found = []
    for module, text in written.items():
        if not named.search(text):
            continue
        tree = ast.parse(text)
        imported = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in statements(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        found += [
            f"{module}.{name}" for name, of in bases(text).items() if any(imported.get(base) in native for base in of)
        ]
    return found


def test_nobody_inherits_from_what_is_compiled() -> None:
    compiled = set(modules())
    paths = [path for folder in ("attacca", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in paths}

    def of(*, are_compiled: bool) -> dict[str, str]:
        return {
            path.removesuffix(".py").replace("/", "."): text
            for path, text in texts.items()
            if (path in compiled) is are_compiled
        }

    assert heirs(of(are_compiled=True), of(are_compiled=False)) == [], "list the base's module under left-out"


@pytest.mark.parametrize(("base", "said"), [("class A: ...", ["b.B"]), ("class C: ...\nclass A(Protocol): ...", [])])
def test_an_heir_is_found(base: str, said: list[str]) -> None:
    assert heirs({"a": base}, {"b": "from a import A\nclass B(A): ...", "c": "class B(A): ..."}) == said

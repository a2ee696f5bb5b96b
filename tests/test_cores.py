"""Which cores run, and which modules they are."""

import ast
import os
import re
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from attacca.cores import SUMS, Source, changed, sum_of
from scripts.compile import ROOT, built, modules, pure, told, why_not
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


def write(package: Path, **texts: str) -> None:
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text)
    sums = [sum_of(str(path), path.name) for path in sorted(package.glob("*.py"))]
    (package / SUMS).write_text("".join(sums))


def test_what_was_compiled_from_another_source_is_known_by_its_file(tmp_path: Path) -> None:
    assert changed(str(tmp_path)) == "", "nothing was compiled"
    write(tmp_path, one="a = 1\n", two="b = 2\n")
    assert changed(str(tmp_path)) == ""
    (tmp_path / "two.py").write_text("b = 3\n")
    assert changed(str(tmp_path)) == "two.py"
    write(tmp_path)
    (tmp_path / "one.py").unlink()
    assert changed(str(tmp_path)) == "one.py"


def test_a_copy_of_another_age_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, one="a = 1\n")
    os.utime(tmp_path / "one.py", ns=(1, 1))
    assert changed(str(tmp_path)) == ""


def test_of_the_same_source_extensions_are_made_once(tmp_path: Path) -> None:
    package = tmp_path / "attacca"
    package.mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    write(package, one="a = 1\n")
    times = 0

    def make(_: Path, into: Path) -> None:
        nonlocal times
        times += 1
        (into / "lib/attacca").mkdir(parents=True)
        (into / f"lib/attacca/{times}.so").write_text("")

    assert built(tmp_path, make) == built(tmp_path, make) == (tmp_path / "build/cores/lib", [Path("attacca/1.so")])
    write(package, two="b = 2\n")
    assert built(tmp_path, make)[1] == [Path("attacca/2.so")], "nothing of before is left"
    (package / "two.py").write_text("b = 3\n")
    assert built(tmp_path, make)[1] == [Path("attacca/3.so")]


def test_what_was_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "attacca").mkdir()
    (tmp_path / "pyproject.toml").write_text("")

    def fail(_: Path, into: Path) -> None:
        (into / "lib").mkdir(parents=True)
        (into / "lib/half.so").write_text("")
        raise SystemExit

    for _ in range(2):
        with pytest.raises(SystemExit):
            built(tmp_path, fail)
    assert built(tmp_path, lambda _, into: (into / "lib").mkdir())[1] == []


def test_the_source_is_found_beside_what_was_compiled(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("")
    (tmp_path / f"one{EXTENSION_SUFFIXES[0]}").write_text("")
    source = Source()
    found = source.find_spec("attacca.one", [str(tmp_path)])
    assert found is not None
    assert found.origin == str(tmp_path / "one.py")
    assert source.find_spec("attacca.two", [str(tmp_path)]) is None
    assert source.find_spec("other.one", [str(tmp_path)]) is None
    assert source.find_spec("attacca") is None
    assert repr(source) == "<Source of 1 folders>"


def test_every_folder_that_decides_is_among_them() -> None:
    folders = [path for path in sorted((ROOT / "attacca").glob("*/core")) if path.is_dir()]
    names = [str(path.relative_to(ROOT)) for path in folders]
    assert [
        name for name in [*names, "attacca/kernel", "attacca/model", "attacca/policy"] if name not in told()["pure"]
    ] == []
    assert [place for place in told()["pure"] if not (ROOT / place).exists()] == []


def test_whatever_is_not_compiled_says_why() -> None:
    assert {str(path) for path in pure() if not why_not(path)} == set(modules())
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

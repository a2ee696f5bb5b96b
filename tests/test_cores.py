"""Which cores run."""

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from attacca.cores import SUMS, Source, changed, sum_of
from scripts.compile import built


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

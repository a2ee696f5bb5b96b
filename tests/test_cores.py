"""Which cores run."""

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from attacca.cores import SUMS, Source, changed, sum_of
from attacca.policy.balancing import level
from attacca.policy.balancing.types import Asked, Picked
from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting
from scripts.compile import built, keeping
from tests.policy.balancing.fleet import Facts


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


LOOKS = """#include "__native_cores.h"
#include "__native_internal_cores.h"
    cpy_r_r1 = CPyStatic_level___globals;
    cpy_r_r2 = CPyStatics[7]; /* 'Picked' */
    cpy_r_r3 = CPyDict_GetItem(cpy_r_r1, cpy_r_r2);
    cpy_r_r4 = CPyDict_GetItem(cpy_r_workers, cpy_r_r2);
    cpy_r_r5 = CPyObject_GetAttr(cpy_r_r4, cpy_r_r2);
    cpy_r_r7 = CPyStatics[8]; /* 'name' */
    cpy_r_r8 = CPyObject_GetAttr(cpy_r_r4, cpy_r_r7);
    cpy_r_r6 = PyObject_VectorcallMethod(cpy_r_r2, cpy_r_r9, 9223372036854775810ULL, 0);
"""


def test_what_is_looked_up_by_one_name_is_kept_and_nothing_else() -> None:
    before, after = LOOKS.splitlines(), keeping(LOOKS).splitlines()
    assert after.pop(2) == "#include <kept.h>"
    assert [new for old, new in zip(before, after, strict=True) if new != old] == [
        "    cpy_r_r3 = KEPT_NAME(cpy_r_r1, cpy_r_r2);",
        "    cpy_r_r8 = KEPT_ATTRIBUTE(cpy_r_r4, cpy_r_r7);",
        "    cpy_r_r6 = KEPT_METHOD(cpy_r_r2, cpy_r_r9, 9223372036854775810ULL, 0);",
    ]


class Shown:
    """A worker of another class."""

    def __init__(self, name: str, queued: int) -> None:
        self.name, self._queued = name, queued
        self.running, self.limit = 0, 1

    @property
    def queued(self) -> int:
        return self._queued


class Keyed:
    __slots__ = ("_key",)  # methods of what has a dictionary of its own are not kept

    def __init__(self, key: float) -> None:
        self._key = key

    def key(self, item: Waiting) -> float:
        return self._key

    def why(self, item: Waiting) -> str:
        return str(self._key)


def picks(*fleet: object) -> str:
    balancer = level.Level()
    balancer.among(fleet)  # type: ignore[arg-type]  # they have what is asked for
    return balancer.pick(0.0, Asked("f")).worker


def test_what_is_bound_anew_is_found_whatever_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picks(Facts("a", queued=1), Facts("b")) == "b"
    assert picks(Shown("a", 1), Shown("b", 0)) == "b", "an attribute of another class"
    assert picks(Facts("a"), Facts("b", queued=1)) == "a"
    monkeypatch.setattr(Shown, "queued", property(lambda self: -self._queued))
    assert picks(Shown("a", 1), Shown("b", 0)) == "a", "another attribute of the same class"
    monkeypatch.setattr(level, "Picked", lambda worker, why: Picked(worker.upper(), why))
    assert picks(Facts("a")) == "A", "another name of the module"
    monkeypatch.undo()
    assert picks(Facts("a")) == "a"
    assert picks(Shown("a", 1), Shown("b", 0)) == "b"


def test_a_method_that_is_bound_anew_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = HeapQueue(Keyed(1.0))
    queue.push(0.0, Waiting("1", "f", 0.0))
    queue.push(0.0, Waiting("2", "f", 0.0))
    monkeypatch.setattr(Keyed, "key", lambda self, item: 0.0)
    queue.push(0.0, Waiting("3", "f", 0.0))
    popped = [queue.pop(0.0, lambda _: True) for _ in range(3)]
    assert [one.item.id for one in popped if one is not None] == ["3", "1", "2"]

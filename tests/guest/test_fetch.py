"""A function's module comes to what `import` makes of it, whichever of the two has brought it."""

import importlib
import importlib.abc
import inspect
import pkgutil
import py_compile
import sys
import types
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from attacca.guest import fetch

NAME = "fetched_by_a_test"
SOURCE = '"""What it is."""\nA = 1\n\n\ndef handler(event):\n    return __name__, __file__\n'
UNCHECKED, CHECKED, TIMED = (
    py_compile.PycInvalidationMode.UNCHECKED_HASH,
    py_compile.PycInvalidationMode.CHECKED_HASH,
    py_compile.PycInvalidationMode.TIMESTAMP,
)

pytestmark = pytest.mark.skipif(not fetch.KNOWN, reason="this Python's `import` may come to something else")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*fetch.FINDERS])  # as in a sandbox: libraries of the tests have theirs
    write(tmp_path, SOURCE)
    yield tmp_path
    sys.modules.pop(NAME, None)


def write(here: Path, source: str, mode: py_compile.PycInvalidationMode = UNCHECKED, name: str = NAME) -> None:
    (here / f"{name}.py").write_text(source)
    py_compile.compile(str(here / f"{name}.py"), invalidation_mode=mode)


def both(here: Path) -> list[types.ModuleType]:
    """By us, and by `import`."""
    found = []
    for is_ours in (True, False):
        module = fetch.fetched(NAME, str(here)) if is_ours else importlib.import_module(NAME)
        assert module is not None
        assert sys.modules.pop(NAME) is module
        found.append(module)
    return found


def seen(module: types.ModuleType) -> dict[str, Any]:
    """All of it that can be compared."""
    spec: Any = module.__spec__
    told = {name: value for name, value in vars(module).items() if name not in ("__spec__", "__loader__", "handler")}
    code = vars(module)["handler"].__code__
    asked = (spec.cached, spec.parent, spec.has_location)  # one finds out where its bytecode lies when it is asked
    about_spec = {name: value for name, value in vars(spec).items() if name != "loader"}
    loaders = [(type(one).__name__, vars(one)) for one in (spec.loader, vars(module)["__loader__"])]
    return {
        "names": list(vars(module)), "told": told, "spec": about_spec, "asked": asked,
        "loaders": loaders, "code": (code.co_filename, code.co_firstlineno, code), "said": repr(module),
    }  # fmt: skip


def test_it_is_the_same_module(here: Path) -> None:
    ours, theirs = map(seen, both(here))
    assert ours == theirs
    assert ours["code"][0] == f"{here}/{NAME}.py"


def test_what_asks_for_its_source_or_its_files_finds_them(here: Path) -> None:
    (here / "told.txt").write_text("told")
    module = fetch.fetched(NAME, str(here))
    assert module is not None
    assert inspect.getsource(vars(module)["handler"]).startswith("def handler")
    assert pkgutil.get_data(NAME, "told.txt") == b"told"
    assert importlib.reload(module) is module


def test_wherever_it_was_compiled_it_says_where_it_lies(here: Path) -> None:
    cached = importlib.util.cache_from_source(str(here / f"{NAME}.py"))
    py_compile.compile(str(here / f"{NAME}.py"), cached, dfile="elsewhere.py", invalidation_mode=UNCHECKED)
    ours, theirs = map(seen, both(here))
    assert ours == theirs


class Else(importlib.abc.MetaPathFinder):
    """Has another module of that name."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, None) if name == NAME else None


LEFT: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    "a package": lambda here, _: (here / NAME).mkdir(),
    "an extension": lambda here, _: (here / f"{NAME}{EXTENSION_SUFFIXES[0]}").touch(),
    "no source": lambda here, _: (here / f"{NAME}.py").unlink(),
    "no bytecode": lambda here, _: Path(importlib.util.cache_from_source(str(here / f"{NAME}.py"))).unlink(),
    "compared by time": lambda here, _: write(here, SOURCE, TIMED),
    "compared": lambda here, _: write(here, SOURCE, CHECKED),
    "elsewhere first": lambda here, patch: patch.setattr(sys, "path", [str(here / "else"), *sys.path]),
    "another finder": lambda _, patch: patch.setattr(sys, "meta_path", [Else(), *sys.meta_path]),
    "last finder": lambda _, patch: patch.setattr(sys, "meta_path", [*sys.meta_path, Else()]),
    "imported": lambda _, patch: patch.setitem(sys.modules, NAME, types.ModuleType(NAME)),
    "bytecode elsewhere": lambda here, patch: patch.setattr(sys, "pycache_prefix", str(here)),
}


@pytest.mark.parametrize("what", LEFT)
def test_whatever_is_not_just_so_is_left_to_import(here: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    LEFT[what](here, monkeypatch)
    before = sys.modules.get(NAME)
    assert fetch.fetched(NAME, str(here)) is None
    assert sys.modules.get(NAME) is before


@pytest.mark.parametrize("name", ["time", "__hello__", "json.decoder", ""])
def test_what_is_pythons_own_and_what_is_no_name_of_a_file_is_left_to_import(here: Path, name: str) -> None:
    if name:
        write(here, SOURCE, name=name)
    assert fetch.fetched(name, str(here)) is None


def test_what_its_code_raises_is_raised_and_nothing_of_it_is_left(here: Path) -> None:
    write(here, "raise RuntimeError('no')\n")
    with pytest.raises(RuntimeError, match="no"):
        fetch.fetched(NAME, str(here))
    assert NAME not in sys.modules


def test_it_may_put_something_else_in_its_place(here: Path) -> None:
    write(here, "import sys, types\nsys.modules[__name__] = types.SimpleNamespace(is_other=True)\n")
    found = fetch.fetched(NAME, str(here))
    assert found is sys.modules[NAME]
    assert vars(found) == {"is_other": True}


def test_whoever_imports_it_meanwhile_waits_until_all_of_it_is_there(here: Path) -> None:
    write(
        here,
        "import threading\nbegun, seen = threading.Event(), []\n"
        "def look():\n    begun.set()\n    import fetched_by_a_test as it\n    seen.append(hasattr(it, 'LATE'))\n"
        "thread = threading.Thread(target=look)\nthread.start()\nbegun.wait()\n"
        "for _ in range(10_000):\n    pass\nLATE = 1\n",
    )
    module: Any = fetch.fetched(NAME, str(here))
    module.thread.join()
    assert module.seen == [True]

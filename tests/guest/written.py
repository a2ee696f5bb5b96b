"""Code that is written down and then looked at as the guest would, with nothing of it left behind."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import ModuleType

from attacca.guest.load import Loaded, Unfit, load, load_known, open_paths

COMMON = ("main", "app", "handler", "function")  # names of modules that people write


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


@contextmanager
def imports_from(here: Path, bundle: Path | None) -> Iterator[None]:
    paths, modules, finders = list(sys.path), set(sys.modules), set(sys.path_importer_cache)
    brought = {path.stem for path in bundle.iterdir()} if bundle else set()
    names = modules.intersection(COMMON)
    if brought:
        names |= {name for name in modules if name.partition(".")[0] in brought}
    stands_aside: dict[str, ModuleType] = {name: sys.modules.pop(name) for name in names}
    open_paths(str(here), str(bundle) if bundle else None)
    keeps_nothing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = keeps_nothing
        sys.path[:] = paths
        folder = str(here.parent)
        for name in sys.modules.keys() - modules:
            if str(getattr(sys.modules[name], "__file__", None) or here).startswith(folder):
                del sys.modules[name]
        sys.modules.update(stands_aside)
        for path in sys.path_importer_cache.keys() - finders:
            del sys.path_importer_cache[path]


def look(
    folder: Path,
    code: str | dict[str, str],
    handler: str = "",
    event: str = "",
    *,
    bundle: dict[str, str] | None = None,
) -> Loaded:
    """The function that is found in these files; one text is main.py. A sandbox of it finds the same."""
    here = write(folder / "function", {"main.py": code} if isinstance(code, str) else code)
    brought = write(folder / "bundle", bundle) if bundle else None
    with imports_from(here, brought):
        found = load(handler, "", event, str(here))
        again = load_known(found.handler, found.signature, found.event, str(here))
        assert (again[1:5], again.module.__name__) == (found[1:5], found.module.__name__)
        assert (again.parameters is None) == (found.parameters is None)
        return found


def refusal(folder: Path, code: str | dict[str, str], handler: str = "", event: str = "") -> tuple[str, str]:
    """Why it cannot be a function, and what to do."""
    try:
        found = look(folder, code, handler, event)
    except Unfit as error:
        what, hint = error.args
        return what, hint
    raise AssertionError(f"{found.handler} was found, {found.signature}")

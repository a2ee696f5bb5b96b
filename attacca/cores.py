"""Which cores run: compiled ones, where there are any of just this source; else the source itself.

A wheel may bring them along. `make compile` makes them in a checkout and writes down what they were made from.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType

PACKAGE = os.path.dirname(os.path.abspath(__file__))
SUMS = "cores.sums"  # of all that went into them: digest, size, age, name; in a checkout alone
ASKED, PYTHON = "ATTACCA_CORES", "python"  # ATTACCA_CORES=python: the source, whatever there is
ONE = "attacca.kernel.drive"  # if it is compiled, all are


class Source:
    """Finds the modules of attacca as they are written, and nothing that was compiled from them."""

    def __init__(self) -> None:
        self._finders: dict[str, FileFinder] = {}  # by folder

    def __repr__(self) -> str:
        return f"<Source of {len(self._finders)} folders>"

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not name.startswith("attacca."):
            return None
        folder = path[0]
        finder = self._finders.get(folder)
        if finder is None:
            finder = self._finders[folder] = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
        return finder.find_spec(name)


def choose() -> None:
    """Before the first of them is imported."""
    if os.environ.get(ASKED) == PYTHON or changed():
        sys.meta_path.insert(0, Source())


def changed(package: str = PACKAGE) -> str:
    """A file that is not as it was when the cores were compiled; empty if there is none, or nothing was compiled."""
    try:
        with open(os.path.join(package, SUMS)) as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    for line in lines:
        digest, size, modified, name = line.split(" ", 3)
        if not _is_same(os.path.join(package, name), digest, (size, modified)):
            return name
    return ""


def sum_of(path: str, name: str) -> str:
    """A line of them."""
    found = os.stat(path)
    return f"{_digest(path)} {found.st_size} {found.st_mtime_ns} {name}\n"


def _is_same(path: str, digest: str, size_and_age: tuple[str, str]) -> bool:
    """One of another age is read before it counts as another: a copy has its own."""
    try:
        found = os.stat(path)
        return (str(found.st_size), str(found.st_mtime_ns)) == size_and_age or _digest(path) == digest
    except OSError:
        return False


def _digest(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def are_compiled() -> bool:
    """Those that this process has, or would have."""
    spec = find_spec(ONE)
    return spec is not None and (spec.origin or "").endswith(tuple(EXTENSION_SUFFIXES))

"""Which packages begin where most of what libraries import of the standard library is there already: those that have
libraries, and would see no difference."""

import os
import sys
from collections.abc import Collection, Iterator
from functools import lru_cache

from attacca.model.function import PythonDirectory, Revision, SecretAs
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.process.zygote import furniture

KNOWN = 1024  # artefacts
LOOKED_AT = 256  # directories of one
PACKAGE = "__init__"
MORE = "..."  # in place of names that were not looked at
LIBRARY = (".dist-info", ".egg-info")  # what lies beside one that was installed
STANDARD = sys.stdlib_module_names - {"test"}  # which nothing imports
PATCHERS = frozenset({"gevent", "eventlet"})  # change modules, and want to be there before others import these
PATHS = "PYTHONPATH"


def is_fit(names: frozenset[str], variables: Collection[str], *, has_bundle: bool) -> bool:
    """`names` are of all modules that the package's code or one of its libraries could import as its own."""
    if not has_bundle and not any(name.endswith(LIBRARY) for name in names):
        return False
    if MORE in names or PATHS in variables or any(name.startswith(furniture.READ) for name in variables):
        return False
    return not names & STANDARD and not names & PATCHERS


class Furnishing:
    def __init__(self, store: CodeStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<Furnishing from {self._store!r}>"

    def suits(self, revision: Revision) -> bool:
        """Of an image no process is ours before it has its own interpreter."""
        artefact, settings = revision.artefact, revision.settings
        if not isinstance(artefact, PythonDirectory):
            return False
        bundle = str(self._store.bundles / artefact.bundle) if artefact.bundle else None
        try:
            names = _names(str(self._store.code / artefact.code), bundle)
        except OSError:  # whoever is told to import it says why better
            return False
        variables = {*settings.env, *settings.secrets_as(SecretAs.ENV)}
        return is_fit(names, variables, has_bundle=bundle is not None)


@lru_cache(KNOWN)
def _names(code: str, bundle: str | None) -> frozenset[str]:
    """
    Raises:
        OSError: it cannot be read.
    """
    return frozenset([*_modules(code), *(name for name, _ in (_listed(bundle) if bundle else ()))])


def _modules(top: str) -> Iterator[str]:
    """Also of what lies in directories that are no packages, which code puts where modules are looked for."""
    waiting = [top]
    for _ in range(LOOKED_AT):
        if not waiting:
            return
        found = dict(_listed(place := waiting.pop()))
        if place != top and PACKAGE in found:
            continue
        yield from found
        waiting += [os.path.join(place, name) for name, is_directory in found.items() if is_directory]
    yield MORE


def _listed(place: str) -> Iterator[tuple[str, bool]]:
    """What could be imported by which name, and whether it is a directory."""
    with os.scandir(place) as entries:
        for entry in entries:
            stem, _, kind = entry.name.partition(".")
            is_module = kind in ("py", "pyc", "so") or kind.endswith(".so")
            yield stem if is_module else entry.name, not kind and entry.is_dir(follow_symlinks=False)

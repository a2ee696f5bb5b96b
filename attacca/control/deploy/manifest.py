"""Finds in a function's directory what it requires: which of the files there counts, and what is passed over."""

import os
import stat
from pathlib import Path

import msgspec

from attacca.control.core.packages.project import (
    HEADS,
    PYPROJECT,
    Declared,
    expect_python,
    read_pyproject,
    read_script,
)
from attacca.control.core.packages.requirements import Reading, Requirements
from attacca.errors import BadRequest
from attacca.kernel.text import AS_UTF_8, decoded

LIST = "requirements.txt"
MOST_KB = 256  # of one file
MOST_SCRIPTS = 100
SCRIPT = b"# /// script"
NOT_READ = {  # and what makes a requirements.txt of it, or stands in for it
    "uv.lock": "uv export --format requirements-txt -o requirements.txt",
    "pylock.toml": "uv pip compile pyproject.toml -o requirements.txt",
    "poetry.lock": "poetry export -o requirements.txt",
    "pdm.lock": "pdm export -o requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "Pipfile": "pipenv requirements > requirements.txt",
    "requirements.in": "uv pip compile requirements.in -o requirements.txt",
    "environment.yml": "pip list --format=freeze > requirements.txt, inside the environment",
    "environment.yaml": "pip list --format=freeze > requirements.txt, inside the environment",
    "conda.yaml": "pip list --format=freeze > requirements.txt, inside the environment",
    "requirements/base.txt": "a requirements.txt with the line `-r requirements/base.txt`",
    "requirements/prod.txt": "a requirements.txt with the line `-r requirements/prod.txt`",
    "setup.py": "uv pip compile setup.py -o requirements.txt",
    "setup.cfg": "uv pip compile setup.cfg -o requirements.txt",
}
LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock")


class Found(msgspec.Struct, frozen=True):
    requirements: Requirements | None
    notes: tuple[str, ...] = ()


def find(code: Path, python: str, *, allow_source_builds: bool) -> Found:
    """Blocking: belongs in a thread. requirements.txt counts before pyproject.toml, and that before a script's header.

    Raises:
        BadRequest: one of the files is not taken.
    """
    folder = Folder(code)
    reading = Reading(folder.read, allow_source_builds=allow_source_builds)
    text = folder.read(LIST)
    if text is not None:
        reading.take(text, LIST)
        notes = _project_too(folder, reading, python) if reading.wants_project else _beside(folder)
        return Found(reading.found(), (*reading.notes, *notes))
    declared = _declared(folder)
    if declared is None:
        return Found(None, _unread(folder, tuple(NOT_READ)))
    expect_python(declared, python)
    said = [f"{declared.name} says what is required"] if declared.says_something() else []
    _take(reading, declared)
    left = _unread(folder, LOCKS if declared.says_something() else tuple(NOT_READ))
    return Found(reading.found(), (*said, *declared.notes, *reading.notes, *left))


def _declared(folder: "Folder") -> Declared | None:
    text = folder.read(PYPROJECT)
    project = None if text is None else read_pyproject(text)
    if project is not None and (project.says_something() or project.notes):
        return project
    found = [one for name in folder.scripts() if (one := read_script(folder.read(name) or "", name)) is not None]
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise BadRequest(
            f"{names} each have a header `# /// script`, and requirements.txt is not there",
            "write what all of them need into requirements.txt, or leave one header",
        )
    return found[0] if found else project


def _take(reading: Reading, declared: Declared) -> None:
    for entry in declared.entries:
        reading.take_line(entry.line, entry.where)
    for path in declared.files:
        reading.take_line(f"-r {path}", declared.name)


def _project_too(folder: "Folder", reading: Reading, python: str) -> tuple[str, ...]:
    """`-e .`: the code is there already, and is imported as it lies there."""
    text = folder.read(PYPROJECT)
    if text is None:
        return (f"{LIST} names the function itself: its code is there, and what its setup.py requires is not read",)
    project = read_pyproject(text)
    expect_python(project, python)
    _take(reading, project)
    return (
        f"{LIST} names the function itself: its code is there, and {PYPROJECT} says what it requires",
        *project.notes,
    )


def _beside(folder: "Folder") -> tuple[str, ...]:
    text = folder.text(PYPROJECT)
    try:
        says = text is not None and read_pyproject(text).says_something()
    except BadRequest:
        says = False
    return (f"{LIST} says what is required; {PYPROJECT} is not read",) if says else ()


def _unread(folder: "Folder", names: tuple[str, ...]) -> tuple[str, ...]:
    """One of them is enough: whoever has a Pipfile.lock has a Pipfile."""
    there = next((name for name in names if folder.has(name)), None)
    if there is None:
        return ()
    return (f"{there} is not read, {LIST} is: {NOT_READ[there]}",)


class Folder:
    """Files of a function's directory; nothing that lies outside of it, and nothing large."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def has(self, name: str) -> bool:
        return self._plain(name) is not None

    def read(self, name: str) -> str | None:
        """None when there is no such file.

        Raises:
            BadRequest: it is large, or no text.
        """
        path = self._plain(name)
        if path is None:
            return None
        if path.stat().st_size > MOST_KB << 10:
            raise BadRequest(f"{name} is over {MOST_KB} KB", "list what the function imports")
        try:
            return decoded(path.read_bytes())
        except ValueError as wrong:
            raise BadRequest(f"{name} {wrong}", AS_UTF_8) from None

    def text(self, name: str) -> str | None:
        """As `read`, and None also for what cannot be read."""
        try:
            return self.read(name)
        except BadRequest:
            return None

    def scripts(self) -> list[str]:
        """Files that may have a header: those that a handler is looked for in, else all of the uppermost level."""
        names = [name for name in HEADS if self.has(name)]
        names = names or sorted(name for name in os.listdir(self._path) if name.endswith(".py") and self.has(name))
        return [name for name in names[:MOST_SCRIPTS] if self._has_header(name)]

    def _has_header(self, name: str) -> bool:
        path = self._path / name
        return path.stat().st_size <= MOST_KB << 10 and SCRIPT in path.read_bytes()

    def _plain(self, name: str) -> Path | None:
        path = self._path / name
        try:
            is_plain = stat.S_ISREG(path.lstat().st_mode)
        except (OSError, ValueError):
            return None
        return path if is_plain and path.resolve().is_relative_to(self._path) else None

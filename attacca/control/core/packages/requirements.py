"""What a function requires, read from its requirements.txt and the files that this one names.

They lie inside the function: no path leads out of it, none goes in circles, and there are not many.
"""

import hashlib
import posixpath
from collections.abc import Callable

import msgspec

from attacca.control.core.packages.lines import (
    COMMENT,
    Include,
    Option,
    Own,
    Package,
    Skipped,
    Unclear,
    expect_plain,
    joined,
    masked,
    understood,
)
from attacca.errors import BadRequest

MOST_LINES = 2000  # in all files together
MOST_FILES = 50
OUTSIDE = "every file that -r and -c name lies in the function's own directory: copy it there"
Read = Callable[[str], str | None]  # a file's text by its path inside the function; None: there is none


class Requirements(msgspec.Struct, frozen=True):
    lines: tuple[str, ...]  # as pip gets them, in the order in which they were written
    constraints: tuple[str, ...] = ()

    def digest(self, python: str, platform: str) -> str:
        """Names the bundle: the same for the same lines in any order, other for another interpreter."""
        bounds = [f"-c {line}" for line in sorted(dict.fromkeys(self.constraints))]
        text = "\n".join([python, platform, *sorted(dict.fromkeys(self.lines)), *bounds])
        return hashlib.sha256(text.encode()).hexdigest()[:40]


def parse(text: str, *, allow_source_builds: bool, read: Read = lambda _: None) -> Requirements | None:
    """None when nothing is required.

    What would run code on the server, or read its files, is refused: local paths, files outside of the function, and,
    unless building is allowed, addresses of anything but a wheel.

    Raises:
        BadRequest: names the file and the line.
    """
    reading = Reading(read, allow_source_builds=allow_source_builds)
    reading.take(text, "requirements.txt")
    return reading.found()


class Reading:
    """Takes files and lines one after the other."""

    def __init__(self, read: Read, *, allow_source_builds: bool) -> None:
        self._read = read
        self._allow_source_builds = allow_source_builds
        self._lines: list[str] = []
        self._constraints: list[str] = []
        self.wants_project = False  # what the project itself needs is wanted too
        self.notes: list[str] = []  # what was passed over, and why
        self._count = 0
        self._open: list[str] = []
        self._done: dict[tuple[str, bool], None] = {}

    def __repr__(self) -> str:
        return (
            f"<Reading {len(self._done)} files, {len(self._lines)} requirements, {len(self._constraints)} constraints>"
        )

    def found(self) -> Requirements | None:
        if all(line.startswith("-") for line in self._lines):
            return None
        return Requirements(tuple(self._lines), tuple(self._constraints))

    def take(self, text: str, path: str, *, is_constraint: bool = False) -> None:
        """All lines of a file, and of those that it names."""
        self._open.append(path)
        self._done[path, is_constraint] = None
        for written in joined(text):
            self.take_line(written.text, f"{path}, line {written.number}", is_constraint=is_constraint)
        self._open.pop()

    def take_line(self, written: str, where: str, *, is_constraint: bool = False) -> None:
        stripped = COMMENT.sub("", written).strip()
        if not stripped:
            return
        self._count += 1
        if self._count > MOST_LINES:
            raise BadRequest(f"{where}: there are more than {MOST_LINES} lines", "list what the function imports")
        try:
            expect_plain(written, stripped)
            self._keep(stripped, where, is_constraint=is_constraint)
        except Unclear as refused:
            raise BadRequest(f"{where}: {masked(stripped[:200])!r}: {refused}", refused.hint) from None

    def _keep(self, stripped: str, where: str, *, is_constraint: bool) -> None:
        match understood(stripped, allow_source_builds=self._allow_source_builds):
            case Package() as package:
                if is_constraint:
                    self._constraints.append(package.as_constraint())
                else:
                    self._lines.append(package.written())
            case Option(text):
                self._lines += [text] if text else []
            case Skipped(why):
                self.notes.append(f"{where}: {stripped} is passed over: {why}")
            case Own():
                self.wants_project |= not is_constraint
            case Include(path, is_of_constraints):
                if is_constraint and not is_of_constraints:
                    raise Unclear("constraints only bound what is required elsewhere", "name the file with -c")
                self._follow(path, is_constraint=is_of_constraints)

    def _follow(self, named: str, *, is_constraint: bool) -> None:
        """From the directory of the file that names it, as pip does."""
        here = posixpath.dirname(self._open[-1]) if self._open else ""
        path = posixpath.normpath(posixpath.join(here, named))
        if path.startswith(("/", "../", "~")) or path in ("..", "."):
            raise Unclear("this leads out of the function" if path != "." else "this is a directory", OUTSIDE)
        if path in self._open:
            raise Unclear(
                f"the files name each other in a circle: {' > '.join([*self._open, path])}", "remove one line"
            )
        if (path, is_constraint) in self._done:
            return
        if len(self._done) >= MOST_FILES:
            raise Unclear(f"there are more than {MOST_FILES} files of requirements", "put them together in one")
        text = self._read(path)
        if text is None:
            raise Unclear(f"there is no file {path} in the function", f"{OUTSIDE}, and see that nothing leaves it out")
        self.take(text, path, is_constraint=is_constraint)

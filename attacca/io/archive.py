"""Packs a file or a directory of code for the way to a server; the same content gives the same bytes."""

import contextlib
import fnmatch
import gzip
import io
import os
import re
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from attacca.errors import BadRequest, NotFound, PayloadTooLarge

IGNORED = ("__pycache__", ".git", ".hg", ".svn", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache",
           ".pytest_cache", "*.pyc", ".DS_Store", ".attaccaignore")  # fmt: skip
UNPACKED_MB = 512
FILES = 20_000
LINKS = 1000  # to directories: what is behind them is packed again for each
LOST_LINK_BYTES = 255
COMPRESSION = 6
DEEPEST = 100
HOW_TO_LEAVE_OUT = "remove it, or list it in .attaccaignore"
IN_MEMORY_MB = 8


@contextlib.contextmanager
def packed(path: Path, notes: list[str] | None = None) -> Iterator[IO[bytes]]:
    """As `pack_into` does it; on the disk where it is large. What one should know of it is added to `notes`."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY_MB << 20, prefix="attacca-") as file:
        said = pack_into(path, file)
        file.seek(0)
        if notes is not None:
            notes += said
        yield file


def pack(path: Path) -> bytes:
    """As `pack_into` does it, in memory."""
    buffer = io.BytesIO()
    pack_into(path, buffer)
    return buffer.getvalue()


def pack_into(path: Path, file: IO[bytes]) -> list[str]:
    """A tar.gz: of a directory its contents, of a file the file alone. Returns what one should know of it.

    Names of IGNORED are left out, and what the directory's `.attaccaignore` lists: one pattern per line, `*.csv` or
    `notes` anywhere, `/data` or `data/raw` from the top, `build/` for directories only; `#` begins a comment.

    Raises:
        NotFound: there is nothing at the path.
        BadRequest: something in it cannot be packed; it is named.
        PayloadTooLarge: it is more than a server takes.
    """
    files, notes = files_of(path)
    _write(files, file)
    return notes


def files_of(path: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """What `pack_into` packs, by the names that it has then, and what one should know of it; raises what that does."""
    if path.is_dir():
        walk = _Walk(path)
        files, notes = walk.files(), walk.notes
        if not files:
            raise BadRequest(f"there is nothing to deploy in {path}", "put the code there, or check .attaccaignore")
        return files, notes
    if path.is_file():
        return [(path.name, path)], _beside(path)
    raise NotFound(f"there is no file or directory {path}", "check the path")


def _beside(path: Path) -> list[str]:
    """What one may take for a part of a file that is deployed alone."""
    there = [name for name in ("requirements.txt", "function.toml") if (path.parent / name).is_file()]
    where = path.parent if str(path.parent) != "." else "the directory"
    return [f"{' and '.join(there)} beside {path.name} stays behind: deploy {where} to have it read"] if there else []


def _write(files: list[tuple[str, Path]], target: IO[bytes]) -> None:
    room = UNPACKED_MB << 20
    with (
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=COMPRESSION, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in sorted(files):
            try:
                with path.open("rb") as content:
                    entry = tarfile.TarInfo(name)
                    entry.size = os.fstat(content.fileno()).st_size
                    entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
                    room -= entry.size
                    _expect_room(room)
                    archive.addfile(entry, content)
            except OSError as error:
                hint = f"check its mode, and that there is space in {tempfile.gettempdir()}"
                raise BadRequest(f"{path} cannot be packed: {error.strerror or error}", hint) from None


def _expect_room(room: int) -> None:
    if room < 0:
        raise PayloadTooLarge(
            f"this is more than {UNPACKED_MB} MB of code", "list what is not needed in .attaccaignore"
        )


class _Walk:
    """Everything below a directory that is not left out. Links that stay inside are followed: a server takes none."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._root = top.resolve()
        self._is_ignored = _ignoring(_patterns(top))
        self._found: list[tuple[str, Path]] = []
        self._links = 0
        self.notes: list[str] = []

    def files(self) -> list[tuple[str, Path]]:
        """By their names in the archive."""
        self._enter(self._top, self._root, "", ())
        return self._found

    def _enter(self, directory: Path, real: Path, prefix: str, above: tuple[Path, ...]) -> None:
        if real in above:
            raise BadRequest(f"{directory} is a link to a directory that it lies in itself", HOW_TO_LEAVE_OUT)
        if len(above) > DEEPEST:
            raise BadRequest(f"{directory} is too deep", HOW_TO_LEAVE_OUT)
        with os.scandir(directory) as entries:
            for entry in entries:
                name = prefix + entry.name
                if not self._is_ignored(name, is_directory=_is_directory(entry)):
                    self._take(entry, name, real, above)

    def _take(self, entry: "os.DirEntry[str]", name: str, real: Path, above: tuple[Path, ...]) -> None:
        path = Path(entry.path)
        target = self._target(path) if entry.is_symlink() else real / entry.name
        if entry.is_dir():
            self._links += entry.is_symlink()
            self._expect_few()
            self._enter(path, target, name + "/", (*above, real))
        elif entry.is_file():
            lost = self._lost_link(entry, real)
            if lost is not None:
                self._links += 1
                self._expect_few()
                self.notes.append(f"{name} is a file that names a directory, as git leaves a link: taken for the link")
                self._enter(lost, lost, name + "/", (*above, real))
                return
            self._expect_few()
            self._found.append((name, path))
        else:
            raise BadRequest(f"{path} is neither a file nor a directory", HOW_TO_LEAVE_OUT)

    def _lost_link(self, entry: "os.DirEntry[str]", real: Path) -> Path | None:
        """The directory that is meant where git could make no link: it then writes a file of the link's words alone.

        Only where nothing else would make sense: a package's name, for what has Python files and lies in here.
        """
        if entry.is_symlink() or not entry.name.isidentifier() or entry.stat().st_size > LOST_LINK_BYTES:
            return None
        try:
            words = Path(entry.path).read_text(encoding="utf-8")
            target = (real / words).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # no text, or no path
            return None
        is_link = "/" in words and words == words.strip() and target.is_dir() and target.is_relative_to(self._root)
        return target if is_link and next(target.glob("*.py"), None) is not None else None

    def _expect_few(self) -> None:
        if len(self._found) == FILES:
            what = f"there are more than {FILES} files in {self._top}, {self._most()}"
            raise PayloadTooLarge(what, "list what is not needed in .attaccaignore")
        if self._links > LINKS:
            what = f"more than {LINKS} links to directories are to be followed in {self._top}"
            raise PayloadTooLarge(what, "list what is not needed in .attaccaignore")

    def _target(self, link: Path) -> Path:
        """
        Raises:
            BadRequest: it leads out, to nothing, or round in a circle.
        """
        points = os.readlink(link)
        try:
            real = link.resolve(strict=True)
            link.stat()  # which minds a slash at the end, behind what is no directory
        except FileNotFoundError:
            raise BadRequest(f"{link} is a link to {points}, which does not exist", HOW_TO_LEAVE_OUT) from None
        except (OSError, RuntimeError):
            raise BadRequest(f"{link} is a link to {points}, which leads nowhere", HOW_TO_LEAVE_OUT) from None
        if not real.is_relative_to(self._root):
            raise BadRequest(
                f"{link} is a link that leads out of {self._root}",
                "copy what it points to, or list it in .attaccaignore",
            )
        return real

    def _most(self) -> str:
        """Where to look first."""
        counts = Counter(name.partition("/")[0] if "/" in name else "." for name, _ in self._found)
        place, count = max(counts.items(), key=lambda item: (item[1], item[0]))
        return f"{count} files or more in {self._top if place == '.' else self._top / place}"


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False


def _patterns(directory: Path) -> list[str]:
    listed = directory / ".attaccaignore"
    if not listed.is_file():
        return list(IGNORED)
    lines = (line.strip() for line in listed.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    return [*IGNORED, *(line for line in lines if line and not line.startswith("#"))]


class Ignoring(Protocol):
    def __call__(self, name: str, *, is_directory: bool) -> bool: ...


def _ignoring(patterns: list[str]) -> Ignoring:
    """Two expressions for all patterns: there may be many files."""

    def expression(*, of_paths: bool, of_directories: bool) -> re.Pattern[str]:
        wanted = [
            fnmatch.translate(pattern.rstrip("/").lstrip("/"))
            for pattern in patterns
            if ("/" in pattern.rstrip("/")) is of_paths and (of_directories or not pattern.endswith("/"))
        ]
        return re.compile("|".join(wanted) if wanted else r"(?!)")

    paths = {kind: expression(of_paths=True, of_directories=kind) for kind in (False, True)}
    names = {kind: expression(of_paths=False, of_directories=kind) for kind in (False, True)}

    def is_ignored(name: str, *, is_directory: bool) -> bool:
        last = name.rpartition("/")[2]
        return names[is_directory].match(last) is not None or paths[is_directory].match(name) is not None

    return is_ignored

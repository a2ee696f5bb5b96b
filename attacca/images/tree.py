"""A root file system while its layers are put on top of one another: nothing that an image says leads out of it."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from attacca.errors import BadImage
from attacca.images.core.layers import DIRECTORY, FILE, HINT, LINK, SYMLINK, Empty, Make, Remove, shown

FOLLOWED_MOST = 40  # links on the way of one path, as the kernel has it
BLOCK = 256 << 10
OWNER = 0o700  # of directories, so that who unpacks can go on, and remove them


class Tree:
    """Blocking. Whoever else could change a link in the meantime is not there: it lies where only its maker writes."""

    def __init__(self, root: str, steps: int, *, is_root: bool) -> None:
        """`is_root`: whoever unpacks may give files away. `steps`: so much may be looked at on the ways of its paths
        and in what is emptied, all layers together."""
        self._root = root
        self._is_root = is_root
        self._steps = steps
        self._real: dict[tuple[str, ...], str] = {(): root}  # directories that are known to be some
        self._made: set[str] = set()  # by this layer, with the directories above them
        self._emptied: set[str] = set()  # by this layer: what is there since is its own

    def __repr__(self) -> str:
        return f"<Tree {len(self._made)} made by the last layer>"

    def begin(self) -> None:
        """Another layer, on top."""
        self._made.clear()
        self._emptied.clear()

    def make(self, plan: Make, content: IO[bytes] | None) -> int:
        """How many bytes were written.

        Raises:
            BadImage: its place cannot be had.
            OSError: the disk does not take it.
        """
        parent = self._directory(plan.path[:-1])
        path = f"{parent}/{plan.path[-1]}"
        written = 0
        if plan.kind == DIRECTORY:
            self._make_directory(path, plan)
        else:
            self._clear(path)
            if plan.kind == FILE:
                assert content is not None
                written = self._write(path, plan, content)
            elif plan.kind == SYMLINK:
                self._forget()
                os.symlink(plan.target, path)
                self._give(path, plan)
            else:
                assert plan.kind == LINK
                self._link(path, plan)
        self._note(path)
        return written

    def remove(self, plan: Remove) -> None:
        found = self._find(plan.path[:-1])
        if found is None:
            return
        path = f"{found}/{plan.path[-1]}"
        if path not in self._made:
            self._clear(path)

    def empty(self, plan: Empty) -> None:
        found = self._find(plan.path)
        if found is not None and os.path.isdir(found):
            self._empty(found)

    def _empty(self, directory: str) -> None:
        """What this layer has made stays, and what leads there."""
        if directory in self._emptied:
            return
        self._emptied.add(directory)
        for name in os.listdir(directory):
            self._step()
            path = f"{directory}/{name}"
            if path not in self._made:
                self._clear(path)
            elif stat.S_ISDIR(os.lstat(path).st_mode):
                self._empty(path)

    def _note(self, path: str) -> None:
        while path != self._root and path not in self._made:
            self._made.add(path)
            path = path.rpartition("/")[0]

    # What is written.

    def _make_directory(self, path: str, plan: Make) -> None:
        try:
            os.mkdir(path)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                self._clear(path)
                os.mkdir(path)
        self._give(path, plan)
        os.chmod(path, plan.mode | OWNER)

    def _write(self, path: str, plan: Make, content: IO[bytes]) -> int:
        written = 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while piece := content.read(BLOCK):
                written += _write_all(handle, piece)
            if self._is_root:
                os.fchown(handle, plan.uid, plan.gid)
            os.fchmod(handle, plan.mode)
            os.utime(handle, (plan.time, plan.time))
        finally:
            os.close(handle)
        return written

    def _link(self, path: str, plan: Make) -> None:
        found = self._find(plan.linked[:-1])
        source = None if found is None else f"{found}/{plan.linked[-1]}"
        try:
            if source is None or stat.S_ISDIR(os.lstat(source).st_mode):
                raise FileNotFoundError
            os.link(source, path, follow_symlinks=False)
        except FileNotFoundError:
            what = f"{shown('/'.join(plan.path))} is a hard link to {shown('/'.join(plan.linked))}, which is no file"
            raise BadImage(what, HINT) from None
        self._forget()  # it may be another name of a symbolic link

    def _give(self, path: str, plan: Make) -> None:
        if self._is_root:
            os.chown(path, plan.uid, plan.gid, follow_symlinks=False)

    def _clear(self, path: str) -> None:
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        self._forget()
        if stat.S_ISDIR(mode):
            if path in self._made:
                what = f"{shown(path.removeprefix(self._root))} is a directory and something else in one layer"
                raise BadImage(what, HINT)
            shutil.rmtree(path)
        else:
            os.unlink(path)
            self._made.discard(path)

    # Where it is written.

    def _forget(self) -> None:
        self._real = {(): self._root}

    def _directory(self, path: tuple[str, ...]) -> str:
        """Made, where it is not there."""
        known = self._real.get(path)
        if known is None:
            known = self._real[path] = self._walk(path, make=True)
        return known

    def _find(self, path: tuple[str, ...]) -> str | None:
        known = self._real.get(path)
        if known is not None:
            return known
        with suppress(FileNotFoundError, NotADirectoryError):
            return self._walk(path, make=False)
        return None

    def _walk(self, path: tuple[str, ...], *, make: bool) -> str:
        """Follows links as who has this for a root would: from `/` on for an absolute one, and `..` no further up.

        Raises:
            BadImage: links lead round in a circle.
        """
        here, left, followed = self._root, list(reversed(path)), 0
        while left:
            part = left.pop()
            self._step()
            if part == "..":
                here = here if here == self._root else here.rpartition("/")[0]
                continue
            place = f"{here}/{part}"
            target = self._target(place, make=make)
            if target is None:
                here = place
                continue
            followed += 1
            if followed > FOLLOWED_MOST:
                raise BadImage(f"the links on the way to {shown('/'.join(path))} lead round in a circle", HINT)
            here = self._root if target.startswith("/") else here
            left += reversed(list(_steps(target)))
        return here

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise BadImage("its links and whiteouts lead through more than anybody follows", HINT)

    def _target(self, place: str, *, make: bool) -> str | None:
        """What a symbolic link says; None: it is a directory, now if not before."""
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(place, 0o755)
            self._note(place)
            return None
        if stat.S_ISLNK(mode):
            return os.readlink(place)
        if not stat.S_ISDIR(mode):
            if not make:
                raise NotADirectoryError(place)
            self._clear(place)
            os.mkdir(place, 0o755)
            self._note(place)
        return None


def _steps(target: str) -> Iterator[str]:
    return (part for part in target.split("/") if part not in ("", "."))


def _write_all(handle: int, piece: bytes) -> int:
    view = memoryview(piece)
    while view:
        view = view[os.write(handle, view) :]
    return len(piece)

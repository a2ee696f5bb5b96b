"""Directories that sandboxes of functions in WebAssembly are made of: our own host, and the machine code of one.

Each is made once for a module, wasmtime and processor, of what a sandbox has compiled that ran nothing else, and lies
where only the worker can write.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from attacca.errors import BadFunction, StartFailed
from attacca.model.function import MODULE
from attacca.worker.runtime.wasm.modules import HOST, maker
from attacca.worker.runtime.wasm.sealed import seal

LOG = logging.getLogger("attacca.wasm")
KINDS, PURE = b"crhwpq", "pq"  # as host/compiling.py has them
DISK_BYTES = 1 << 30
MINE, UNFINISHED, ENDING = "host", ".unfinished-", ".machine"
Seen = tuple[int, int, int]  # a file's number, size and time
Compile = Callable[[bytes, bool], Awaitable[bytes]]  # of it machine code; whether it has to be pure


class Place(NamedTuple):
    name: str  # of the directory
    kind: str


class MachineCode:
    """`source` holds a directory for each module; `kept` what was made of them."""

    def __init__(self, source: Path, kept: Path, compile_: Compile) -> None:
        self.kept = kept
        self._source, self._compile = source, compile_
        self._maker = maker()
        self._making: dict[tuple[str, bool], asyncio.Task[Place]] = {}
        self._seen: dict[str, Seen] = {}  # what was looked at, and was as it was put there

    def __repr__(self) -> str:
        return f"<MachineCode {len(self._making)} on their way>"

    def close(self) -> None:
        for task in self._making.values():
            task.cancel()

    async def bring(self, digest: str, *, is_pure: bool = False) -> Place:
        """Its directory, which is there; made once, however many ask. `is_pure`: it has to be that.

        Raises:
            StartFailed: the module is not there, or cannot be kept.
            BadFunction: no function can be made of it; with why.
        """
        key = digest, is_pure
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.get_running_loop().create_task(self._bring(digest, is_pure=is_pure))
            task.add_done_callback(partial(self._made, key))
        return await asyncio.shield(task)

    def _made(self, key: tuple[str, bool], task: asyncio.Task[Place]) -> None:
        self._making.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone meanwhile

    async def _bring(self, digest: str, *, is_pure: bool) -> Place:
        name = f"{digest}-{self._maker}"
        kind = await asyncio.to_thread(self._kind, name)
        if not kind or (is_pure and kind not in PURE):  # then its compiler says why it is not
            made = await self._compile(await asyncio.to_thread(self._read, digest), is_pure)
            if made[:1] not in KINDS or len(made) < 2:
                raise BadFunction("its compiler answered with what is no machine code", "deploy it again")
            try:
                await asyncio.to_thread(_place, self.kept, name, made)
            except OSError as error:
                raise StartFailed(f"its machine code cannot be kept: {error.strerror}", f"free {self.kept}") from None
            kind = made[:1].decode()
        return Place(name, kind)

    def _kind(self, name: str) -> str:
        """Of what lies there; empty: nothing does, or it is not what was put there."""
        directory = self.kept / name
        try:
            os.utime(directory)
            (file,) = directory.glob(f"*{ENDING}")
            status = file.stat()
            seen = status.st_ino, status.st_size, status.st_mtime_ns
            if self._seen.get(name) != seen and seal(file.read_bytes()).hex() != file.stem[2:]:
                LOG.warning("%s is not what was put there, and is made anew", file)
                shutil.rmtree(directory)
                return ""
        except (OSError, ValueError):
            return ""
        self._seen[name] = seen
        return file.name[:1]

    def _read(self, digest: str) -> bytes:
        try:
            (file,) = (self._source / digest).glob(f"*{MODULE}")
            return file.read_bytes()
        except (OSError, ValueError):
            raise StartFailed(f"the module {digest[:12]} is not there", "deploy it again") from None


def _place(kept: Path, name: str, made: bytes) -> None:
    """In one step; and room for it is made of what was wanted least lately."""
    kept.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=kept))
    try:
        unfinished.chmod(0o755)
        shutil.copytree(HOST, unfinished / MINE, ignore=shutil.ignore_patterns("__pycache__"))
        code = memoryview(made)[1:]
        (unfinished / f"{made[:1].decode()}-{seal(code).hex()}{ENDING}").write_bytes(code)
        unfinished.rename(kept / name)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not (kept / name).is_dir():
            raise
    there = sorted(_found(kept))
    left = sum(size for _, size, _ in there) - DISK_BYTES
    for _, size, path in there[:-1]:
        if left <= 0:
            break
        shutil.rmtree(path, ignore_errors=True)
        left -= size


def _found(kept: Path) -> Iterator[tuple[float, int, str]]:
    for entry in os.scandir(kept):
        with contextlib.suppress(OSError):  # another worker made room
            size = sum(one.stat().st_size for one in os.scandir(entry.path) if one.is_file())
            yield entry.stat().st_mtime, size, entry.path

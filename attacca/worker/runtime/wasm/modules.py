"""Compiled modules: kept in memory and on the disk under what they were made of and made by.

What is kept is machine code, and is run as it is. So it is only what a sandbox has made that ran nothing but the
compiler, on that very module, and lies where nobody but the worker can write.
"""

import asyncio
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

from attacca.errors import StartFailed
from attacca.worker.runtime.wasm.sealed import opened, sealed

LOG = logging.getLogger("attacca.wasm")
MEMORY_BYTES, DISK_BYTES = 64 << 20, 512 << 20
HOST = Path(__file__).parent / "host"
Compile = Callable[[bytes], Awaitable[bytes]]


def is_installed() -> bool:
    return importlib.util.find_spec("wasmtime") is not None


def place_of_wasmtime() -> Path:
    """The directory that it is imported from."""
    spec = importlib.util.find_spec("wasmtime")
    assert spec is not None, "whoever asks has asked whether it is there"
    assert spec.origin is not None, "it is no namespace"
    return Path(os.path.realpath(spec.origin)).parents[1]


def maker() -> str:
    """All that decides what is compiled, apart from the module: wasmtime, how it is asked, and the processor."""
    told = [
        importlib.metadata.version("wasmtime"),
        platform.machine(),
        *(file.read_text() for file in sorted(HOST.glob("*.py"))),
    ]
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        told += [line for line in file if line.startswith(("flags", "Features"))][:1]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


class Modules:
    """`code` holds a directory for each module; `kept` what was made of them."""

    def __init__(self, code: Path, kept: Path, compile_: Compile) -> None:
        self._code, self._kept, self._compile = code, kept, compile_
        self._maker = maker()
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._making: dict[str, asyncio.Task[bytes]] = {}

    def __repr__(self) -> str:
        return f"<Modules {len(self._held)} held, {self._size} bytes, {len(self._making)} on their way>"

    def close(self) -> None:
        for task in self._making.values():
            task.cancel()

    def held(self, digest: str) -> bytes | None:
        found = self._held.get(digest)
        if found is not None:
            self._held.move_to_end(digest)
        return found

    async def bring(self, digest: str) -> bytes:
        """From the disk, or made now; once, however many ask.

        Raises:
            StartFailed: the module is not there.
            AttaccaError: it cannot be compiled; with why.
        """
        task = self._making.get(digest)
        if task is None:
            task = self._making[digest] = asyncio.get_running_loop().create_task(self._bring(digest))
            task.add_done_callback(partial(self._made, digest))
        return await asyncio.shield(task)

    def _made(self, digest: str, task: asyncio.Task[bytes]) -> None:
        self._making.pop(digest, None)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone meanwhile

    def drop(self, digest: str) -> None:
        """What is kept of it turned out to be of no use here."""
        self._size -= len(self._held.pop(digest, b""))
        self._path(digest).unlink(missing_ok=True)

    async def _bring(self, digest: str) -> bytes:
        path = self._path(digest)
        made = await asyncio.to_thread(_read, path)
        if made is None:
            made = await self._compile(await asyncio.to_thread(self._source, digest))
            await asyncio.to_thread(_write, path, made)
        self._held[digest] = made
        self._size += len(made)
        while self._size > MEMORY_BYTES and len(self._held) > 1:
            self._size -= len(self._held.popitem(last=False)[1])
        return made

    def _path(self, digest: str) -> Path:
        return self._kept / f"{digest}-{self._maker}"

    def _source(self, digest: str) -> bytes:
        try:
            (file,) = (self._code / digest).glob("*.wasm")
            return file.read_bytes()
        except (OSError, ValueError):
            raise StartFailed(f"the module {digest[:12]} is not there", "start its workflow anew") from None


def _read(path: Path) -> bytes | None:
    try:
        made = opened(path.read_bytes())
        if made is None:
            LOG.warning("%s is not what was put there, and is made anew", path)
        os.utime(path)
    except OSError:
        return None
    return made


def _write(path: Path, made: bytes) -> None:
    """In one step. A disk that is full costs only the next compilation."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = ""
    with contextlib.suppress(OSError):
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # another worker may make the same
        with open(descriptor, "wb") as file:
            file.write(sealed(made))
        Path(unfinished).rename(path)
        unfinished = ""
    if unfinished:
        Path(unfinished).unlink(missing_ok=True)
    there = sorted(_found(path.parent))
    left = sum(size for _, size, _ in there) - DISK_BYTES
    for _, size, name in there[:-1]:
        if left <= 0:
            break
        Path(name).unlink(missing_ok=True)
        left -= size


def _found(directory: Path) -> Iterator[tuple[float, int, str]]:
    for entry in os.scandir(directory):
        with contextlib.suppress(FileNotFoundError):  # another worker made room
            status = entry.stat()
            yield status.st_mtime, status.st_size, entry.path

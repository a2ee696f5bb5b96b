"""What control hands to workers apart: code and bundles in pieces, and the values of secrets."""

import asyncio
import hashlib
import logging
import os
import re
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import msgspec

from attacca.control.deploy.state import StateDir
from attacca.control.secrets import Secrets
from attacca.errors import AttaccaError, NotFound
from attacca.model.invocation import Failed
from attacca.model.supplies import AskPiece, AskSecrets, Piece, SecretsTold

LOG = logging.getLogger("attacca.control")
PIECE_BYTES = 1 << 20
KEPT = 16  # packed directories that lie ready for the next worker
DIGEST = re.compile(r"[0-9a-f]{8,128}")


class Packed(msgspec.Struct, frozen=True):
    """A directory as one tar."""

    path: Path
    size: int
    sha256: str
    is_kept: bool = False  # it is a blob of an image, as it lies there


class Supplies:
    """`send` takes the name of a worker and what it is told. `entitled`: which secrets it may be. `fetch` brings what
    does not lie here yet."""

    def __init__(
        self,
        state: StateDir,
        secrets: Secrets,
        entitled: Callable[[str], Collection[str]],
        send: Callable[[str, Piece | SecretsTold], None],
        fetch: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._state, self._secrets, self._entitled = state, secrets, entitled
        self._send, self._fetch = send, fetch
        self._told: dict[str, set[str]] = {}  # by worker: secrets of which the log has it
        self._packed: dict[str, asyncio.Task[Packed]] = {}  # by digest, the one that was asked for last at the end
        self._answers: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Supplies {len(self._packed)} packed, {len(self._answers)} on their way>"

    async def close(self) -> None:
        tasks = [*self._answers, *self._packed.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def hear(self, peer: str, message: AskPiece | AskSecrets) -> None:
        if isinstance(message, AskSecrets):
            self._send(peer, SecretsTold(message.id, self._values(peer, message.names)))
            return
        answer = asyncio.get_running_loop().create_task(self._answer(peer, message))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    def _values(self, worker: str, names: tuple[str, ...]) -> dict[str, bytes]:
        entitled, values = self._entitled(worker), {}
        for name in names:
            if name not in entitled:
                LOG.warning("worker %r has asked for the secret %s, which nothing there is given", worker, name[:64])
                continue
            try:
                values[name] = self._secrets.value(name)
            except AttaccaError as error:
                LOG.warning("the secret %s was asked for, and is not to be had: %s", name[:64], error.message)
        told = self._told.setdefault(worker, set())
        if not told.issuperset(values):
            LOG.info("worker %r is given the secrets %s", worker, ", ".join(sorted(values.keys() - told)))
            told.update(values)
        return values

    async def _answer(self, peer: str, asked: AskPiece) -> None:
        try:
            packed = await asyncio.shield(self._pack(asked.digest))
            data = await asyncio.to_thread(_read, packed.path, asked.offset)
        except (AttaccaError, OSError) as error:
            self._packed.pop(asked.digest, None)
            what = f"control cannot give {asked.digest[:12]}: {error}"
            self._send(peer, Piece(asked.id, error=Failed("start_failed", what, "deploy the function again")))
        else:
            self._send(peer, Piece(asked.id, data, packed.size, packed.sha256))

    def _pack(self, digest: str) -> "asyncio.Task[Packed]":
        task = self._packed.pop(digest, None)
        if task is None:
            while len(self._packed) >= KEPT:
                _forget(self._packed.pop(next(iter(self._packed))))
            task = asyncio.get_running_loop().create_task(self._make(digest))
        self._packed[digest] = task
        return task

    async def _make(self, digest: str) -> Packed:
        """
        Raises:
            NotFound: it does not lie here.
        """
        blob = self._state.images / "blobs" / digest
        is_blob = await asyncio.to_thread(blob.is_file) if DIGEST.fullmatch(digest) else False
        if is_blob:
            return Packed(blob, blob.stat().st_size, digest, is_kept=True)
        if self._fetch is not None and DIGEST.fullmatch(digest):
            await self._fetch(digest)
        places = (self._state.code / digest, self._state.bundles / digest)
        found = [path for path in places if DIGEST.fullmatch(digest) and path.is_dir()]
        if not found:
            raise NotFound("it does not lie there any more")
        return await asyncio.to_thread(pack, found[0], self._state.tmp)


def pack(directory: Path, tmp: Path) -> Packed:
    """Blocking. Times stay as they are: compiled modules go by them."""
    handle, name = tempfile.mkstemp(dir=tmp, prefix="packed-")
    with os.fdopen(handle, "w+b") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(directory, ".", filter=_anonymous)
        file.seek(0)
        return Packed(Path(name), os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(offset, 0))
        return file.read(PIECE_BYTES)


def _forget(task: "asyncio.Task[Packed]") -> None:
    if task.done() and not task.cancelled() and task.exception() is None:
        packed = task.result()
        if not packed.is_kept:
            packed.path.unlink(missing_ok=True)
    else:
        task.cancel()

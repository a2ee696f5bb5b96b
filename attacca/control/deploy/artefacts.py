"""Code and bundles in the store, for the controls on other machines: each of them must be able to lead at once.

artefacts/DIGEST        how it is packed: written last, so that what is there is whole
pieces/DIGEST/NUMBER    a tar.gz, in pieces that every store takes
"""

import asyncio
import contextlib
import hashlib
import io
import logging
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO

import msgspec

from attacca.control.core.stored import FUNCTIONS, decode
from attacca.control.deploy.state import StateDir, place
from attacca.errors import AttaccaError, NotFound, PayloadTooLarge, StateCorrupt, StateUnavailable
from attacca.io.store.types import Store
from attacca.io.unpacking import unpack
from attacca.model.function import Revision

LOG = logging.getLogger("attacca.control")
ARTEFACTS, PIECES = "artefacts/", "pieces/"
PIECE_BYTES = 512 << 10  # etcd takes requests of 1.5 MB, and this in base64
COMPRESSION = 4
AGAIN_S = 2.0  # how soon what could not be fetched is tried again


class Parcel(msgspec.Struct, frozen=True):
    """`kind` is code or bundles, `sha256` that of all pieces together."""

    kind: str
    pieces: int
    size: int
    sha256: str


class Artefacts:
    """`most_mb`: the largest that the store is given, packed."""

    def __init__(self, state: StateDir, most_mb: float) -> None:
        self._state = state
        self._most_bytes = int(most_mb * (1 << 20))
        self._unfinished = state.path / "fetching"
        self._fetches: dict[str, asyncio.Task[None]] = {}  # by digest
        self._fetched = 0

    def __repr__(self) -> str:
        return f"<Artefacts {self._fetched} fetched, {len(self._fetches)} on their way>"

    def has(self, digest: str) -> bool:
        return any((root / digest).is_dir() for root in (self._state.code, self._state.bundles))

    async def save(self, store: Store, digest: str) -> int:
        """How many bytes were written: none, if it is there already.

        Raises:
            PayloadTooLarge: it is more than the store is given.
            LeaseLost, StateUnavailable: see `Store`.
        """
        if await store.get(ARTEFACTS + digest) is not None:
            return 0
        kind = "code" if (self._state.code / digest).is_dir() else "bundles"
        with tempfile.TemporaryFile(dir=self._state.tmp) as file:
            await asyncio.to_thread(pack, self._state.path / kind / digest, file)
            size, whole, count = file.tell(), hashlib.sha256(), 0
            if size > self._most_bytes:
                raise PayloadTooLarge(
                    f"packed, its {'code' if kind == 'code' else 'requirements'} are {size / (1 << 20):.0f} MB, "
                    f"and the store is given {self._most_bytes >> 20} MB at most",
                    "require less; or have control started with a greater control.artefact_mb",
                )
            file.seek(0)
            while piece := file.read(PIECE_BYTES):
                whole.update(piece)
                await store.put_if(_piece(digest, count), piece, None)
                count += 1
        packed = Parcel(kind, count, size, whole.hexdigest())
        await store.put_if(ARTEFACTS + digest, msgspec.json.encode(packed), None)
        return size

    async def ensure(self, store: Store, digest: str) -> None:
        """It lies in its place on this machine.

        Raises:
            NotFound: it is not in the store.
            StateCorrupt: what is there is not what was put there.
            StateUnavailable: the store cannot be read now, or the disk not written.
        """
        if not self.has(digest):
            task = self._fetches.get(digest)
            if task is None:
                task = self._fetches[digest] = asyncio.get_running_loop().create_task(self._fetch(store, digest))
                task.add_done_callback(lambda _: self._fetches.pop(digest))
            await asyncio.shield(task)

    async def mirror(self, store: Store) -> None:
        """Whatever is deployed comes to this machine too, for as long as this runs."""
        await asyncio.to_thread(shutil.rmtree, self._unfinished, ignore_errors=True)
        async for change in store.watch(FUNCTIONS):
            if change.entry is None:
                continue
            with contextlib.suppress(StateCorrupt):  # whoever leads says so
                function = decode(change.key, change.entry.value)
                await self.bring(store, (function.now, *function.revisions))

    async def bring(self, store: Store, revisions: Iterable[Revision]) -> None:
        """What of them is to be had lies here then."""
        for digest in dict.fromkeys(digest for one in revisions for digest in one.artefact.digests):
            await self._bring(store, digest)

    async def sweep(self, store: Store, wanted: Collection[str]) -> int:
        """Remove from the store what is not named; how many went."""
        gone = [entry for entry in await store.scan(ARTEFACTS) if entry.key.removeprefix(ARTEFACTS) not in wanted]
        for entry in gone:
            await store.delete(entry.key)
            digest = entry.key.removeprefix(ARTEFACTS)
            for number in range(msgspec.json.decode(entry.value, type=Parcel).pieces):
                await store.delete(_piece(digest, number))
        return len(gone)

    async def _bring(self, store: Store, digest: str) -> None:
        """One that is not in the store will not come: it has been deleted since, or was never there."""
        while True:
            try:
                await self.ensure(store, digest)
            except StateUnavailable as error:
                LOG.warning("%s is fetched later: %s", digest[:12], error.message)
                await asyncio.sleep(AGAIN_S)
                continue
            except AttaccaError as error:
                LOG.warning("%s cannot be fetched: %s", digest[:12], error.message)
            return

    async def _fetch(self, store: Store, digest: str) -> None:
        entry = await store.get(ARTEFACTS + digest)
        if entry is None:
            raise NotFound(f"{digest[:12]} is neither on this machine nor in the store", "deploy the function again")
        packed, pieces = _read(digest, entry.value), []
        for number in range(packed.pieces):
            piece = await store.get(_piece(digest, number))
            pieces.append(b"" if piece is None else piece.value)
        content = b"".join(pieces)
        if hashlib.sha256(content).hexdigest() != packed.sha256:
            raise damaged(digest)
        try:
            await asyncio.to_thread(self._unpack, content, self._state.path / packed.kind / digest)
        except OSError as error:
            what = f"{digest[:12]} cannot be kept in {self._state.path}: {error.strerror or error}"
            raise StateUnavailable(what, "free space there, or check its mode") from error
        except tarfile.TarError:
            raise damaged(digest) from None
        self._fetched += 1

    def _unpack(self, content: bytes, target: Path) -> None:
        self._unfinished.mkdir(mode=0o700, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=self._unfinished))
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                unpack(archive, made)
            place(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def pack(directory: Path, file: IO[bytes]) -> None:
    """Blocking. Times stay as they are: compiled modules go by them."""
    with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=COMPRESSION) as archive:
        archive.add(directory, ".", filter=_anonymous)


def damaged(digest: str) -> StateCorrupt:
    return StateCorrupt(f"what the store has of {digest[:12]} is not what was put there", "deploy the function again")


def _read(digest: str, value: bytes) -> Parcel:
    try:
        packed = msgspec.json.decode(value, type=Parcel)
    except (ValueError, RecursionError):
        raise damaged(digest) from None
    if packed.kind not in ("code", "bundles") or not 0 < packed.pieces * PIECE_BYTES < packed.size + 2 * PIECE_BYTES:
        raise damaged(digest)
    return packed


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _piece(digest: str, number: int) -> str:
    return f"{PIECES}{digest}/{number:06}"

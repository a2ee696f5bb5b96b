"""Images as a whole: what is pushed or read is checked and kept, and becomes a root file system when one is needed."""

import asyncio
import errno
import platform
import shutil
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from attacca.errors import BadImage, NotFound, StateUnavailable
from attacca.images.blobs import Blobs
from attacca.images.core.layers import Limits
from attacca.images.core.manifests import (
    CONFIG_BYTES,
    DEEPEST,
    HINT,
    MANIFEST_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
    choose,
    compression,
    is_elsewhere,
    read,
    read_configuration,
)
from attacca.images.core.names import SHA256, digits, filed, is_digest
from attacca.images.core.room import Kept, going
from attacca.images.shelves import Shelved, Shelves
from attacca.images.unpack import Tar, unpack
from attacca.model.image import ImageConfig, UnpackedImage

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
FRESH_S = 3600.0  # so long a blob may wait for the manifest that names it
GB = 1 << 30
SPACE = "tmp"  # where everybody may write
UNFIT = (errno.ENAMETOOLONG, errno.EMLINK)  # what an image has that no disk takes
BOOT = Path("/proc/sys/kernel/random/boot_id")


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`bytes`: of all blobs together; `image`: of one image, unpacked."""

    bytes: int = 16 * GB
    image: Limits = Limits()


def here() -> Platform:
    machine = platform.machine()
    return Platform(MACHINES.get(machine, machine), "linux")


class ImageStore:
    """Two of them may share a directory. `tmp`: on the same file system, and empty at the start of its owner."""

    def __init__(self, directory: Path, tmp: Path, limits: ImageLimits | None = None) -> None:
        self.blobs = Blobs(directory / "blobs", tmp)
        self.shelves = Shelves(directory / "repositories", tmp)
        self.roots, self._tmp = directory / "rootfs", tmp
        self._boot = directory / "boot"  # of the machine, since which root file systems are whole
        self._limits = limits or ImageLimits()
        self._unpacking: dict[str, asyncio.Task[None]] = {}  # by digest

    def __repr__(self) -> str:
        return f"<ImageStore {len(self._unpacking)} images unpacked now>"

    def open(self) -> None:
        """Blocking: its places are made. Only what images consist of is brought to the disk; what was unpacked before
        the machine stopped may not be whole, and is unpacked anew."""
        self.blobs.open()
        now, then = BOOT.read_text(), self._boot.read_text() if self._boot.exists() else ""
        if now != then:
            shutil.rmtree(self.roots, ignore_errors=True)
            self._boot.write_text(now)
        self.roots.mkdir(mode=0o755, parents=True, exist_ok=True)

    # What is kept.

    def put(
        self, repository: str, data: bytes, media_type: str = "", tags: Iterable[str] = (), like: str = SHA256
    ) -> Shelved:
        """Blocking. A manifest or an index, once all that it needs has come. `like`: by which algorithm it is called.

        Raises:
            BadImage: it is none.
            NotFound: a part of it is not in the repository.
        """
        found = read(data, media_type)
        is_index = isinstance(found, Index)
        kind = media_type or found.media_type or (OCI_INDEX if is_index else OCI_MANIFEST)
        for part in found.parts:
            if not self._has(repository, part, is_index=is_index):
                raise NotFound(f"{part.digest} is a part of the image, and was not sent", "push it first")
        digest = self.blobs.put(data, like)
        artifact = found.artifact_type or (found.config.media_type if isinstance(found, Manifest) else "")
        shelved = Shelved(
            Descriptor(kind, digest, len(data), None, artifact, found.annotations),
            found.subject.digest if found.subject is not None else "",
            tuple(part.digest for part in found.parts) if is_index else (),
            () if is_index else tuple(part.digest for part in found.parts),
        )
        self.shelves.put(repository, shelved)
        for tag in tags:
            self.shelves.tag(repository, tag, digest)
        return shelved

    def _has(self, repository: str, part: Descriptor, *, is_index: bool) -> bool:
        if is_index:
            return self.shelves.manifest(repository, part.digest) is not None
        if is_elsewhere(part):
            return True
        return self.shelves.has(repository, part.digest) and self.blobs.size(part.digest) is not None

    def find(self, repository: str, which: str) -> Shelved | None:
        """By tag or by digest. Blocking."""
        digest = which if is_digest(which) else self.shelves.tagged(repository, which)
        return None if digest is None else self.shelves.manifest(repository, digest)

    # Root file systems.

    async def rootfs(self, digest: str) -> UnpackedImage:
        """`digest`: of a manifest or an index, without their algorithm. The same one is unpacked once.

        Raises:
            NotFound: it does not lie here, or a part of it.
            BadImage: it is damaged, for another platform, or has something in it that is not taken.
            StateUnavailable: the disk does not take it.
        """
        chosen, manifest = await asyncio.to_thread(self.manifest, filed(digest))
        name = digits(chosen)
        root = self.roots / name
        if not root.is_dir():
            task = self._unpacking.get(name)
            if task is None:
                task = self._unpacking[name] = asyncio.create_task(asyncio.to_thread(self._unpack, manifest, root))
                task.add_done_callback(lambda _: self._unpacking.pop(name))
            await asyncio.shield(task)
        return UnpackedImage(name, str(root), await asyncio.to_thread(self.config, manifest))

    def manifest(self, digest: str, wanted: Platform | None = None) -> tuple[str, Manifest]:
        """Of an index that for this machine, or for `wanted`. Blocking; raises as `rootfs` does."""
        for _ in range(DEEPEST):
            found = read(self.blobs.read(digest, MANIFEST_BYTES))
            if isinstance(found, Manifest):
                return digest, found
            digest = choose(found, wanted or here()).digest
        raise BadImage("it is an index of indexes of indexes, and so on", HINT)

    def config(self, manifest: Manifest) -> ImageConfig:
        """Blocking; raises as `rootfs` does."""
        data = self.blobs.read(manifest.config.digest, CONFIG_BYTES)
        try:
            return msgspec.json.decode(data, type=_Runs).config or ImageConfig()
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise BadImage(f"the image's configuration: {error}", HINT) from None

    def _unpack(self, manifest: Manifest, root: Path) -> None:
        configuration = read_configuration(self.blobs.read(manifest.config.digest, CONFIG_BYTES))
        _expect_platform(Platform(configuration.architecture, configuration.os))
        ids = configuration.rootfs.diff_ids
        if len(ids) != len(manifest.layers):
            raise BadImage(f"the image has {len(manifest.layers)} layers, and says that it has {len(ids)}", HINT)
        layers = []
        for layer, diff_id in zip(manifest.layers, ids, strict=True):
            if self.blobs.size(layer.digest) is None:
                raise NotFound(f"the layer {layer.digest[:19]} does not lie here", "push the image again")
            layers.append(Tar(self.blobs.path(layer.digest), compression(layer), diff_id))
        made = Path(tempfile.mkdtemp(dir=self._tmp, prefix="rootfs-"))
        try:
            made.chmod(0o755)
            unpack(layers, made, self._limits.image)
            _open_up(made / SPACE)
            made.rename(root)
        except OSError as error:
            if error.errno in UNFIT:
                raise BadImage(f"the image cannot be unpacked: {error.strerror}", HINT) from None
            if not root.is_dir():  # else somebody else was as quick
                what = f"the image cannot be unpacked in {self.roots}: {error.strerror or error}"
                raise StateUnavailable(what, "free space there, or check its mode") from None
        finally:
            shutil.rmtree(made, ignore_errors=True)

    # Room.

    def make_room(self, held: Collection[str], now: float, wanted_bytes: int = 0) -> int:
        """Blocking. Blobs that no manifest names go, and if that is not enough, images that nobody holds; how many
        bytes are free then of what may be had. `held`: digests without their algorithm; `now`: by the wall's clock."""
        sizes = {digest: size for digest, size, _ in self.blobs.all()}
        total = sum(sizes.values())
        kept = self._kept(sizes)
        gone = going([*kept.values()], {filed(one) for one in held}, total + wanted_bytes - self._limits.bytes)
        left = [kept.pop(digest) for digest in gone]
        for digest in gone:
            for repository in self.shelves.repositories():
                self.shelves.drop(repository, digest)
            shutil.rmtree(self.roots / digits(digest), ignore_errors=True)
        wanted = {digest for one in kept.values() for digest in one.blobs}
        old = {digest for digest, _, came_at in self.blobs.all() if came_at < now - FRESH_S}
        for digest in old.union(*(one.blobs for one in left)) - wanted:
            self.blobs.remove(digest)
            total -= sizes.get(digest, 0)
        return self._limits.bytes - total

    def _kept(self, sizes: dict[str, int]) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        for repository in self.shelves.repositories():
            for shelved, used_at in self.shelves.manifests(repository):
                digest = shelved.descriptor.digest
                blobs = {one: sizes.get(one, 0) for one in (digest, *shelved.parts)}
                before = found.get(digest)
                last = used_at if before is None else max(used_at, before.used_at)
                found[digest] = Kept(digest, last, blobs, shelved.inner)
        return found


class _Runs(msgspec.Struct, frozen=True):
    config: ImageConfig | None = None


def _open_up(space: Path) -> None:
    """Whatever the image says: some engines give the memory that is mounted there the mode of what lies below it."""
    if space.is_dir() and not space.is_symlink():
        space.chmod(0o1777)


def _expect_platform(found: Platform) -> None:
    """Images from scratch say nothing."""
    machine = here()
    if (found.os and found.os != machine.os) or (found.architecture and found.architecture != machine.architecture):
        raise BadImage(f"the image is for {found}, and this machine is {machine}", "build it for this machine")

"""The registry of images beside the admin API: who may push and pull is who may ask that."""

import asyncio
import gzip
import io
import logging
import secrets
import tarfile
from functools import cache
from typing import IO

import attacca.errors as known
from attacca.control.core.labels import is_function, settings
from attacca.control.core.progress import Refused
from attacca.control.deploy.reception import Upload
from attacca.control.driver import Control
from attacca.control.http.app import AsgiApp
from attacca.control.http.authorization import Scope, refuse_scope
from attacca.errors import AttaccaError, BadFunction, Forbidden, NotFound, Unauthorized
from attacca.images.core.manifests import MANIFEST_BYTES, OCI_MANIFEST
from attacca.images.core.names import digits
from attacca.images.layout import named
from attacca.images.registry import Registry
from attacca.images.spoken import Receive, Send
from attacca.images.store import ImageStore
from attacca.kernel.access import Door
from attacca.model.function import Image

LOG = logging.getLogger("attacca.registry")
PLACE = "/v2"
KINDS = {
    kind.code: kind
    for kind in vars(known).values()
    if isinstance(kind, type) and issubclass(kind, AttaccaError) and hasattr(kind, "code")
}


class OfControl:
    """An `images.registry.Surroundings`."""

    def __init__(self, control: Control, access: Door, images: ImageStore) -> None:
        self._control, self._access, self._images = control, access, images

    def refuse(self, scope: Scope) -> Unauthorized | Forbidden | None:
        return refuse_scope(scope, self._access, self._control)

    def held(self) -> set[str]:
        kept = self._control.core.changes.catalogue.kept()
        return {digest for one in kept if isinstance(one.artefact, Image) for digest in one.artefact.digests}

    def now(self) -> float:
        return self._control.clock.now()

    def wall(self) -> float:
        return self._control.clock.wall()

    def new_name(self) -> str:
        return secrets.token_hex(16)

    async def pushed(self, repository: str, tag: str, digest: str) -> None:
        """A repository that could be a function is one: its image is deployed, unless it runs already."""
        if not is_function(repository):
            LOG.info("the image %s:%s is kept as %s", repository, tag, digest)
            return
        name, manifest = await asyncio.to_thread(self._images.manifest, digest)
        if self._runs(repository) == digits(name):
            return
        config = await asyncio.to_thread(self._images.config, manifest)
        wanted = settings(repository, config.labels or {})
        data = await asyncio.to_thread(self._images.blobs.read, name, MANIFEST_BYTES)
        upload = Upload(packed(named(data, manifest.media_type or OCI_MANIFEST)))
        async for word in self._control.deploy(wanted, upload):
            if isinstance(word, Refused):
                raise refused(word)

    def _runs(self, function: str) -> str:
        """Which image; empty: none."""
        try:
            artefact = self._control.function(function).now.artefact
        except NotFound:
            return ""
        return artefact.digest if isinstance(artefact, Image) else ""


def packed(files: dict[str, bytes]) -> IO[bytes]:
    """As `attacca deploy` sends a directory."""
    file = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    file.seek(0)
    return file


def refused(word: Refused) -> AttaccaError:
    kind = KINDS.get(word.code, BadFunction)
    return kind("\n".join(filter(None, (word.message, word.traceback))), word.hint)


def beside(admin: AsgiApp, control: Control, access: Door) -> AsgiApp:
    """Both, as one application. `control` is asked for nothing before the first image is."""

    @cache
    def registry() -> Registry:
        state = control.state
        images = ImageStore(state.images, state.tmp)
        return Registry(images, OfControl(control, access, images))

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        is_ours = path == PLACE or path.startswith(f"{PLACE}/")
        await (registry() if is_ours else admin)(scope, receive, send)

    return either

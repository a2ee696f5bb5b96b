"""One deployment from the uploaded archive to a revision that can be registered, and the words it says on the way."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO

from attacca.control.config import ControlConfig
from attacca.control.core.events import Made
from attacca.control.core.progress import Progress, Step
from attacca.control.deploy import archive, manifest
from attacca.control.deploy.bundle import Bundles
from attacca.control.deploy.modules import expect_fit, is_wasm
from attacca.control.deploy.processes import compile_code
from attacca.control.deploy.reception import Upload
from attacca.control.deploy.state import StateDir, place
from attacca.errors import BadFunction, BadImage
from attacca.images import layout
from attacca.images.layout import is_layout
from attacca.images.store import ImageStore
from attacca.model.function import RuntimeKind
from attacca.model.image import CONTRACT, Contract, ImageConfig

REPOSITORY = "deployed"  # of images that were sent whole; the tag of each is what the upload came to
PYTHON = ".".join(map(str, sys.version_info[:3]))


OF_IMAGES = (RuntimeKind.AUTO, RuntimeKind.CONTAINER, RuntimeKind.PROCESS)


def is_image(directory: Path, runtime: RuntimeKind) -> bool:
    """Is that what was sent, and is it to be run as one?

    Raises:
        BadFunction: one of the two, and not the other.
    """
    found, is_wanted = is_layout(directory), runtime is RuntimeKind.CONTAINER
    if is_wanted and not found:
        raise BadFunction('runtime = "container" takes an image, and this is none', "deploy an OCI layout, or its tar")
    if found and runtime not in OF_IMAGES:
        raise BadFunction(f'an image is no runtime = "{runtime}"', 'leave it out, or write "container" or "process"')
    return found


def has_handler(config: ImageConfig, runtime: RuntimeKind) -> bool:
    """Is a function in it run by its Python, and no program of its own?

    Raises:
        BadFunction: its label says one, and the settings the other.
    """
    contract = config.contract
    if contract is Contract.GUEST and runtime is RuntimeKind.CONTAINER:
        what = f'the image\'s label {CONTRACT} is "{contract}", which is no contract of runtime = "container"'
        raise BadFunction(what, 'leave runtime out, or write "process"')
    return contract is Contract.GUEST or runtime is RuntimeKind.PROCESS


class Builder:
    """Puts code and bundles in their places; knows nothing of functions."""

    def __init__(
        self, config: ControlConfig, state: StateDir, keep: Callable[[str], Awaitable[int]] | None = None
    ) -> None:
        """`keep` puts what lies there under a digest where other machines find it; how many bytes it has written."""
        self._config = config
        self._keep = keep
        self._state = state
        self._bundles = Bundles(state, config.build_timeout_s, config.builds)

    def __repr__(self) -> str:
        return f"<Builder {self._bundles!r}>"

    async def close(self) -> None:
        await self._bundles.close()

    def place(self, code: str) -> Path:
        """Where what was made lies."""
        return self._state.code / code

    async def make(
        self,
        upload: Upload,
        say: Callable[[Step], None],
        runtime: RuntimeKind | None,
        *,
        from_source: bool,
    ) -> Made:
        """The upload is let go as soon as it is unpacked. `runtime` None: whoever refers to it will say what runs it.

        Raises:
            BadFunction: `runtime` runs nothing of that kind.
            BadRequest, PayloadTooLarge: the archive or its requirements are not taken.
            BadImage, NotFound: it is an image that is damaged, or lacks something.
            BuildFailed: the requirements could not be installed.
        """
        code = await self._unpack(upload.code, say)
        upload.close()
        if runtime is RuntimeKind.KUBERNETES:  # what is run is pulled by others
            return Made(code, None)
        if runtime is not None and is_image(self._state.code / code, runtime):
            image, config = await asyncio.to_thread(self._load, code)
            say(Step("build", f"image {image[:12]}"))
            return Made(code, None, image=image, has_handler=has_handler(config, runtime))
        if runtime is not None:
            if await asyncio.to_thread(is_wasm, self._state.code / code, runtime):
                await self._share(code, None, say)
                return Made(code, None, is_wasm=True)
            await asyncio.to_thread(expect_fit, self._state.code / code, runtime)
        found = await asyncio.to_thread(manifest.find, self._state.code / code, PYTHON, allow_source_builds=from_source)
        for note in found.notes:
            say(Step("build", note))
        bundle, required = None, found.requirements
        if required is not None:
            async for line in self._bundles.build(required, from_source=from_source):
                say(Step("build", line))
            bundle = self._bundles.digest(required)
        await self._share(code, bundle, say)
        return Made(code, bundle, is_microvm=runtime is RuntimeKind.MICROVM)

    def _load(self, code: str) -> tuple[str, ImageConfig]:
        """Which image it is, and what it says of itself. Blocking."""
        images = ImageStore(self._state.images, self._state.tmp)
        images.open()
        loaded = layout.load(self._state.code / code, images, REPOSITORY, code)
        try:
            config = images.config(images.manifest(loaded.digest)[1])
        except BadImage:  # it may be for workers on other machines than this one
            config = ImageConfig()
        return loaded.digest.removeprefix("sha256:"), config

    async def _share(self, code: str, bundle: str | None, say: Callable[[Step], None]) -> None:
        """Before anything counts on it: another control may have to give it to workers."""
        for digest in (code, bundle):
            written = 0 if digest is None or self._keep is None else await self._keep(digest)
            if written:
                say(Step("build", f"{size(written)} kept in the store"))

    async def _unpack(self, packed: IO[bytes], say: Callable[[Step], None]) -> str:
        async with self._state.unfinished() as directory:
            made = directory / "code"
            unpacked = await asyncio.to_thread(archive.unpack, packed, made, self._config.archive)
            files = f"{unpacked.files} file{'' if unpacked.files == 1 else 's'}"
            say(Step("unpack", f"{files}, {size(unpacked.bytes)}, code {unpacked.digest[:12]}"))
            target = self._state.code / unpacked.digest
            if not target.is_dir():
                if unpacked.modules:
                    await compile_code(made, self._config.compile_timeout_s)
                await asyncio.to_thread(place, made, target)
        return unpacked.digest


class ProgressStream:
    """What a deployment says, kept for the one who reads it at its own pace; its last word is Done or Refused."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[Progress] = asyncio.Queue()

    def __repr__(self) -> str:
        return f"<ProgressStream {self._words.qsize()} unread>"

    def say(self, word: Progress) -> None:
        self._words.put_nowait(word)

    async def read(self) -> AsyncIterator[Progress]:
        is_over = False
        while not is_over:
            word = await self._words.get()
            is_over = not isinstance(word, Step)
            yield word


def size(count: int) -> str:
    if count < 1 << 10:
        return f"{count} bytes"
    return f"{count / 1024:.1f} KB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MB"

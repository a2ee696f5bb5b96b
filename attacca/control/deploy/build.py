"""One deployment from the uploaded archive to a revision that can be registered, and the words it says on the way."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO

import msgspec

from attacca.control.config import ControlConfig
from attacca.control.core.progress import Step
from attacca.control.deploy import archive, manifest
from attacca.control.deploy.bundle import Bundles
from attacca.control.deploy.processes import compile_code
from attacca.control.deploy.reception import Upload
from attacca.control.deploy.state import StateDir, place
from attacca.errors import Forbidden
from attacca.model.function import Revision, Settings, Signature
from attacca.model.messages import Checked

PYTHON = ".".join(map(str, sys.version_info[:3]))
Check = Callable[[Revision], Awaitable[Checked]]


class Made(msgspec.Struct, frozen=True):
    """What lies on the disk for a revision."""

    code: str
    bundle: str | None


class Builder:
    """Puts code and bundles in their places; knows nothing of functions."""

    def __init__(self, config: ControlConfig, state: StateDir) -> None:
        self._config = config
        self._state = state
        self._bundles = Bundles(state, config.build_timeout_s, config.builds)

    async def close(self) -> None:
        await self._bundles.close()

    async def make(self, upload: Upload, say: Callable[[Step], None], *, allow_source_builds: bool) -> Made:
        """The upload is let go as soon as it is unpacked.

        Raises:
            BadRequest, PayloadTooLarge: the archive or its requirements are not taken.
            Forbidden: this server does not build from source.
            BuildFailed: the requirements could not be installed.
        """
        if allow_source_builds and not self._config.allow_source_builds:
            raise Forbidden(
                "this server takes only wheels: building runs the packages' own code with the server's rights",
                "deploy without --allow-source-builds, or start the server with --set control.allow_source_builds=true",
            )
        code = await self._unpack(upload.code, say)
        upload.close()
        found = await asyncio.to_thread(
            manifest.find, self._state.code / code, PYTHON, allow_source_builds=allow_source_builds
        )
        for note in found.notes:
            say(Step("build", note))
        required = found.requirements
        if required is None:
            return Made(code, None)
        async for line in self._bundles.build(required, from_source=allow_source_builds):
            say(Step("build", line))
        return Made(code, self._bundles.digest(required))

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
    """What a running deployment says, kept for the one who reads it at its own pace."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[Step | None] = asyncio.Queue()

    def say(self, step: Step) -> None:
        self._steps.put_nowait(step)

    def end(self) -> None:
        self._steps.put_nowait(None)

    async def read(self) -> AsyncIterator[Step]:
        while (step := await self._steps.get()) is not None:
            yield step


def candidate(settings: Settings, made: Made, number: int, now: float) -> Revision:
    """A revision that nobody has looked into yet: the check fills in handler, signature and event."""
    return Revision(
        function=settings.name,
        number=number,
        settings=settings,
        handler=settings.handler or "",
        signature=Signature.EVENT_CONTEXT,
        code=made.code,
        bundle=made.bundle,
        created_at=now,
    )


def size(count: int) -> str:
    if count < 1 << 10:
        return f"{count} bytes"
    return f"{count / 1024:.1f} KB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MB"

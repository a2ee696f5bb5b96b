"""Code that was uploaded for no function: kept for a while, and then for as long as what is beside needs it."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from attacca.control.deploy.build import Builder
from attacca.control.deploy.reception import Upload
from attacca.errors import BadFunction
from attacca.kernel.clock import Clock
from attacca.model.function import PythonDirectory, WasmModule
from attacca.model.wasm import expect_event_function

KEPT_S = 600.0


class Uploads:
    """`needed` says what of it is needed now."""

    def __init__(self, builder: Builder, clock: Clock, needed: Callable[[], Iterable[str]]) -> None:
        self._builder, self._clock, self._needed = builder, clock, needed
        self._until: dict[str, float] = {}  # by digest

    def __repr__(self) -> str:
        return f"<Uploads {len(self._until)} kept>"

    async def keep(self, upload: Upload) -> PythonDirectory | WasmModule:
        """With all that it requires. A module of WebAssembly comes alone.

        Raises:
            BadRequest, PayloadTooLarge: the archive or its requirements are not taken.
            BuildFailed: the requirements could not be installed.
            BadFunction: it is a module of which no event function can be made.
        """
        try:
            made = await self._builder.make(upload, lambda _: None, None, from_source=False)
        finally:
            upload.close()
        if made.image:
            raise BadFunction("no event function is made of an image", "send Python or WebAssembly")
        kept: PythonDirectory | WasmModule = PythonDirectory(made.code, made.bundle)
        if await asyncio.to_thread(_is_module, self._builder.place(made.code)):
            kept = WasmModule(made.code)
        self._until |= dict.fromkeys(kept.digests, self._clock.now() + KEPT_S)
        return kept

    def digests(self) -> set[str]:
        """What must not be removed."""
        now = self._clock.now()
        self._until = {digest: until for digest, until in self._until.items() if until > now}
        return {*self._until, *self._needed()}


def _is_module(directory: Path) -> bool:
    """Blocking: it is read.

    Raises:
        BadFunction: it is one that lacks something, or there are several.
    """
    files = list(directory.iterdir())
    modules = [file for file in files if file.suffix == ".wasm"]
    if not modules or any(file.suffix == ".py" for file in files):
        return False
    if len(files) > 1:
        raise BadFunction(f"beside {modules[0].name} there is more", "upload the module alone")
    expect_event_function(modules[0].read_bytes())
    return True

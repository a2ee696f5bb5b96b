"""Code that was uploaded for no function: kept for a while, and then for as long as what is beside needs it."""

from collections.abc import Callable, Iterable

from attacca.control.deploy.build import Builder
from attacca.control.deploy.reception import Upload
from attacca.kernel.clock import Clock
from attacca.model.function import PythonDirectory

KEPT_S = 600.0


class Uploads:
    """`needed` says what of it is needed now."""

    def __init__(self, builder: Builder, clock: Clock, needed: Callable[[], Iterable[str]]) -> None:
        self._builder, self._clock, self._needed = builder, clock, needed
        self._until: dict[str, float] = {}  # by digest

    def __repr__(self) -> str:
        return f"<Uploads {len(self._until)} kept>"

    async def keep(self, upload: Upload) -> PythonDirectory:
        """With all that it requires.

        Raises:
            BadRequest, PayloadTooLarge: the archive or its requirements are not taken.
            BuildFailed: the requirements could not be installed.
        """
        try:
            made = await self._builder.make(upload, lambda _: None, from_source=False)
        finally:
            upload.close()
        kept = PythonDirectory(made.code, made.bundle)
        self._until |= dict.fromkeys(kept.digests, self._clock.now() + KEPT_S)
        return kept

    def digests(self) -> set[str]:
        """What must not be removed."""
        now = self._clock.now()
        self._until = {digest: until for digest, until in self._until.items() if until > now}
        return {*self._until, *self._needed()}

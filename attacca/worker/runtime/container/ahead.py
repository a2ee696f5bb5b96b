"""Containers that were created before anybody wanted one: the engine has done all but to have the program begin.

one has started ──▶ another of its revision is created ──▶ taken ──▶ its program begins ──▶ ready, and so on

Of which revisions is in a file, for the server that comes next: it has some created before anybody asks.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec

from attacca.model.function import Network, Revision
from attacca.worker.runtime.container.sandbox import Container

WAIT_S: Final = 600.0  # after the last start of its revision one goes that nobody wanted
LARGEST: Final = 1 << 24  # bytes of the file
USUALLY: Final = {"runsc": 4}  # by engine, where the settings say nothing: whose kernel takes long to begin


_remembered = msgspec.json.Decoder(Annotated[tuple[Revision, ...], msgspec.Meta(max_length=1000)]).decode


class ContainersAhead:
    """One each, of the revisions that were started last. `make` has one created, and `drop` it; `file` is where it is
    written of which."""

    def __init__(
        self,
        most: int | None,
        make: Callable[[str, Revision], Container],
        drop: Callable[[Container], None],
        file: Path | None = None,
    ) -> None:
        self._wanted, self._make, self._drop, self._file = most, make, drop, file
        self._most = 0
        self._of: dict[str, Container] = {}  # by function, the one that was started last at the end
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"<ContainersAhead {len(self._of)} of {self._most} containers>"

    def open(self, engine: str, *, can_wait: bool) -> None:
        """From now on, where that engine can."""
        most = USUALLY.get(engine, 0) if self._wanted is None else self._wanted
        self._most = most if can_wait else 0

    def remembered(self) -> tuple[Revision, ...]:
        """Of which there were some when the server before this one ended. Blocking, for a moment."""
        if self._file is not None and self._wanted != 0:
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                if self._file.stat().st_size <= LARGEST:
                    return _remembered(self._file.read_bytes())
        return ()

    async def there(self, function: str) -> None:
        """The one of that function has been created, or will not be."""
        if (one := self._of.get(function)) is not None:
            await asyncio.wait([one.created])

    def want(self, revision: Revision) -> None:
        """One has started: the next is to be there."""
        if not self._most or not may_wait(revision):
            return
        function = revision.function
        there = self._of.pop(function, None)
        if there is not None and not is_of(there, revision):
            self._let_go(there)
            there = None
        while len(self._of) >= self._most:
            self._let_go(self._of.pop(next(iter(self._of))))
        self._count += 1
        self._of[function] = there or self._make(f"ahead-{self._count}", revision)
        self._time(function)
        if there is None:
            self._remember()

    def take(self, revision: Revision) -> Container | None:
        """One that has been created; it is the taker's from now on."""
        one = self._of.get(revision.function)
        if one is None or one.is_doomed or not one.created.done() or not is_of(one, revision):
            return None
        self.forget(one)
        return one

    def forget(self, one: Container) -> None:
        """It is gone, or somebody's."""
        for function in [function for function, other in self._of.items() if other is one]:
            del self._of[function]
            self._timers.pop(function).cancel()

    def close(self) -> None:
        self._most = 0
        for one in list(self._of.values()):
            self.forget(one)

    def _time(self, function: str) -> None:
        if (timer := self._timers.pop(function, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[function] = loop.call_later(WAIT_S, self._expire, function)

    def _expire(self, function: str) -> None:
        self._let_go(self._of.pop(function))
        self._remember()

    def _remember(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the next server begins without
                made = self._file.with_suffix(".new")
                descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(msgspec.json.encode([one.revision for one in self._of.values()]))
                made.rename(self._file)

    def _let_go(self, one: Container) -> None:
        if (timer := self._timers.pop(one.revision.function, None)) is not None:
            timer.cancel()
        self._drop(one)


def may_wait(revision: Revision) -> bool:
    """Nothing of it is told anew at each start, nor is one sandbox's alone."""
    settings = revision.settings
    asks = settings.secrets or settings.publish or settings.gpu or settings.is_either
    return not asks and settings.network is not Network.HOST


def is_of(one: Container, revision: Revision) -> bool:
    """What was found of its program may be told of the other alone."""
    own = one.revision
    return (own.number, own.artefact, own.settings) == (revision.number, revision.artefact, revision.settings)

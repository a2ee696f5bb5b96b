"""Where a sandbox is born that is made from nothing: in which network, and in which file system."""

import asyncio
import os
from collections.abc import Hashable
from typing import NamedTuple, Protocol

from attacca.model.function import Network, PythonDirectory, Revision
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.process import homes
from attacca.worker.runtime.process.berths import OWN, Berths
from attacca.worker.runtime.process.description import devices


class Birthplace(NamedTuple):
    """As `Berths` and `Homes` have it."""

    network: int = OWN
    home: int = homes.NONE


NOWHERE = Birthplace()  # it goes on by itself from where its parent is


class HomeKeeper(Protocol):
    """The client of a zygote."""

    is_open: bool

    def forget(self, home: int) -> None: ...


class Quarters:
    def __init__(self, store: CodeStore) -> None:
        self._store = store
        self._berths, self._homes = Berths(), homes.Homes()
        self._keeper: HomeKeeper | None = None
        self._look: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Quarters {self._berths!r}, {self._homes!r}>"

    def take(self, revision: Revision, sandbox: homes.Maker, keeper: HomeKeeper | None) -> Birthplace:
        """For one that `keeper` is to make, unless that is lost until then."""
        if revision.settings.network is not Network.NONE:
            return NOWHERE
        if keeper is not self._keeper:
            self._homes.forget()
            self._keeper = keeper
        home, what, loop = homes.NONE, self._what(revision), asyncio.get_running_loop()
        if what is not None and keeper is not None and keeper.is_open:
            home = self._homes.take(what, sandbox, loop.time())
            self._look = self._look or loop.call_later(homes.REST_S, self._look_round, loop)
        return Birthplace(self._berths.take(revision.function), home)

    def leave(self, place: Birthplace, sandbox: homes.Maker, *, is_over: bool) -> None:
        """See `Berths.give`."""
        self._berths.give(place.network, is_over=is_over)
        self._homes.leave(place.home, sandbox)

    def _look_round(self, loop: asyncio.AbstractEventLoop) -> None:
        for home in self._homes.rested(loop.time()):
            if self._keeper is not None and self._keeper.is_open:
                self._keeper.forget(home)
        self._look = loop.call_later(homes.REST_S, self._look_round, loop) if self._homes else None

    def _what(self, revision: Revision) -> Hashable | None:
        """What its sandboxes see beside the system: directories that are the same as long as they are not removed and
        made anew. None: there is more, which only the zygote's hall has."""
        artefact = revision.artefact
        if not isinstance(artefact, PythonDirectory) or devices(revision):
            return None
        code = self._store.code / artefact.code
        bundle = self._store.bundles / artefact.bundle if artefact.bundle else code
        try:
            there = list(map(os.stat, (code, bundle)))
        except OSError:  # it will say so itself
            return None
        return revision.function, *((one.st_dev, one.st_ino, one.st_ctime_ns) for one in there)

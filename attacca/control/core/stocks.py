"""What lies where, as workers apart say; and who is told to fetch what before anybody asks for it."""

from collections.abc import Iterable
from math import inf

from attacca.control.core.events import Command
from attacca.control.core.workers import Worker
from attacca.model.function import Revision
from attacca.model.machine import unable
from attacca.model.messages import Send
from attacca.model.supplies import Ahead, Prefetch, Stock

NONE: frozenset[str] = frozenset()


class Stocks:
    """Who has said nothing has what it needs where it is, and is told nothing."""

    def __init__(self, ahead: Ahead, silent_s: float = 0.0) -> None:
        """`silent_s`: how long after control has begun a worker may not have been heard of that has what one is to
        have."""
        self.by_worker: dict[str, frozenset[str]] = {}
        self.settles_at = inf  # when all that are there have said what they have
        self._ahead, self._silent_s = ahead, silent_s
        self._told: dict[str, dict[str, None]] = {}  # by worker: revisions that it was told to fetch, each once

    def __repr__(self) -> str:
        return f"<Stocks of {len(self.by_worker)} workers, {sum(map(len, self._told.values()))} fetched ahead>"

    def begin(self, now: float) -> None:
        if self._ahead is Ahead.ONE and 0 < self._silent_s < inf:
            self.settles_at = now + self._silent_s

    def settle(self, current: Iterable[Revision], heard: Iterable[Worker], out: list[Command]) -> None:
        """Its time has come."""
        self.settles_at = inf
        self._see_to_one(current, heard, out)

    def where(self, revision: Revision) -> tuple[str, ...]:
        """Who has all that it is made of."""
        digests = revision.artefact.digests
        return tuple(sorted(name for name, stock in self.by_worker.items() if digests and stock.issuperset(digests)))

    def count(self, worker: str, current: Iterable[Revision]) -> int | None:
        """Of these, how many lie there."""
        stock = self.by_worker.get(worker)
        return None if stock is None else sum(stock.issuperset(one.artefact.digests) for one in current)

    def hear(self, stock: Stock, current: Iterable[Revision], heard: Iterable[Worker], out: list[Command]) -> None:
        """`heard`: those that can be counted on."""
        is_new = stock.worker not in self.by_worker
        self.by_worker[stock.worker] = frozenset(stock.digests)
        if is_new and self._ahead is Ahead.ALL:
            workers = [worker for worker in heard if worker.name == stock.worker]
            for revision in current:
                self._tell(revision, workers, out)
        elif is_new and self._ahead is Ahead.ONE:
            self._see_to_one(current, heard, out)

    def lose(self, worker: str) -> None:
        """It is gone, or comes anew."""
        self.by_worker.pop(worker, None)
        self._told.pop(worker, None)

    def lost(self, current: Iterable[Revision], heard: Iterable[Worker], out: list[Command]) -> None:
        """Somebody is not counted on any more."""
        if self._ahead is Ahead.ONE:
            self._see_to_one(current, heard, out)

    def deployed(self, revision: Revision, heard: Iterable[Worker], out: list[Command]) -> None:
        for told in self._told.values():
            for earlier in [one for one in told if one.rpartition("@")[0] == revision.function and one != revision.id]:
                del told[earlier]
        match self._ahead:
            case Ahead.ALL | Ahead.ON_DEPLOY:
                self._tell(revision, heard, out)
            case Ahead.ONE:
                self._see_to_one([revision], heard, out)
            case Ahead.NONE:
                pass

    def _see_to_one(self, current: Iterable[Revision], heard: Iterable[Worker], out: list[Command]) -> None:
        if self.settles_at < inf:
            return
        workers = [worker for worker in heard if worker.name in self.by_worker]
        for revision in current:
            able = [worker for worker in workers if not unable(worker.machine, revision.needs)]
            if able and not any(self._has(worker.name, revision) for worker in able):
                emptiest = min(able, key=lambda one: (len(self._told.get(one.name, ())), one.name))
                self._tell(revision, [emptiest], out)

    def _tell(self, revision: Revision, workers: Iterable[Worker], out: list[Command]) -> None:
        for worker in workers:
            is_known = worker.name in self.by_worker and revision.artefact.digests
            if is_known and not self._has(worker.name, revision) and not unable(worker.machine, revision.needs):
                self._told.setdefault(worker.name, {})[revision.id] = None
                out.append(Send(worker.name, Prefetch(revision)))

    def _has(self, worker: str, revision: Revision) -> bool:
        """Or will have it."""
        is_told = revision.id in self._told.get(worker, ())
        return is_told or self.by_worker.get(worker, NONE).issuperset(revision.artefact.digests)

"""The workers that control knows: which of them is to check code, what each reserves, and who has not been heard of."""

from math import inf

from attacca.control.core.catalogue import CatalogueState
from attacca.errors import AttaccaError, NoCapacity, NotFound
from attacca.model import reserve
from attacca.model.function import Revision, Settings
from attacca.model.machine import Machine, Needs, unable
from attacca.model.messages import WorkerJoined
from attacca.model.reserve import Wish
from attacca.model.sandbox import Capacity, WorkerView


class Worker:
    """One, from its joining until it is gone."""

    __slots__ = (
        "address", "capacity", "gone", "granted", "heard_at", "is_draining", "is_silent", "machine", "name",
        "ordered_mb", "used_mb",
    )  # fmt: skip

    def __init__(self, now: float, joined: WorkerJoined) -> None:
        self.name = joined.view.name
        self.address = joined.address
        self.machine: Machine | None = joined.machine
        self.capacity: Capacity | None = joined.capacity  # None: it has not said what it can reserve
        self.granted: dict[str, int] = {}  # of those that want min_sandboxes: how many it keeps
        self.used_mb = joined.view.used.memory_mb
        self.ordered_mb = 0  # ahead of need, since it has said what it uses
        self.heard_at = now
        self.gone = joined.view.devices_gone
        self.is_draining = joined.view.draining
        self.is_silent = False  # for so long that nobody counts on it until it is heard of again

    def __repr__(self) -> str:
        return f"<Worker {self.name}: {sum(self.granted.values())} reserved{', draining' * self.is_draining}>"

    @property
    def free_mb(self) -> int:
        total_mb = 0 if self.capacity is None else self.capacity.resources.memory_mb
        return total_mb - self.used_mb - self.ordered_mb


class Workers:
    """In the order in which they joined."""

    def __init__(self, silent_s: float) -> None:
        self.by_name: dict[str, Worker] = {}
        self.silent_at = inf  # nobody is silent for too long earlier; it may be too early, never too late
        self.silent_s = silent_s

    def __repr__(self) -> str:
        draining = sum(worker.is_draining for worker in self.by_name.values())
        return f"<Workers {len(self.by_name)}, {draining} draining>"

    def join(self, now: float, joined: WorkerJoined, catalogue: CatalogueState) -> None:
        worker = self.by_name[joined.view.name] = Worker(now, joined)
        self.silent_at = min(self.silent_at, now + self.silent_s)
        share(worker, catalogue)

    def hear(self, now: float, view: WorkerView) -> bool:
        """Had it been given up?"""
        worker = self.by_name.get(view.name)
        if worker is None:
            return False
        was_silent, worker.is_silent = worker.is_silent, False
        worker.heard_at = now
        worker.gone = view.devices_gone
        worker.is_draining = view.draining
        worker.used_mb, worker.ordered_mb = view.used.memory_mb, 0
        self.silent_at = min(self.silent_at, now + self.silent_s)
        return was_silent

    def silence(self, now: float) -> list[str]:
        """Those that have not been heard of for too long since the last time."""
        silenced, self.silent_at = [], inf
        for worker in self.by_name.values():
            at = worker.heard_at + self.silent_s
            if worker.is_silent:
                continue
            if at <= now:
                worker.is_silent = True
                silenced.append(worker.name)
            else:
                self.silent_at = min(self.silent_at, at)
        return silenced

    def heard(self) -> list[Worker]:
        """Those that can be counted on."""
        return [worker for worker in self.by_name.values() if not worker.is_silent]

    def pick(self, needs: Needs) -> str | None:
        """Who checks code: the first that can run it and takes something new; where nobody can, or all drain, the
        first, whose refusal says why."""
        heard = [worker for worker in self.heard() if not unable(worker.machine, needs, worker.gone)] or self.heard()
        taking = [worker for worker in heard if not worker.is_draining] or heard
        return taking[0].name if taking else None

    def expect(self, name: str) -> None:
        """
        Raises:
            NotFound: no worker of that name has joined.
        """
        if name not in self.by_name:
            raise NotFound(f"there is no worker {name[:80]!r}", "attacca status lists those that there are")

    # What is reserved.

    def share(self, catalogue: CatalogueState, first: str = "") -> None:
        for worker in self.by_name.values():
            share(worker, catalogue, first)

    def refuse(self, settings: Settings, catalogue: CatalogueState) -> AttaccaError | None:
        """Why they cannot keep what these settings reserve. Who never fits at all hears of it at the check."""
        for worker in self.heard():
            capacity = worker.capacity
            if capacity is None or not settings.resources.fits(capacity.resources):
                continue
            if not (catalogue.keeping or settings.reserves):
                continue
            others = [wish for wish in wishes(catalogue) if wish.function != settings.name]
            refusal = reserve.refuse(capacity, reserve.wish(settings), others, worker.granted)
            if refusal is not None:
                return refusal
        return None

    def short(self, name: str, catalogue: CatalogueState) -> list[tuple[Settings, int]]:
        """What wants more min_sandboxes than this worker keeps, and how many those are."""
        granted = self.by_name[name].granted
        wanted = [(revision.settings, granted.get(function, 0)) for function, revision in catalogue.keeping.items()]
        return [(settings, count) for settings, count in wanted if count < settings.reserves]

    def place(self, revision: Revision, count: int, catalogue: CatalogueState) -> str | AttaccaError | None:
        """Who makes so many sandboxes ahead of need: of those that could keep them the one with the most memory free,
        those that drain last. None: there is nobody."""
        settings = revision.settings
        refusal: AttaccaError | None = None
        for worker in sorted(self.heard(), key=_by_room):
            if lack := unable(worker.machine, revision.needs, worker.gone):
                refusal = refusal or NoCapacity(
                    f"worker {worker.name!r} cannot have it: {lack}", "attacca doctor there"
                )
                continue
            if worker.capacity is None:
                return worker.name
            most = reserve.orderable(worker.capacity, wishes(catalogue), worker.granted, settings.resources)
            why = reserve.refuse_order(worker.capacity, settings.name, count, most, settings.resources)
            if why is None:
                worker.ordered_mb += count * settings.resources.memory_mb
                return worker.name
            refusal = refusal or why
        return refusal


def _by_room(worker: Worker) -> tuple[bool, int]:
    return worker.is_draining, -worker.free_mb


def share(worker: Worker, catalogue: CatalogueState, first: str = "") -> None:
    """As the worker itself does: who was deployed just now comes before those that have less than they want."""
    if worker.capacity is None or not catalogue.keeping:
        worker.granted = {}
        return
    wanted = sorted(wishes(catalogue), key=lambda wish: (wish.function != first, wish.function))
    granted = reserve.grant(worker.capacity, wanted, worker.granted)
    worker.granted = {name: granted[name] for name in catalogue.keeping}


def wishes(catalogue: CatalogueState) -> list[Wish]:
    return [reserve.wish(revision.settings) for revision in catalogue.current()]

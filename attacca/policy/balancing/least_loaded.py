"""The worker with the smallest share of its slots in use or waited for; or with the smallest load of another kind."""

from collections.abc import Sequence
from math import inf
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.level import Level
from attacca.policy.balancing.types import Asked, Balancer, Picked, Worker


class LeastLoaded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Score: `by` "queue", (queued + running) / limit, by the gateway's own count. By what workers said last:

    - "cpu": the share of its processors that was busy; "load": the 1-minute load average / cores. Each invocation that
      was sent there since counts for one core.
    - "power": the watts that its machine takes for each of its cores; each invocation that was sent there since counts
      for as much as a core takes now. As long as any machine does not say it, all are judged by (queued + running) /
      cores.
    - "memory": the share of its memory that its sandboxes held, and what was sent there since would hold if each needed
      a new one.

    Ilúvatar's policy of this name has all of these. It looks at loads that a thread fetches now and then, and sends
    everything to the same worker until the next look; as each decision counts here, that herd does not form. Whose
    machine is not measured is judged by (queued + running) / cores.

    - "loadavg": as the original does it, herd and all, each `look_s` by the load averages that a database of time
      series has. Of whom it knows nothing, or when it is gone, it goes by what the worker said last.
    """

    by: Literal["queue", "cpu", "load", "power", "memory", "loadavg"] = "queue"
    look_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0

    def fresh(self, chance: Chance) -> Balancer:
        if self.by == "loadavg":
            return Looking(self.look_s)
        return Level() if self.by == "queue" else Said(self.by)


class Looking:
    """Everything goes to the one that was the least loaded at the last look."""

    __slots__ = ("_look_s", "_picked", "_until", "_workers")

    def __init__(self, look_s: float) -> None:
        self._look_s = look_s
        self._workers: list[Worker] = []
        self._picked = Picked("", "")
        self._until = -inf

    def __repr__(self) -> str:
        return f"<Looking at {len(self._workers)} workers, at {self._picked.worker or 'none'}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        if all(worker.name != self._picked.worker for worker in workers):
            self._until = -inf

    def pick(self, now: float, asked: Asked) -> Picked:
        if now >= self._until:
            best = min(self._workers, key=_loadavg)
            source = "" if best.charted is not None else ", as it says itself"
            self._picked = Picked(best.name, f"least loadavg{source}")
            self._until = now + self._look_s
        return self._picked


def _loadavg(worker: Worker) -> float:
    if worker.charted is not None:
        return worker.charted
    load = worker.load
    return (worker.queued + worker.running if load is None else load.load_1m) / worker.cores


class Said:
    """Looks at all: their loads change when they say so, and not only by what is decided here."""

    __slots__ = ("_by", "_has_power", "_since", "_workers")

    def __init__(self, by: str) -> None:
        self._by = by
        self._has_power = False  # every worker says what its machine takes
        self._workers: list[Worker] = []
        self._since: dict[str, tuple[float, int, int]] = {}  # when it was heard, and what was sent since: how many, MB

    def __repr__(self) -> str:
        return f"<Said {len(self._workers)} workers, by {self._by}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        self._since = {worker.name: self._since.get(worker.name, (-inf, 0, 0)) for worker in workers}

    def pick(self, now: float, asked: Asked) -> Picked:
        if self._by == "power":
            self._has_power = all(worker.load is not None and worker.load.watts > 0 for worker in self._workers)
        best = min(self._workers, key=self._score)
        heard_at, sent, sent_mb = self._since[best.name]
        if best.heard_at != heard_at:
            sent = sent_mb = 0
        self._since[best.name] = best.heard_at, sent + 1, sent_mb + asked.resources.memory_mb
        return Picked(best.name, f"least {self._by}")

    def _score(self, worker: Worker) -> float:
        heard_at, sent, sent_mb = self._since[worker.name]
        if worker.heard_at != heard_at:
            sent = sent_mb = 0
        if self._by == "memory":
            whole_mb = max(1, worker.capacity.memory_mb)
            return 1 - (worker.free.memory_mb - sent_mb) / whole_mb
        load = worker.load
        if load is None or (self._by == "power" and not self._has_power):
            return (worker.queued + worker.running) / worker.cores
        if self._by == "power":
            return load.watts / worker.cores * (1 + sent / worker.cores)
        busy = load.cpu_share if self._by == "cpu" else load.load_1m / worker.cores
        return busy + sent / worker.cores

"""Who has an idle sandbox of the function pulls its next invocation; where nobody has, the least connected gets it."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker


class Pull(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hiku (Akbari and Hauswirth, CCGRID'25): a worker stands in a function's queue once for each sandbox of it that
    came to rest there, and leaves it when one is taken or evicted. An invocation goes to the one in its function's
    queue with the fewest connections (queued + running); if the queue is empty, to the one with the fewest of all.

    Two things differ. Equals go to the smaller name; theirs are drawn by lot where the queue is empty. And a worker
    leaves the queue as soon as it is picked, so that two invocations on their way are not sent for one sandbox.
    """

    def fresh(self, chance: Chance) -> "Queues":
        return Queues()


class Queues:
    __slots__ = ("_idle", "_names", "_workers")

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._names: dict[str, Worker] = {}
        self._idle: dict[str, dict[str, int]] = {}  # by function and worker: how often it stands in the queue

    def __repr__(self) -> str:
        return f"<Queues {len(self._workers)} workers, {len(self._idle)} functions>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        self._names = {worker.name: worker for worker in self._workers}

    def resting(self, now: float, worker: str, function: str, idle: int) -> None:
        queue = self._idle.setdefault(function, {})
        if idle:
            queue[worker] = idle
        else:
            queue.pop(worker, None)

    def pick(self, now: float, asked: Asked) -> Picked:
        queue = self._idle.get(asked.function, {})
        waiting = [self._names[name] for name in queue if name in self._names]
        if not waiting:
            return Picked(min(self._workers, key=_connections).name, "nobody has an idle one: fewest connections")
        chosen = min(waiting, key=_connections).name
        self.resting(now, chosen, asked.function, queue[chosen] - 1)
        return Picked(chosen, "pulled: has an idle one")


def _connections(worker: Worker) -> tuple[int, str]:
    return worker.queued + worker.running, worker.name

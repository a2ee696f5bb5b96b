"""The worker in the gateway's own process, while nothing waits there; seldom called functions go by load alone."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.level import Level
from attacca.policy.balancing.types import Asked, Picked, Worker

OWN = Picked("", "in the gateway's own process")


class OwnFirst(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For gateways that share a process with a worker each: what stays in the process needs no link.

    - A function that is called less than `often` times a second at this gateway goes to the worker with the smallest
      (queued + running) / limit, equal ones by name: to the same one from every gateway, so that it is kept warm once.
    - Any other stays in the process, unless something of this gateway's waits there, and on another worker nothing
      does: neither of this gateway's, nor of anybody's, as that said last.
    """

    worker: str = ""  # its name; unset: there is none
    often: Annotated[float, msgspec.Meta(ge=0)] = 1.0

    def fresh(self, chance: Chance) -> "Own":
        return Own(self)


class Own:
    __slots__ = ("_answer", "_level", "_often", "_others", "_own")

    def __init__(self, policy: OwnFirst) -> None:
        self._answer = msgspec.structs.replace(OWN, worker=policy.worker)
        self._often = policy.often
        self._level = Level()
        self._own: Worker | None = None
        self._others: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Own {'with' if self._own else 'without'} its worker, {len(self._others)} others>"

    def among(self, workers: Sequence[Worker]) -> None:
        name = self._answer.worker
        self._own = next((worker for worker in workers if worker.name == name), None)
        self._others = [worker for worker in workers if worker.name != name]
        self._level.among(workers)

    def eased(self, worker: str) -> None:
        self._level.eased(worker)

    def pick(self, now: float, asked: Asked) -> Picked:
        own = self._own
        if own is None or asked.rate < self._often:
            return self._level.pick(now, asked)
        if own.queued:
            free = [worker for worker in self._others if not (worker.queued or worker.waiting)]
            if free:
                best = min(free, key=_load)
                return Picked(best.name, "nothing waits there, and something in the gateway's own process")
        return self._answer


def _load(worker: Worker) -> tuple[float, str]:
    return (worker.queued + worker.running) / worker.limit, worker.name

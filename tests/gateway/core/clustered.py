"""A gateway core with a function whose sandboxes control has made."""

from typing import Any

from attacca.model.endpoints import Endpoint, Endpoints
from attacca.model.function import Revision, Scheduling
from attacca.model.invocation import Timing
from tests.gateway.play import revision
from tests.gateway.stage import Stage

MADE = Timing(sandbox=5.0, imports=20.0)


def clustered(name: str = "f", number: int = 1, **settings: Any) -> Revision:
    return revision(name, number, scheduling=Scheduling.CLUSTER, **settings)


def endpoint(sandbox: str, worker: str = "worker", slots: int = 1, *, number: int = 1, function: str = "f") -> Endpoint:
    return Endpoint(sandbox, function, f"{function}@{number}", worker, slots, MADE)


def stage(*endpoints: Endpoint, workers: tuple[str, ...] = ("worker",), **settings: Any) -> Stage:
    g = Stage(clustered(**settings), workers=workers, silent_s=9.0)
    g.tell(0.0, Endpoints(1, endpoints))
    g.said.clear()
    return g

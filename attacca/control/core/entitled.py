"""Which secrets a worker may be told: those of what it may be asked to run, and no others.

A gateway may send what is scheduled by workers to any of them; what control schedules runs where control has had it
made. Revisions that are kept count too: what waits of the one before may still need a sandbox.
"""

from collections.abc import Iterable

from attacca.control.core.change import Phase
from attacca.control.core.changes import Changes
from attacca.control.core.cluster.cluster import Cluster
from attacca.control.core.workers import Workers
from attacca.model.function import Scheduling


class Entitled:
    def __init__(self, workers: Workers, changes: Changes, cluster: Cluster) -> None:
        self._workers, self._changes, self._cluster = workers, changes, cluster
        self._everywhere: frozenset[str] = frozenset()
        self._generation = -1  # of the catalogue that this was found in

    def __repr__(self) -> str:
        return f"<Entitled any worker to {len(self._everywhere)} secrets>"

    def of(self, worker: str) -> set[str]:
        if worker not in self._workers.by_name:
            return set()
        names = {*self._of_all(), *self._checked(worker)}
        host = self._cluster.ordering.hosts.get(worker)
        if host is not None:
            for instance in host.instances.values():
                names.update(instance.function.revision.settings.secrets)
        return names

    def _of_all(self) -> frozenset[str]:
        catalogue = self._changes.catalogue
        if self._generation != catalogue.generation:
            self._generation = catalogue.generation
            kept = (one.settings for one in catalogue.kept() if one.settings.scheduling is Scheduling.WORKER)
            self._everywhere = frozenset(name for settings in kept for name in settings.secrets)
        return self._everywhere

    def _checked(self, worker: str) -> Iterable[str]:
        for change in self._changes.turns.by_id.values():
            if change.worker == worker and change.phase is Phase.CHECKING and change.revision is not None:
                yield from change.revision.settings.secrets

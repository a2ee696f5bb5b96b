"""What the instances of a domain did, as their workers tell it: the newest of each, and what is passed on to whoever
collects samples."""

from collections import deque
from collections.abc import Callable

import msgspec

from attacca.model.events import InstanceView, Samples
from attacca.model.samples import Sample
from attacca.model.workflow import WorkflowView

RECENT_MOST = 200  # samples kept of one instance
INSTANCES_MOST = 100_000


class Telemetry:
    def __init__(self) -> None:
        self.views: dict[str, InstanceView] = {}  # by instance
        self._workers: dict[str, str] = {}  # by instance
        self.recent: dict[str, deque[Sample]] = {}  # by instance, the newest last
        self.sinks: list[Callable[[Samples], None]] = []  # each is told of all that comes
        self.lost = 0  # samples and entries that workers had to drop

    def __repr__(self) -> str:
        kept = sum(len(samples) for samples in self.recent.values())
        return f"<Telemetry of {len(self.views)} instances, {kept} samples, {self.lost} lost>"

    def hear(self, message: Samples) -> None:
        self.lost += message.lost
        for view in message.views:
            if view.id in self.views or len(self.views) < INSTANCES_MOST:
                self.views[view.id] = view
                self._workers[view.id] = message.worker
        for sample in message.samples:
            if sample.instance in self.views:
                self.recent.setdefault(sample.instance, deque(maxlen=RECENT_MOST)).append(sample)
        for sink in self.sinks:
            sink(message)

    def forget(self, instance: str) -> None:
        self.views.pop(instance, None)
        self.recent.pop(instance, None)
        self._workers.pop(instance, None)

    def lose(self, worker: str) -> None:
        for instance in [one for one, where in self._workers.items() if where == worker]:
            self.forget(instance)

    def shown(self, view: WorkflowView) -> WorkflowView:
        """With what is known of each of its instances."""
        rows = tuple(msgspec.structs.replace(row, seen=self.views.get(row.instance)) for row in view.instances)
        return msgspec.structs.replace(view, instances=rows)

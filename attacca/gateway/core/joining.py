"""Workers that join, are heard of, fall silent and leave, and what that means for the invocations that they have."""

from attacca.gateway.core.charted import Charted
from attacca.gateway.core.cluster import Cluster
from attacca.gateway.core.events import Command, WorkerLost
from attacca.gateway.core.retries import Retries
from attacca.gateway.core.spending import Spending
from attacca.gateway.core.workers import Workers
from attacca.model.energy import Spent
from attacca.model.messages import Heartbeat, Send, WatchIdle, WorkerJoined, WorkerLeft
from attacca.model.sandbox import WorkerView


class Joining:
    def __init__(self, workers: Workers, retries: Retries, cluster: Cluster, spending: Spending) -> None:
        self._workers = workers
        self._spending = spending
        self._retries = retries
        self._cluster = cluster
        self.is_watching = workers.is_asked  # workers are told, when they join, to say what rests

    def __repr__(self) -> str:
        return f"<Joining {len(self._workers.by_name)} workers{', watched' * self.is_watching}>"

    def watch(self, out: list[Command]) -> None:
        """Some policy has begun to ask what rests."""
        self.is_watching = True
        out.extend(Send(name, WatchIdle()) for name in self._workers.by_name)

    def joined(self, now: float, message: WorkerJoined, out: list[Command]) -> None:
        name = message.view.name
        old = self._workers.drop(name)
        if old is not None:
            self._cluster.look(now, name, out)
        self._workers.machines[name] = message.machine
        self._join(now, message.view, out)
        self._retries.reborn(name)
        if old is not None:
            self._retries.lose(now, old, "was started anew", out)
        self._retries.place_held(now, out)

    def heard(self, now: float, message: Heartbeat, out: list[Command]) -> None:
        """One that was dropped for its silence is back with this, and has first to end what it has."""
        view = message.view
        handle = self._workers.by_name.get(view.name)
        if handle is not None:
            self._workers.hear(now, handle, view)
            if self._cluster.by_worker:
                self._cluster.heard(now, view.name, out)
            if self._retries.held:
                self._retries.place_held(now, out)
            return
        self._join(now, view, out)
        self._retries.returned(view.name, out)
        self._retries.place_held(now, out)

    def note(self, event: Charted | Spent) -> None:
        """What is told of workers, or by them, beside what they do."""
        if isinstance(event, Charted):
            self._workers.chart(event)
        else:
            self._spending.take(event)

    def left(self, now: float, message: WorkerLeft, out: list[Command]) -> None:
        handle = self._workers.drop(message.worker)
        self._workers.machines.pop(message.worker, None)
        if handle is not None:
            self._cluster.look(now, message.worker, out)
            self._retries.lose(now, handle, message.why or "left", out)

    def drop_silent(self, now: float, out: list[Command]) -> None:
        handles = self._workers.silent(now)
        for handle in handles:  # all of them, before anything is sent to one
            self._workers.drop(handle.name)
            self._cluster.look(now, handle.name, out)
        whys = [f"was not heard of for {now - handle.heard_at:.1f} s" for handle in handles]
        out.extend(WorkerLost(handle.name, why) for handle, why in zip(handles, whys, strict=True))
        for handle, why in zip(handles, whys, strict=True):
            self._retries.abandon(handle)
            self._retries.lose(now, handle, why, out)

    def _join(self, now: float, view: WorkerView, out: list[Command]) -> None:
        self._workers.join(now, view)
        if self.is_watching:
            out.append(Send(view.name, WatchIdle()))
        self._cluster.look(now, view.name, out)

"""Doors of workflows, as a gateway has them: functions that no catalogue names, each with the one sandbox that is told
with it; and by which host, path and method they are found."""

from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.cluster import Cluster
from attacca.gateway.core.events import Command
from attacca.gateway.core.inflight import Function
from attacca.model.doors import Door
from attacca.model.doors import Doors as Told
from attacca.model.endpoints import Endpoint


class Doors:
    def __init__(self, functions: Functions, cluster: Cluster, calls_kept: int) -> None:
        self._functions, self._cluster, self._calls_kept = functions, cluster, calls_kept
        self.by_name: dict[str, Door] = {}
        self._found: tuple[Door, ...] = ()  # those with an address of their own, the most exact first

    def __repr__(self) -> str:
        return f"<Doors {len(self.by_name)}, {len(self._found)} by their own address>"

    def learn(self, now: float, told: Told, out: list[Command]) -> None:
        names = {door.revision.function for door in told.doors}
        if told.is_whole:
            for name in [name for name in self.by_name if name not in names]:
                self._close(now, name, out)
        for door in told.doors:
            self._open(now, door, out)
        exact = sorted(self.by_name.values(), key=lambda door: (not door.host, -len(door.path)))
        self._found = tuple(door for door in exact if door.host or door.path)

    def find(self, host: str, path: str, method: str) -> Door | None:
        """Of those that fit, one for the method; else any, which will say that it is not for it."""
        fitting = [door for door in self._found if door.fits(host, path)]
        return next(
            (door for door in fitting if method in (door.methods or (method,))), fitting[0] if fitting else None
        )

    def has_any(self) -> bool:
        return bool(self._found)

    def _open(self, now: float, door: Door, out: list[Command]) -> None:
        name, cluster = door.revision.function, self._cluster
        before = self.by_name.get(name)
        self.by_name[name] = door
        function = self._functions.beside.get(name)
        if function is None:
            function = self._functions.beside[name] = Function(door.revision, self._calls_kept)
            self._functions.by_name[name] = function
            cluster.adopt(now, function, out)
        if before is not None and before.sandbox != door.sandbox:
            self._forget(before.sandbox)
        cluster.fixed.add(door.sandbox)
        if door.sandbox not in cluster.by_sandbox:
            slots = door.revision.settings.concurrency
            cluster.add(now, Endpoint(door.sandbox, name, door.revision.id, door.worker, slots), out)

    def _close(self, now: float, name: str, out: list[Command]) -> None:
        door = self.by_name.pop(name)
        function = self._functions.beside.pop(name)
        del self._functions.by_name[name]
        self._forget(door.sandbox)
        self._cluster.delete(now, function, out)

    def _forget(self, sandbox: str) -> None:
        cluster = self._cluster
        cluster.fixed.discard(sandbox)
        if sandbox in cluster.by_sandbox:
            cluster.forget(cluster.by_sandbox[sandbox])

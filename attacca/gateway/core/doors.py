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
        self.by_sandbox: dict[str, Door] = {}  # several of one function are replicas
        self._found: tuple[Door, ...] = ()  # those with an address of their own, the most exact first

    def __repr__(self) -> str:
        return f"<Doors {len(self.by_sandbox)}, {len(self._found)} by their own address>"

    def learn(self, now: float, told: Told, out: list[Command]) -> None:
        doors = {door.sandbox: door for door in told.doors}
        names = {door.revision.function for door in told.doors}
        before = self.by_sandbox
        if told.is_whole:
            self.by_sandbox = doors
        else:  # of those that it does not tell of only such remain as it may not have heard of
            kept = {key: door for key, door in before.items() if door.revision.function not in names}
            self.by_sandbox = {**kept, **doors}
        for door in doors.values():
            self._open(now, door, out)
        for name in [name for name in before if name not in self.by_sandbox]:
            self._forget(name)
        open_ = {door.revision.function for door in self.by_sandbox.values()}
        for name in [name for name in self._functions.beside if name not in open_]:
            self._close(now, name, out)
        exact = sorted(self.by_sandbox.values(), key=lambda door: (not door.host, -len(door.path)))
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
        name, cluster, functions = door.revision.function, self._cluster, self._functions
        function = functions.beside.get(name)
        if function is None:
            function = functions.beside[name] = functions.by_name[name] = Function(door.revision, self._calls_kept)
            cluster.adopt(now, function, out)
        cluster.fixed.add(door.sandbox)
        if door.sandbox not in cluster.by_sandbox:
            slots = door.revision.settings.concurrency
            cluster.add(now, Endpoint(door.sandbox, name, door.revision.id, door.worker, slots), out)

    def _close(self, now: float, name: str, out: list[Command]) -> None:
        function = self._functions.beside.pop(name)
        del self._functions.by_name[name]
        self._cluster.delete(now, function, out)

    def _forget(self, sandbox: str) -> None:
        cluster = self._cluster
        cluster.fixed.discard(sandbox)
        if sandbox in cluster.by_sandbox:
            cluster.forget(cluster.by_sandbox[sandbox])

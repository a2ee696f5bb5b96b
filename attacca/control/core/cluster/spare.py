"""Room for whom somebody waits: sandboxes that nobody needs now give way, first those of whoever has had one to spare
longest."""

from collections.abc import Container, Iterator

from attacca.control.core.cluster.hosts import Host
from attacca.control.core.cluster.ordering import Key, Ordering, Timer
from attacca.control.core.cluster.scaled import Instance, Life, ScaledFunction
from attacca.control.core.events import Command
from attacca.kernel.timers import Timers
from attacca.model.resources import NOTHING, Resources
from attacca.policy.scaling.types import many

LOOKED_AT_MOST = 256  # sandboxes, for one that has no room
RESTS_S = 0.2  # for which it has had one to spare, at least: who is called again and again has one now and then
YIELDS_S = 8.0  # for which one that has given way has no more made than somebody waits for


class Spare:
    """The functions that have more sandboxes than what they run takes, in the order in which that began."""

    __slots__ = ("_functions", "_ordering", "_timers")

    def __init__(self, ordering: Ordering, timers: Timers[Key]) -> None:
        self._ordering, self._timers = ordering, timers
        self._functions: dict[str, tuple[float, ScaledFunction]] = {}  # and since when

    def __repr__(self) -> str:
        return f"<Spare sandboxes of {len(self._functions)} functions>"

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def note(self, now: float, function: ScaledFunction) -> None:
        """It has more or fewer sandboxes, or more or less to do."""
        if count(function) <= 0:
            self._functions.pop(function.name, None)
        elif function.name not in self._functions:
            self._functions[function.name] = now, function

    def remove(self, name: str) -> None:
        self._functions.pop(name, None)

    def reclaim(self, now: float, function: ScaledFunction, tried: tuple[str, ...], out: list[Command]) -> str:
        """Others' make room for one of it, elsewhere than on the workers `tried`; once, until they are gone. The answer
        is a worker that can make room by itself; empty: none can."""
        ordering, revision = self._ordering, function.revision
        need, avoid = revision.settings.resources, {*tried, *ordering.unable(revision.needs)}
        for host in ordering.hosts.values():
            is_open = host.spare != NOTHING and not host.is_cordoned and host.name not in avoid
            if is_open and need.fits(host.capacity - host.reserved + host.spare):
                host.spare = NOTHING
                return host.name
        function.claims &= ordering.instances.keys()
        if function.claims:
            return ""
        for instance in self._enough(now, need, avoid):
            function.claims.add(instance.id)
            self._stop(now, instance, f"somebody waits for {function.name}, for which there is no room", out)
        return ""

    def make_way(self, now: float, host: Host, need: Resources, out: list[Command]) -> None:
        """There somebody waits for room whose sandboxes the worker makes by itself."""
        if not any(one.phase is Life.STOPPING for one in host.instances.values()):
            for instance in self._enough(now, need, self._ordering.hosts.keys() - {host.name}):
                self._stop(now, instance, "somebody waits for room on that worker", out)

    def _stop(self, now: float, instance: Instance, why: str, out: list[Command]) -> None:
        function = instance.function
        function.yields_until = now + YIELDS_S
        self._timers.set((Timer.REST, function.name), function.yields_until)
        self._ordering.stop(now, instance, why, out)
        self.note(now, function)

    def _enough(self, now: float, need: Resources, avoid: Container[str]) -> list[Instance]:
        """Those of one worker that make room there for what needs so much; none: there are not enough."""
        hosts = self._ordering.hosts
        found: dict[str, list[Instance]] = {}
        gained: dict[str, Resources] = {}
        for looked, instance in enumerate(self._instances(now)):
            if looked >= LOOKED_AT_MOST:
                break
            host = hosts[instance.worker]
            if host.is_cordoned or host.name in avoid:
                continue
            found.setdefault(host.name, []).append(instance)
            freed = gained[host.name] = gained.get(host.name, NOTHING) + instance.resources
            free = host.capacity - host.reserved + freed
            if need.fits(free):
                return _fewest(need, free, found[host.name])
        return []

    def _instances(self, now: float) -> Iterator[Instance]:
        """Of each function the younger before the older."""
        for since, function in self._functions.values():
            if now < since + RESTS_S:
                return
            youngest = list(function.up.values())[::-1]
            yield from youngest[: count(function)]


def count(function: ScaledFunction) -> int:
    """So many it could do without now. Where somebody waits, none."""
    if function.waiting:
        return 0
    settings = function.revision.settings
    firm = function.wanted if function.scalers.is_firm else settings.min_sandboxes
    return len(function.up) - max(many(function.running / settings.concurrency), firm)


def _fewest(need: Resources, free: Resources, found: list[Instance]) -> list[Instance]:
    """Without those that it takes as little notice of: `free` is with all of them."""
    kept = []
    for instance in found:
        without = free - instance.resources
        if need.fits(without):
            free = without
        else:
            kept.append(instance)
    return kept

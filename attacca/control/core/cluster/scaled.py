"""One function whose sandboxes control has made, and each of those sandboxes."""

from enum import StrEnum

from attacca.model.endpoints import Endpoint, Load
from attacca.model.function import Revision
from attacca.model.invocation import Timing
from attacca.policy.placement.types import Near
from attacca.policy.scaling.types import Demand, Scalers

EWMA_WEIGHT = 0.2  # of the newest value


class Life(StrEnum):
    STARTING = "starting"  # ordered
    UP = "up"  # and published
    STOPPING = "stopping"  # told to end; no gateway knows of it any more


class Instance:
    """A sandbox, from the order to make it until its worker says that it is gone.

    A creation that is slow has a `twin` on another worker: the two count as one, and who is up first stays.
    """

    __slots__ = ("asked_at", "function", "id", "number", "ordered_at", "phase", "resources", "revision", "tried",
                 "twin", "why", "worker")  # fmt: skip

    def __init__(
        self, name: str, number: int, function: "ScaledFunction", worker: str, now: float, asked_at: float, why: str
    ) -> None:
        self.id = name
        self.number = number  # of the orders given so far
        self.function = function
        self.revision = function.revision.id
        self.resources = function.revision.settings.resources
        self.worker = worker
        self.phase = Life.STARTING
        self.asked_at = asked_at  # when it turned out that one more was wanted
        self.ordered_at = now
        self.why = why
        self.tried: tuple[str, ...] = ()  # workers on which its making has failed
        self.twin: Instance | None = None

    def __repr__(self) -> str:
        twin = "" if self.twin is None else f", beside {self.twin.id}"
        return f"<Instance {self.id} of {self.revision} on {self.worker} {self.phase}{twin}>"

    def endpoint(self, timing: Timing) -> Endpoint:
        slots = self.function.revision.settings.concurrency
        return Endpoint(self.id, self.function.name, self.revision, self.worker, slots, timing)


class ScaledFunction:
    """`up` and `starting` are of its current revision; of a pair of twins, `starting` has the first."""

    __slots__ = ("arrived", "by_worker", "claims", "failures", "loads", "made_s", "name", "near", "placer", "rest_s",
                 "resting_until", "revision", "running", "scalers", "starting", "up", "waiting", "wanted", "why",
                 "yields_until")  # fmt: skip

    def __init__(self, revision: Revision, scalers: Scalers) -> None:
        self.name = revision.function
        self.revision = revision
        self.scalers = scalers
        self.placer = ""
        self.loads: dict[str, Load] = {}  # by gateway
        self.running = self.waiting = 0  # of all of them together
        self.arrived = 0  # with those that gateways which are gone had counted
        self.up: dict[str, Instance] = {}
        self.starting: dict[str, Instance] = {}
        self.by_worker: dict[str, int] = {}  # its sandboxes there, whatever they are at
        self.near: dict[str, Near] = {}
        self.wanted = 0
        self.why = ""
        self.made_s = 0.0  # moving average of what it took from an order until it was up; 0: there was none yet
        self.failures = 0  # creations that failed since one succeeded
        self.rest_s = 0.0  # how long it rested last, as there was no room
        self.resting_until = 0.0  # nothing is ordered before that
        self.yields_until = 0.0  # nor what nobody waits for: it has given way to others
        self.claims: set[str] = set()  # sandboxes of others that were told to make room for one of it

    def __repr__(self) -> str:
        return (
            f"<ScaledFunction {self.revision.id}: {self.wanted} wanted, {len(self.up)} up, "
            f"{len(self.starting)} starting, {self.running} run, {self.waiting} wait>"
        )

    def rescale(self, revision: Revision, scalers: Scalers) -> None:
        """The same one, with other settings of how many and where."""
        self.revision = revision
        self.scalers = scalers

    def renew(self, revision: Revision, scalers: Scalers) -> None:
        """It has another one. What is of the old one is told to stop."""
        self.revision = revision
        self.scalers = scalers
        self.near = {}
        self.made_s = self.rest_s = self.resting_until = self.yields_until = 0.0
        self.failures = 0

    def hear(self, gateway: str, load: Load) -> None:
        before = self.loads.get(gateway)
        self.loads[gateway] = load
        if before is None:
            self.running += load.running
            self.waiting += load.waiting
            self.arrived += load.arrivals
        else:
            self.running += load.running - before.running
            self.waiting += load.waiting - before.waiting
            self.arrived += max(0, load.arrivals - before.arrivals)

    def forget(self, gateway: str) -> bool:
        """It is gone, with what it had. Had it any?"""
        load = self.loads.pop(gateway, None)
        if load is None:
            return False
        self.running -= load.running
        self.waiting -= load.waiting
        return True

    def may_start(self, now: float, settled_at: float) -> bool:
        """What nobody waits for is not made before all that is there is known, nor while others need the room."""
        is_due = self.waiting > 0 or now >= max(settled_at, self.yields_until)
        return is_due and now >= self.resting_until

    def demand(self) -> Demand:
        settings = self.revision.settings
        waited_s = exec_s = 0.0
        for load in self.loads.values():
            waited_s, exec_s = max(waited_s, load.waited_s), max(exec_s, load.exec_s)
        return Demand(
            running=self.running,
            waiting=self.waiting,
            waited_s=waited_s,
            arrivals=self.arrived,
            ready=len(self.up),
            starting=len(self.starting),
            concurrency=settings.concurrency,
            exec_s=exec_s,
            least=settings.min_sandboxes,
            most=settings.max_sandboxes,
        )

    def took(self, seconds: float) -> None:
        """A sandbox of it is up."""
        before = self.made_s
        self.made_s = seconds if before == 0.0 else before + EWMA_WEIGHT * (seconds - before)
        self.failures = 0

    def count(self, worker: str, change: int) -> None:
        left = self.by_worker.get(worker, 0) + change
        if left:
            self.by_worker[worker] = left
        else:
            del self.by_worker[worker]

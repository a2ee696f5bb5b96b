"""Which revisions this worker knows: what is current, what is old and still busy, and how many are kept in stock.

What a catalogue announces is looked up in it, and has a Function and a Fleet here once somebody asks for it: of many
thousand functions, one of a thousand workers may never see but a few.
"""

import math
from collections.abc import Mapping

from attacca.errors import AttaccaError
from attacca.model import reserve
from attacca.model.function import Revision, Settings
from attacca.model.messages import Catalogue as Announced
from attacca.model.messages import Evict
from attacca.model.reserve import Wish
from attacca.policy.keepalive.types import Ahead
from attacca.worker.config import WorkerConfig
from attacca.worker.core.checks import Checks
from attacca.worker.core.events import Command
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.sandbox import Phase
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import Fleet, Function, Loss
from attacca.worker.core.templates import Template
from attacca.worker.core.timers import Alarm, Alarms, Key


class Catalogue:
    def __init__(
        self,
        config: WorkerConfig,
        pool: Pool,
        scheduler: Scheduler,
        checks: Checks,
        alarms: Alarms,
        functions: dict[str, Function],
    ) -> None:
        self._config = config
        self._pool = pool
        self._scheduler = scheduler
        self._checks = checks
        self._alarms = alarms
        self.functions = functions
        self.fleets: dict[str, Fleet] = {}  # by revision id: the current ones, and old ones that are busy
        self._announced: Mapping[str, Revision] = {}  # by function, as the last catalogue had it
        self._outdated: set[str] = set()  # functions that are here, or have gone, since then
        self._keeping: dict[str, Fleet] = {}  # by function: current ones with min_sandboxes
        self._stocked: dict[str, Fleet] = {}  # by function: current ones that want sandboxes ahead of need

    def replace(self, now: float, event: Announced, out: list[Command]) -> None:
        kept = self.granted()
        told = event.by_function
        for name in list(self.functions):
            if name not in told:
                self._delete(now, name, out)
        self._announced = told
        self._outdated.clear()
        wanted = {*self.functions, *(one.function for one in event.reserving), *self._checks.unclaimed()}
        for name in sorted(wanted & told.keys()):
            self._adopt(now, told[name], out)
        self._share(kept)

    def find(self, now: float, revision: str, out: list[Command]) -> Fleet | None:
        """By its id. It is None of a revision that nobody has told us of."""
        fleet = self.fleets.get(revision)
        if fleet is None:
            name = revision.rpartition("@")[0]
            told = self._told(name)
            if told is not None and told.id == revision:
                self._adopt(now, told, out)
                return self.fleets[revision]
        return fleet

    def _told(self, name: str) -> Revision | None:
        """What was announced of it and is still so, although it is not here yet."""
        return None if name in self._outdated else self._announced.get(name)

    def adopt(self, now: float, revision: Revision, out: list[Command]) -> None:
        kept = self.granted()
        self._adopt(now, revision, out)
        self._share(kept, revision.function)

    def delete(self, now: float, name: str, out: list[Command]) -> None:
        kept = self.granted()
        self._delete(now, name, out)
        self._share(kept)

    def _adopt(self, now: float, revision: Revision, out: list[Command]) -> None:
        self._outdated.add(revision.function)
        function = self.functions.get(revision.function)
        if function is None:
            function = self.functions[revision.function] = Function(revision.function)
        old = function.current
        if old is not None and old.revision == revision:
            return
        fleet = self.fleets.get(revision.id)
        if fleet is not None and fleet.revision == revision:
            fleet.retired = False  # rolled back to while it was still busy
        else:
            fleet = Fleet(revision, function)
            function.fleets.append(fleet)
            self.fleets[revision.id] = fleet
        function.current = fleet
        if old is not None:
            self._retire(now, old, out)
        template = self._checks.adopt(revision) if fleet.template is None else None
        if template is not None:
            template.fleet = fleet
            fleet.template = template
            self.take_template(fleet, template, out)
        self._stocked.pop(revision.function, None)
        self._keeping.pop(revision.function, None)
        if revision.settings.min_sandboxes:
            self._keeping[revision.function] = fleet

    def take_template(self, fleet: Fleet, template: Template, out: list[Command]) -> None:
        """It is ready. Code that leaves it unfit would do so again, so it is the last one of this revision."""
        if template.unfit:
            self._pool.retire(template, f"no template: {template.unfit}", out)
            fleet.template_retry_at = math.inf

    def _delete(self, now: float, name: str, out: list[Command]) -> None:
        self._outdated.add(name)
        function = self.functions.get(name)
        if function is None or function.current is None:
            return
        old, function.current = function.current, None
        self._stocked.pop(name, None)
        self._keeping.pop(name, None)
        self._alarms.clear((Alarm.PREWARM, name))
        self._retire(now, old, out)

    # What is reserved.

    def granted(self) -> dict[str, int]:
        """Of those that want min_sandboxes: how many they have."""
        return {name: fleet.granted for name, fleet in self._keeping.items()}

    def short(self) -> list[tuple[Settings, int]]:
        """Who wants more min_sandboxes than it has been granted, and how many those are."""
        short = [fleet for fleet in self._keeping.values() if fleet.granted < fleet.revision.settings.min_sandboxes]
        return [(fleet.revision.settings, fleet.granted) for fleet in short]

    def refuse(self, settings: Settings) -> AttaccaError | None:
        """Why it cannot be deployed with these; None: it can. Who never fits at all hears of it at the check."""
        if settings.memory_mb > self._config.memory_mb or not (self._keeping or settings.min_sandboxes):
            return None
        others = [one for one in self._wishes() if one.function != settings.name]
        return reserve.refuse(self._config, reserve.wish(settings), others, self.granted())

    def refuse_order(self, function: str, count: int) -> AttaccaError | None:
        """Why so many sandboxes cannot be made ahead of need."""
        settings = self._settings_of(function)
        if settings is None:
            return None
        memory_mb = settings.memory_mb
        return reserve.refuse_order(self._config, function, count, self._orderable(memory_mb), memory_mb)

    def _settings_of(self, function: str) -> Settings | None:
        known, told = self.functions.get(function), self._told(function)
        if told is not None:
            return told.settings
        return None if known is None or known.current is None else known.current.revision.settings

    def _orderable(self, memory_mb: int) -> int:
        return reserve.orderable(self._config, self._wishes(), self.granted(), memory_mb)

    def _share(self, kept: dict[str, int], first: str = "") -> None:
        """Who has just been deployed comes before those that have less than they want."""
        if not self._keeping:
            return
        wishes = sorted(self._wishes(), key=lambda one: (one.function != first, one.function))
        granted = reserve.grant(self._config, wishes, kept)
        for name, fleet in self._keeping.items():
            fleet.granted = granted[name]
            if fleet.granted:
                self._stocked[name] = fleet

    def _wishes(self) -> list[Wish]:
        told = [one.settings for name, one in self._announced.items() if name not in self._outdated]
        here = [function.current.revision.settings for function in self.functions.values() if function.current]
        return [reserve.wish(settings) for settings in (*told, *here)]

    def _retire(self, now: float, fleet: Fleet, out: list[Command]) -> None:
        fleet.retired = True
        fleet.wanted = 0
        self._scheduler.overtake(fleet)
        self.settle(now, fleet, out)

    def settle(self, now: float, fleet: Fleet, out: list[Command]) -> None:
        """An old revision that nobody waits for needs no sandboxes but those that run, and no template."""
        if not fleet.retired or fleet.waiting or fleet.pending:
            return
        for sandbox in list(fleet.sandboxes.values()):
            if sandbox.phase is Phase.STARTING or sandbox.phase is Phase.IDLE:
                self._pool.kill(now, sandbox, Loss(now, "stopped", ": its revision is not current any more"), out)
        self._scheduler.recount(fleet)
        if fleet.template is not None:
            self._pool.retire(fleet.template, "template dropped with its old revision", out)
        if fleet.sandboxes:
            return
        function = fleet.function
        if fleet in function.fleets:
            function.fleets.remove(fleet)
        if self.fleets.get(fleet.revision.id) is fleet:
            del self.fleets[fleet.revision.id]
        if not function.fleets:
            self.functions.pop(function.name, None)

    # Sandboxes ahead of need.

    def prewarm(self, now: float, function: str, count: int, out: list[Command]) -> None:
        told = self._told(function)
        fleet = self._current(function) if told is None else self.find(now, told.id, out)
        if fleet is not None:
            most = self._orderable(fleet.revision.settings.memory_mb)
            fleet.wanted = max(0, min(fleet.wanted + count, most))
            self._stocked[function] = fleet

    def stock(self, now: float, out: list[Command]) -> None:
        """Make what is wanted, as far as memory goes; nobody who waits is short of it."""
        for function, fleet in list(self._stocked.items()):
            self._stock(now, fleet, out)
            if not fleet.wanted and not fleet.least:
                del self._stocked[function]

    def _stock(self, now: float, fleet: Fleet, out: list[Command]) -> None:
        function = fleet.function.name
        memory_mb = fleet.revision.settings.memory_mb
        if memory_mb > self._pool.budget_mb:
            fleet.wanted = 0
            return
        if fleet.function.has_laggards:
            return  # who may need the place
        retry: Key = (Alarm.RESTOCK, function)
        while True:
            is_below = fleet.live < fleet.least and not self._alarms.is_set(retry)
            if not is_below and not fleet.wanted:
                return
            if fleet.is_full:
                fleet.wanted = 0
                return
            room = self._pool.room(now, memory_mb, fleet, out, evict=True)
            if room is Room.FREE:
                self._pool.make(now, fleet, "kept as min_sandboxes" if is_below else "ordered ahead", out, ahead=True)
                fleet.wanted -= 0 if is_below else 1
                continue
            if room is Room.NONE:
                fleet.wanted = 0
                if is_below:
                    self._alarms.set(retry, now + self._config.start_retry_s)
            return

    def start_failed(self, now: float, fleet: Fleet) -> None:
        """Those that nobody waits for are not tried again at once."""
        if not fleet.retired and fleet.least:
            delay_s = self._config.start_retry_s * 2 ** min(fleet.failures - 1, 6)
            self._alarms.set((Alarm.RESTOCK, fleet.function.name), now + delay_s)

    def evict(self, now: float, order: Evict, out: list[Command]) -> None:
        """By order, so min_sandboxes do not stand against it; they are made anew."""
        fleet = self._current(order.function)
        if fleet is None:
            return
        for sandbox in list(fleet.free):
            if sandbox.idle is not None:
                self._pool.kill(now, sandbox, Loss(now, "evicted", " by order"), out)
        if order.is_renewal:
            self._renew(now, fleet, out)
        if order.templates and fleet.template is not None:
            self._pool.retire(fleet.template, "template evicted by order", out)

    def _renew(self, now: float, fleet: Fleet, out: list[Command]) -> None:
        """What starts or works was made of what has changed; who counted on a start gets another."""
        for sandbox in list(fleet.sandboxes.values()):
            if sandbox.phase is Phase.STARTING:
                self._pool.kill(now, sandbox, Loss(now, "stopped", ": a secret of it has changed"), out)
            elif sandbox.phase is Phase.BUSY:
                self._pool.doom(sandbox, ": a secret of it has changed")
        self._scheduler.start_failed(now, fleet, None, out)

    def expire(self, now: float, name: str, out: list[Command]) -> None:
        """A sandbox has been idle for as long as its keeper wanted."""
        sandbox = self._pool.sandboxes.get(name)
        if sandbox is None or sandbox.idle is None or sandbox.expiry is None:
            return
        fleet = sandbox.fleet
        if fleet.live <= fleet.least:
            return
        self._pool.kill(now, sandbox, Loss(now, "expired", f": {sandbox.expiry.why}"), out)
        if not fleet.live and not fleet.retired:
            expiry = self._pool.keeper.prewarm_at(now, fleet.function.name)
            if expiry is not None:
                fleet.function.expected, fleet.function.expected_why = expiry.copies, expiry.why
                self._alarms.set((Alarm.PREWARM, fleet.function.name), expiry.at)

    def foresee(self, now: float, function: str, out: list[Command]) -> None:
        """An arrival is expected."""
        fleet = self._current(function)
        if fleet is not None and not fleet.live:
            self.ahead(now, Ahead(function, fleet.function.expected, fleet.function.expected_why), out)

    def ahead(self, now: float, order: Ahead, out: list[Command]) -> None:
        """What a keeper wants. A guess evicts nobody."""
        fleet = self._current(order.function)
        if fleet is None:
            return
        for _ in range(order.copies):
            if fleet.is_full or not self._pool.fits(fleet.revision.settings.memory_mb):
                return
            self._pool.make(now, fleet, order.why, out, ahead=True)

    def _current(self, function: str) -> Fleet | None:
        known = self.functions.get(function)
        return None if known is None else known.current

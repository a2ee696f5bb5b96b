"""Which revisions this worker knows: what is current, what is old and still busy, and how many are kept in stock.

What a catalogue announces is looked up in it, and has a Function and a RevisionState here once somebody asks for it:
of many thousand functions, one of a thousand workers may never see but a few.
"""

import math
from collections.abc import Callable, Iterable, Mapping

from attacca.errors import AttaccaError
from attacca.model import reserve
from attacca.model.function import Revision, Settings
from attacca.model.messages import Catalogue as Announced
from attacca.model.messages import Evict
from attacca.model.reserve import Wish
from attacca.model.resources import Resources
from attacca.policy.keepalive.types import Ahead
from attacca.worker.config import WorkerConfig
from attacca.worker.core import twins
from attacca.worker.core.checks import Checks
from attacca.worker.core.events import Command
from attacca.worker.core.lines import Lines
from attacca.worker.core.phases import Phase
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.state import Function, Loss, RevisionState, Template
from attacca.worker.core.timers import Key, Timer, Timers


class Catalogue:
    def __init__(
        self,
        config: WorkerConfig,
        pool: Pool,
        lines: Lines,
        checks: Checks,
        timers: Timers,
        functions: dict[str, Function],
    ) -> None:
        self._config = config
        self._pool = pool
        self._lines = lines
        self._checks = checks
        self._timers = timers
        self.functions = functions
        self.states: dict[str, RevisionState] = {}  # by revision id: the current ones, and old ones that are busy
        self._announced: Mapping[str, Revision] = {}  # by function, as the last catalogue had it
        self._outdated: set[str] = set()  # functions that are here, or have gone, since then
        self._keeping: dict[str, RevisionState] = {}  # by function: current ones with min_sandboxes
        self._stocked: dict[str, RevisionState] = {}  # by function: current ones that want sandboxes ahead of need

    def __repr__(self) -> str:
        return f"<Catalogue {len(self.functions)} functions, {len(self.states)} revisions, {len(self._keeping)} kept>"

    def replace(self, now: float, event: Announced, out: list[Command]) -> None:
        kept = self.granted()
        told = event.by_function
        for name in list(self.functions):
            if name not in told and not twins.is_one(name):
                self._delete(now, name, out)
        self._announced = told
        self._outdated.clear()
        wanted = {*self.functions, *(one.function for one in event.reserving), *self._checks.unclaimed()}
        for name in sorted(wanted & told.keys()):
            self._adopt(now, told[name], out)
        self._share(kept)

    def find(self, now: float, revision: str, out: list[Command]) -> RevisionState | None:
        """By its id. It is None of a revision that nobody has told us of."""
        state = self.states.get(revision)
        if state is None:
            name = revision.rpartition("@")[0]
            told = self._told(name)
            if told is not None and told.id == revision:
                self._adopt(now, told, out)
                return self.states[revision]
        return state

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
        state = self.states.get(revision.id)
        if state is not None and revision.is_rescaled(state.revision):
            state.retired = False  # rolled back to while it was still busy, or scaled otherwise
            state.revision = revision
            twins.renew(state, self.functions, self.states)
        else:
            state = RevisionState(revision, function)
            self.look_at(state)
            function.states.append(state)
            self.states[state.key] = state
            twin = twins.made(state, self.functions, self._pool.devices)
            if twin is not None:
                self.states[twin.key] = twin
                self.look_at(twin)
                state.device_twin, state.is_apart = twin, True
        function.current = state
        if old is not None and old is not state:
            self._retire(now, old, out)
        template = self._checks.adopt(revision) if state.template is None else None
        if template is not None:
            template.state = state
            state.template = template
            self.take_template(state, template, out)
        self._stocked.pop(revision.function, None)
        self._keeping.pop(revision.function, None)
        if revision.settings.reserves:
            self._keeping[revision.function] = state

    def look_at(self, state: RevisionState) -> None:
        """What it is to this worker."""
        pool, asked = self._pool, state.resources
        state.is_too_large = not asked.fits(pool.capacity)
        if asked.gpu and pool.devices is not None:
            state.is_accelerated = not state.is_ordered
            state.is_too_large = state.is_too_large or not pool.devices.could(asked)
        if state.revision.settings.pure and not state.is_ordered:
            state.is_computing = True
            self._lines.expect_compute()
        is_either = state.device_twin is not None or state.is_computing
        state.is_apart = state.is_ordered or state.is_too_large or state.is_accelerated or is_either

    def take_template(self, state: RevisionState, template: Template, out: list[Command]) -> None:
        """It is ready. Code that leaves it unfit would do so again, so it is the last one of this revision."""
        if template.unfit:
            self._pool.retire(template, f"no template: {template.unfit}", out)
            state.template_retry_at = math.inf

    def _delete(self, now: float, name: str, out: list[Command]) -> None:
        self._outdated.add(name)
        function = self.functions.get(name)
        if function is None or function.current is None:
            return
        old, function.current = function.current, None
        self._stocked.pop(name, None)
        self._keeping.pop(name, None)
        self._timers.clear((Timer.PREWARM, name))
        self._retire(now, old, out)

    # What is reserved.

    def granted(self) -> dict[str, int]:
        """Of those that want min_sandboxes: how many they have."""
        return {name: state.granted for name, state in self._keeping.items()}

    def refuse(self, settings: Settings) -> AttaccaError | None:
        """Why it cannot be deployed with these; None: it can. Who never fits at all hears of it at the check."""
        if not (self._keeping or settings.reserves) or not settings.resources.fits(self._pool.capacity):
            return None
        others = [one for one in self._wishes() if one.function != settings.name]
        return reserve.refuse(self._config, reserve.wish(settings), others, self.granted())

    def refuse_order(self, function: str, count: int) -> AttaccaError | None:
        """Why so many sandboxes cannot be made ahead of need."""
        settings = self._settings_of(function)
        if settings is None:
            return None
        resources = settings.resources
        return reserve.refuse_order(self._config, function, count, self._orderable(resources), resources)

    def _settings_of(self, function: str) -> Settings | None:
        known, told = self.functions.get(function), self._told(function)
        if told is not None:
            return told.settings
        return None if known is None or known.current is None else known.current.revision.settings

    def _orderable(self, resources: Resources) -> int:
        return reserve.orderable(self._config, self._wishes(), self.granted(), resources)

    def _share(self, kept: dict[str, int], first: str = "") -> None:
        """Who has just been deployed comes before those that have less than they want."""
        if not self._keeping:
            return
        wishes = sorted(self._wishes(), key=lambda one: (one.function != first, one.function))
        granted = reserve.grant(self._config, wishes, kept)
        for name, state in self._keeping.items():
            state.granted = granted[name]
            if state.granted:
                self._stocked[name] = state

    def _wishes(self) -> list[Wish]:
        told = [one.settings for name, one in self._announced.items() if name not in self._outdated]
        current = [function.current for function in self.functions.values() if function.current]
        here = [state.revision.settings for state in current if not twins.is_one(state.function.name)]
        return [reserve.wish(settings) for settings in (*told, *here)]

    def _retire(self, now: float, state: RevisionState, out: list[Command]) -> None:
        state.retired = True
        state.wanted = 0
        if state.device_twin is not None:
            twins.part(state.device_twin)
            self._retire(now, state.device_twin, out)
        self._lines.overtake(state)
        self.settle(now, state, out)

    def settle(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """An old revision that nobody waits for needs no sandboxes but those that run, and no template."""
        if not state.retired or state.waiting or state.pending:
            return
        for sandbox in list(state.sandboxes.values()):
            if sandbox.phase is Phase.STARTING or sandbox.phase is Phase.IDLE:
                self._pool.kill(now, sandbox, Loss(now, "stopped", ": its revision is not current any more"), out)
        self._lines.recount(state)
        if state.template is not None:
            self._pool.retire(state.template, "template dropped with its old revision", out)
        if state.sandboxes:
            return
        function = state.function
        if state in function.states:
            function.states.remove(state)
        if self.states.get(state.key) is state:
            del self.states[state.key]
        if not function.states:
            self.functions.pop(function.name, None)

    # Sandboxes ahead of need.

    def prewarm(self, now: float, function: str, count: int, out: list[Command]) -> None:
        told = self._told(function)
        state = self._current(function) if told is None else self.find(now, told.id, out)
        if state is not None and not state.is_ordered:
            most = self._orderable(state.resources)
            state.wanted = max(0, min(state.wanted + count, most))
            self._stocked[function] = state

    def stock(self, now: float, out: list[Command], *, no_devices: bool) -> None:
        """Make what is wanted, as far as memory goes; nobody who waits is short of it. `no_devices`: of those."""
        for function, state in list(self._stocked.items()):
            if no_devices and state.is_accelerated:
                continue
            self._stock(now, state, out)
            if not state.wanted and not state.least:
                del self._stocked[function]

    def _stock(self, now: float, state: RevisionState, out: list[Command]) -> None:
        function = state.function.name
        if state.is_too_large:
            state.wanted = 0
            return
        if state.function.has_laggards:
            return  # who may need the place
        retry: Key = (Timer.RESTOCK, function)
        while True:
            is_below = state.live < state.least and not self._timers.is_set(retry)
            if not is_below and not state.wanted:
                return
            if state.is_full:
                state.wanted = 0
                return
            room = self._pool.room(now, state.resources, state, out, evict=True)
            if room is Room.FREE:
                self._pool.make(now, state, "kept as min_sandboxes" if is_below else "ordered ahead", out, ahead=True)
                state.wanted -= 0 if is_below else 1
                continue
            if room is Room.NONE:
                state.wanted = 0
                if is_below:
                    self._timers.set(retry, now + self._config.start_retry_s)
            return

    def start_failed(self, now: float, state: RevisionState) -> None:
        """Those that nobody waits for are not tried again at once."""
        if not state.retired and state.least:
            delay_s = self._config.start_retry_s * 2 ** min(state.failures - 1, 6)
            self._timers.set((Timer.RESTOCK, state.function.name), now + delay_s)

    def evict(self, now: float, order: Evict, out: list[Command]) -> None:
        """By order, so min_sandboxes do not stand against it; they are made anew."""
        state = self._current(order.function)
        if state is None:
            return
        for sandbox in list(state.sandboxes.values() if state.is_ordered else state.free):
            if sandbox.phase is Phase.IDLE:
                self._pool.kill(now, sandbox, Loss(now, "evicted", " by order"), out)
        if order.is_renewal:
            self._renew(now, state, out)
        if order.templates and state.template is not None:
            self._pool.retire(state.template, "template evicted by order", out)

    def _renew(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """What starts or works was made of what has changed; who counted on a start gets another."""
        for sandbox in list(state.sandboxes.values()):
            if sandbox.phase is Phase.STARTING:
                self._pool.kill(now, sandbox, Loss(now, "stopped", ": a secret of it has changed"), out)
            elif sandbox.phase is Phase.BUSY:
                self._pool.start_draining(sandbox, ": a secret of it has changed", out)
        self._lines.start_failed(now, state, None, out)

    def expire(self, now: float, name: str, out: list[Command]) -> None:
        """A sandbox has been idle for as long as the keep-alive policy wanted."""
        sandbox = self._pool.sandboxes.get(name)
        if sandbox is None or sandbox.idle is None or sandbox.expiry is None:
            return
        state = sandbox.state
        if state.live <= state.least:
            return
        self._pool.kill(now, sandbox, Loss(now, "expired", f": {sandbox.expiry.why}"), out)
        if not state.live and not state.retired:
            expiry = self._pool.keepalive.prewarm_at(now, state.function.name)
            if expiry is not None:
                state.function.expected, state.function.expected_why = expiry.copies, expiry.why
                self._timers.set((Timer.PREWARM, state.function.name), expiry.at)

    def foresee(self, now: float, function: str, out: list[Command]) -> None:
        """An arrival is expected."""
        state = self._current(function)
        if state is not None and not state.live:
            self.ahead(now, Ahead(function, state.function.expected, state.function.expected_why), out)

    def ahead(self, now: float, order: Ahead, out: list[Command]) -> None:
        """What a keep-alive policy wants. A guess evicts nobody."""
        state = self._current(order.function)
        if state is None or state.is_ordered:
            return
        for _ in range(order.copies):
            if state.is_full or not self._pool.fits(state.resources):
                return
            self._pool.make(now, state, order.why, out, ahead=True)

    def wake(self, now: float, out: list[Command], *, may_make: bool) -> None:
        """The keep-alive policy asked for it."""
        woke: Callable[[float], Iterable[Ahead]] | None = getattr(self._pool.keepalive, "woke", None)
        self._pool.house.woken(now)
        orders = list(woke(now)) if woke is not None else []
        if may_make:
            for order in orders:
                self.ahead(now, order, out)

    def _current(self, function: str) -> RevisionState | None:
        known = self.functions.get(function)
        return None if known is None else known.current

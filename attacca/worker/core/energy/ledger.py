"""The book of a worker's energy: between two looks it divides what was spent, and writes it to functions and to the
invocations that ran meanwhile.

A sandbox's part goes to those that ran in it, by how long they did; what it takes while none runs, to be made or to be
kept, is its function's alone. Of several that ran in one sandbox between the same two looks, nobody can tell who
computed: then each one's part may be wrong by as much as it could be more or less.
"""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from attacca.model.energy import EnergyView, FunctionEnergy, Reckoned
from attacca.worker.core.energy.attribution import IdleBy, Moment, Part, Present, divide
from attacca.worker.core.energy.resting import Resting

RUNS_MOST = 20_000  # that are written to between two looks; of more, only their functions' parts are known
FUNCTIONS_MOST = 10_000  # that are remembered: those that had something last
TOLD_MOST = 2_000  # invocations of which something waits to be told
LATE = 0.1  # weight of the newest in moving averages


class Look(NamedTuple):
    """`joules` and `busy_s` (of all processors together) only grow; `cpu_s` of each sandbox that was seen, since it
    began. `took_s`: between the first and the last of what was looked at."""

    at: float
    joules: float
    busy_s: float
    cpu_s: Mapping[str, float]
    took_s: float = 0.0


class RunAccount:
    """An invocation from its hand-over to a sandbox."""

    __slots__ = ("began", "computing_j", "ended", "error_j", "id", "idle_j")

    def __init__(self, name: str, began: float) -> None:
        self.id, self.began = name, began
        self.ended: float | None = None
        self.computing_j = self.idle_j = self.error_j = 0.0

    def __repr__(self) -> str:
        return f"<RunAccount {self.id}: {self.computing_j + self.idle_j:g} J{'' if self.ended is None else ', ended'}>"

    def within(self, since: float, until: float) -> float:
        ended = until if self.ended is None else min(self.ended, until)
        return max(ended - max(self.began, since), 0.0)


class SandboxAccount:
    """Of whom, since when, what it had of processors at the last look, and who ran in it since."""

    __slots__ = ("cpu_s", "function", "gone_at", "memory_share", "runs", "since")

    def __init__(self, function: str, memory_share: float, since: float) -> None:
        self.function, self.memory_share, self.since = function, memory_share, since
        self.cpu_s = 0.0
        self.runs: dict[str, RunAccount] = {}
        self.gone_at: float | None = None

    def __repr__(self) -> str:
        state = "" if self.gone_at is None else ", gone"
        return f"<SandboxAccount of {self.function}: {len(self.runs)} runs, {self.cpu_s:g} s{state}>"

    def part(self, since: float, until: float) -> float:
        """Of memory, for as much of the time as it was there."""
        there_s = min(until, self.gone_at if self.gone_at is not None else until) - max(since, self.since)
        return self.memory_share * max(there_s, 0.0) / (until - since)


class FunctionAccount:
    __slots__ = ("error_j", "invocations", "kept_j", "mean_j", "run_j")

    def __init__(self) -> None:
        self.run_j = self.kept_j = self.error_j = self.mean_j = 0.0
        self.invocations = 0

    def __repr__(self) -> str:
        return f"<FunctionAccount {self.invocations} invocations, {self.run_j:g} J, {self.kept_j:g} J kept>"


class Ledger:
    def __init__(self, source: str, by: IdleBy, idle_w: float | None = None, tick_s: float = 0.01) -> None:
        """`idle_w`: what the machine takes when it does nothing; None: as `Resting` reckons it. `tick_s`: how exactly
        processor time is counted."""
        self._source, self._by, self._idle_w, self._tick_s = source, by, idle_w, tick_s
        self._before: Look | None = None
        self._first_at = 0.0
        self._sandboxes: dict[str, SandboxAccount] = {}
        self._functions: dict[str, FunctionAccount] = {}
        self._runs = 0  # that are written to
        self._spent: list[Reckoned] = []
        self._resting = Resting()
        self._rate = self._rate_spread = 0.0  # joules of a second of a processor, lately, and how that varies
        self._has_rate = False
        self.watts = self._total_j = self._functions_j = self._other_j = self._idle_j = 0.0

    def __repr__(self) -> str:
        return f"<Ledger of {self._source}: {self._total_j:g} J, {len(self._functions)} functions, {self._runs} runs>"

    @property
    def idle_w(self) -> float:
        return self._idle_w if self._idle_w is not None else self._resting.idle_w

    # What happens.

    def made(self, now: float, sandbox: str, function: str, memory_share: float) -> None:
        self._sandboxes[sandbox] = SandboxAccount(function, memory_share, now)

    def gone(self, now: float, sandbox: str) -> None:
        """What it has had since the last look is not known any more, and counts as others'."""
        known = self._sandboxes.get(sandbox)
        if known is not None:
            known.gone_at = now

    def began(self, now: float, sandbox: str, invocation: str) -> None:
        known = self._sandboxes.get(sandbox)
        if known is not None and self._runs < RUNS_MOST:
            self._runs += 1
            known.runs[invocation] = RunAccount(invocation, now)

    def ended(self, now: float, sandbox: str, invocation: str) -> None:
        known = self._sandboxes.get(sandbox)
        run = None if known is None else known.runs.get(invocation)
        if run is not None and run.ended is None:
            run.ended = now

    def take(self, look: Look) -> None:
        """The first look only says where to begin."""
        before, self._before = self._before, look
        if before is None:
            self._first_at = look.at
            self._settle(look, look, {}, 0.0)
            return
        moment = Moment(look.at - before.at, max(look.joules - before.joules, 0.0), max(look.busy_s - before.busy_s, 0))
        if moment.seconds <= 0:
            return
        self.watts = moment.joules / moment.seconds
        self._resting.take(moment.busy_s / moment.seconds, self.watts)
        present = {
            name: Present(max(look.cpu_s.get(name, one.cpu_s) - one.cpu_s, 0.0), one.part(before.at, look.at))
            for name, one in self._sandboxes.items()
        }
        unsure_s = self._tick_s + look.took_s + before.took_s
        divided = divide(moment, present, self.idle_w, self._by, unsure_s, self._rate_spread)
        self._learn(divided.per_cpu_s)
        self._total_j += moment.joules
        self._functions_j += sum(one.computing_j + one.idle_j for one in divided.of.values())
        self._other_j += divided.other_j
        self._idle_j += divided.idle_j
        self._settle(before, look, divided.of, (divided.per_cpu_s or self._rate) * unsure_s)

    # What is told.

    def view(self, *, is_whole: bool = True) -> EnergyView:
        """Not `is_whole`: without its functions one by one."""
        rows = tuple(
            FunctionEnergy(
                function=name, run_j=one.run_j, kept_j=one.kept_j, error_j=one.error_j, invocations=one.invocations,
                mean_j=one.mean_j,
            )
            for name, one in (sorted(self._functions.items()) if is_whole else ())
        )  # fmt: skip
        return EnergyView(
            source=self._source,
            watts=self.watts,
            idle_w=self.idle_w,
            total_j=self._total_j,
            functions_j=self._functions_j,  # counted by itself: what is left of a sum goes back by a hair now and then
            other_j=self._other_j,
            idle_j=self._idle_j,
            functions=rows,
        )

    def spent(self) -> tuple[Reckoned, ...]:
        """By the invocations of which everything has become known since the time before."""
        told, self._spent = self._spent, []
        return tuple(told)

    # How it is written.

    def _learn(self, rate: float) -> None:
        """What a second of a processor takes, and by how much that varies: the root of the mean square."""
        if rate <= 0:
            return
        if not self._has_rate:
            self._rate, self._has_rate = rate, True
            return
        off = rate - self._rate
        self._rate += LATE * off
        self._rate_spread = sqrt((1 - LATE) * (self._rate_spread**2 + LATE * off**2))

    def _settle(self, before: Look, look: Look, shares: Mapping[str, Part], unseen_j: float) -> None:
        for name, sandbox in list(self._sandboxes.items()):
            sandbox.cpu_s = look.cpu_s.get(name, sandbox.cpu_s)
            if (share := shares.get(name)) is not None:
                self._write(sandbox, share, before.at, look.at, unseen_j)
            self._close(sandbox, look.at)
            if sandbox.gone_at is not None:
                self._runs -= len(sandbox.runs)
                del self._sandboxes[name]
        while len(self._functions) > FUNCTIONS_MOST:
            del self._functions[next(iter(self._functions))]

    def _write(self, sandbox: SandboxAccount, share: Part, since: float, until: float, unseen_j: float) -> None:
        """`unseen_j`: what may be taken in less of a processor than is counted. For a function that is counted later,
        so that much and no more is ever missing; an invocation is over by then."""
        ran = {run: seconds for run in sandbox.runs.values() if (seconds := run.within(since, until)) > 0}
        if share.computing_j == 0 and share.idle_j == 0 and not ran:
            return
        function = self._functions.pop(sandbox.function, None) or FunctionAccount()
        self._functions[sandbox.function] = function  # behind those that had something before
        function.error_j += share.error_j
        if not ran:
            function.kept_j += share.computing_j + share.idle_j
            return
        function.error_j = max(function.error_j, unseen_j)
        together_s = sum(ran.values())
        busy = min(together_s / (until - since), 1.0)  # of the time, something ran
        function.run_j += share.computing_j + share.idle_j * busy
        function.kept_j += share.idle_j * (1 - busy)
        for run, seconds in ran.items():
            part = seconds / together_s
            run.computing_j += share.computing_j * part
            run.idle_j += share.idle_j * busy * part
            run.error_j += (share.error_j or unseen_j) * part + share.computing_j * part * (1 - part)

    def _close(self, sandbox: SandboxAccount, at: float) -> None:
        """Those that had ended by this look have all that they will have. Of what began before the first look nobody
        knows all."""
        for name, run in list(sandbox.runs.items()):
            if run.ended is None or run.ended > at:
                continue
            del sandbox.runs[name]
            self._runs -= 1
            if run.began < self._first_at:
                continue
            joules = run.computing_j + run.idle_j
            function = self._functions.get(sandbox.function)
            if function is not None:
                function.mean_j = (
                    joules if not function.invocations else function.mean_j + LATE * (joules - function.mean_j)
                )
                function.invocations += 1
            if len(self._spent) < TOLD_MOST:
                self._spent.append(Reckoned(run.id, joules, run.error_j))

"""Shows those who orchestrate from outside what the domain is now, and what changes of it; and obeys them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from attacca.errors import AttaccaError, BadRequest
from attacca.model.events import InstanceView
from attacca.model.sandbox import WorkerView
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.intents import Cordon, Intent, Migrate, Verdict, judge
from attacca.workflow.core.pictures import Pictures
from attacca.workflow.core.state import Change, Counts, DomainState, Known, changes, domain_state

LOG = logging.getLogger("attacca.workflow")
EVERY_S = 0.25  # between two looks for changes, while somebody wants to hear of them
LOGGED_MOST = 10  # of the intents that are refused at once


class News(NamedTuple):
    """`id`: of the picture that these changes lead to. `is_all`: whoever is told knew nothing before."""

    id: str
    changes: list[Change]
    is_all: bool


Move = Callable[[str, str, tuple[str, ...]], Awaitable[object]]  # of a workflow, its component, to one of these nodes


class Delegation:
    """`seen`: what workers tell of instances, by their names. `providers`: the classes of resources that a node can
    host which has not said. `run`: as pictures take it. `move` and `cordon` answer when it is done; both
    raise an AttaccaError that says why it is not."""

    def __init__(
        self,
        core: DomainCore,
        seen: Mapping[str, InstanceView],
        domain: str,
        providers: Iterable[str],
        move: Move,
        cordon: Callable[[str, bool], Awaitable[None]],
        every_s: float = EVERY_S,
        run: str = "",
    ) -> None:
        self._core, self._seen = core, seen
        self._domain, self._providers = domain, tuple(providers)
        self._move, self._cordon, self._every_s = move, cordon, every_s
        self.views: dict[str, WorkerView] = {}
        self._known: Known = {}
        self._ended = asyncio.Event()
        self._listeners = 0
        self._pictures = Pictures(run)
        self._turn = asyncio.Lock()  # intents of several askers do not mix
        self._moving: dict[str, asyncio.Task[Verdict]] = {}  # by component
        self.counts = Counts()

    def __repr__(self) -> str:
        done = f"{self.counts.done} intents done, {self.counts.refused} refused"
        return f"<Delegation of {self._domain}, {self._listeners} listeners, {done}>"

    # What there is.

    def see(self, view: WorkerView) -> None:
        """What a node says of itself."""
        self.views[view.name] = view

    def lose(self, node: str) -> None:
        self.views.pop(node, None)

    def close(self) -> None:
        """Whoever listens has heard all."""
        self._ended.set()
        for task in self._moving.values():
            task.cancel()

    def state(self) -> DomainState:
        found = domain_state(self._core, self._domain, self.views, self._seen, self._providers, self._known)
        return msgspec.structs.replace(found, intents=self.counts)

    async def changes(self, *, follow: bool, since: str = "") -> AsyncIterator[News]:
        """All there is, or what has changed since the picture of this id, if that is known still; and then what
        changes, as it changes, if it is to `follow`."""
        before = self._pictures.find(since)
        self._listeners += 1
        try:
            while not self._ended.is_set():
                now = self.state()
                told = changes(before, now)
                if told:
                    yield News(self._pictures.keep(now), told, before is None)
                before = now
                if not follow:
                    break
                await self._rest()
        finally:
            self._listeners -= 1

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._ended.wait()
        except TimeoutError:
            pass

    # What is to be done.

    def would(self, intents: list[Intent]) -> list[Verdict]:
        """What would be done; nothing is."""
        return judge(self.state(), intents, self._core.fits)

    async def obey(self, intents: list[Intent]) -> list[Verdict]:
        """In their order, and answers when all is done that can be."""
        async with self._turn:
            await self._settled(intents)
            begun = [await self._begin(verdict) for verdict in judge(self.state(), intents, self._core.fits)]
        verdicts = [one if isinstance(one, Verdict) else await one for one in begun]
        self._tell(verdicts)
        return verdicts

    def refuse(self, errors: list[BadRequest]) -> None:
        """What was left for an intent and is none."""
        whys = [f"{error.message} ({error.hint})" for error in errors]
        self._tell([Verdict(outcome="refused", why=why, reason="malformed") for why in whys])

    async def _settled(self, intents: list[Intent]) -> None:
        """What these are about is where it was to be: each is judged by what came of those before."""
        if self._moving:
            rows = self.state().by_any_name()
            named = {rows[one.component].name for one in intents if isinstance(one, Migrate) and one.component in rows}
            await self._arrived([name for name in self._moving if name in named])

    async def _arrived(self, components: list[str]) -> None:
        if components:
            await asyncio.wait([self._moving[name] for name in components])

    async def _begin(self, verdict: Verdict) -> Verdict | asyncio.Task[Verdict]:
        """Moves of one component one after the other, of several side by side."""
        if verdict.outcome != "do":
            return verdict
        if not isinstance(verdict.intent, Migrate):
            return await self._attempted(verdict, self._cordon(verdict.node, isinstance(verdict.intent, Cordon)))
        name = verdict.component
        await self._arrived([name] if name in self._moving else [])
        task = self._moving[name] = asyncio.get_running_loop().create_task(self._moved(verdict))
        task.add_done_callback(lambda task: self._moving.pop(name) if self._moving.get(name) is task else None)
        await asyncio.sleep(0)  # it is ordered before the next intent is
        return task

    async def _moved(self, verdict: Verdict) -> Verdict:
        workflow, _, component = verdict.component.partition(".")
        return await self._attempted(verdict, self._move(workflow, component, (verdict.node,)))

    async def _attempted(self, verdict: Verdict, work: Awaitable[object]) -> Verdict:
        try:
            await work
        except AttaccaError as error:
            return msgspec.structs.replace(verdict, outcome="refused", why=error.message, reason="failed")
        return msgspec.structs.replace(verdict, outcome="done")

    def _tell(self, verdicts: list[Verdict]) -> None:
        """All are counted; of many that are refused at once the log has a few."""
        came = Counter(verdict.outcome for verdict in verdicts)
        before = self.counts
        reasons = Counter(before.reasons)
        reasons.update(verdict.reason for verdict in verdicts if verdict.outcome == "refused")
        self.counts = Counts(
            before.done + came["done"],
            before.nothing + came["nothing"],
            before.refused + came["refused"],
            dict(reasons),
        )
        refused = [verdict.why for verdict in verdicts if verdict.outcome == "refused"]
        for why in refused[:LOGGED_MOST]:
            LOG.warning("an intent is refused: %s", why)
        if len(refused) > LOGGED_MOST:
            LOG.warning("and %d more are refused", len(refused) - LOGGED_MOST)

"""Shows those who orchestrate from outside what the domain is now, and what changes of it; and obeys them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

import msgspec

from attacca.errors import AttaccaError, BadRequest
from attacca.model.events import InstanceView
from attacca.model.sandbox import WorkerView
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.intents import Cordon, Intent, Migrate, Verdict, judge
from attacca.workflow.core.state import Change, Counts, DomainState, changes, domain_state

LOG = logging.getLogger("attacca.workflow")
EVERY_S = 0.25  # between two looks for changes, while somebody wants to hear of them
Move = Callable[[str, str, tuple[str, ...]], Awaitable[object]]  # of a workflow, its component, to one of these nodes


class Delegation:
    """`seen`: what workers tell of instances, by their names. `providers`: the classes of resources that a node can
    host which has not said. `move` and `cordon` answer when it is done; both
    raise an AttaccaError that says why it is not."""

    def __init__(
        self,
        core: DomainCore,
        seen: Mapping[str, InstanceView],
        domain: str,
        providers: Iterable[str],
        move: Move,
        cordon: Callable[[str, bool], Awaitable[None]],
    ) -> None:
        self._core, self._seen = core, seen
        self._domain, self._providers = domain, tuple(providers)
        self._move, self._cordon = move, cordon
        self.views: dict[str, WorkerView] = {}
        self._ended = asyncio.Event()
        self._listeners = 0
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
        found = domain_state(self._core, self._domain, self.views, self._seen, self._providers)
        return msgspec.structs.replace(found, intents=self.counts)

    async def changes(self) -> AsyncIterator[list[Change]]:
        """All there is, and then what changes, as it changes."""
        before: DomainState | None = None
        self._listeners += 1
        try:
            while not self._ended.is_set():
                now = self.state()
                told, before = changes(before, now), now
                if told:
                    yield told
                await self._rest()
        finally:
            self._listeners -= 1

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(EVERY_S):
                await self._ended.wait()
        except TimeoutError:
            pass

    # What is to be done.

    def would(self, intents: list[Intent]) -> list[Verdict]:
        """What would be done; nothing is."""
        return judge(self.state(), intents, self._fits)

    async def obey(self, intents: list[Intent]) -> list[Verdict]:
        """In their order, and answers when all is done that can be."""
        async with self._turn:
            begun = [await self._begin(intent) for intent in intents]
        verdicts = [one if isinstance(one, Verdict) else await one for one in begun]
        for verdict in verdicts:
            self._count(verdict)
        return verdicts

    def refuse(self, error: BadRequest) -> None:
        """What is no intent."""
        self._count(Verdict(outcome="refused", why=f"{error.message} ({error.hint})"))

    async def _begin(self, intent: Intent) -> Verdict | asyncio.Task[Verdict]:
        """One after the other of one component: each is judged by what came of the one before."""
        if isinstance(intent, Migrate):
            named = self.state().component(intent.component)
            before = None if named is None else self._moving.get(named.name)
            if before is not None:
                await asyncio.wait([before])
        verdict = judge(self.state(), [intent], self._fits)[0]
        if verdict.outcome != "do":
            return verdict
        if isinstance(intent, Migrate):
            task = asyncio.get_running_loop().create_task(self._moved(verdict))
            self._moving[verdict.component] = task
            task.add_done_callback(lambda _: self._moving.pop(verdict.component, None))
            return task
        return await self._attempted(verdict, self._cordon(verdict.node, isinstance(intent, Cordon)))

    async def _moved(self, verdict: Verdict) -> Verdict:
        workflow, _, component = verdict.component.partition(".")
        return await self._attempted(verdict, self._move(workflow, component, (verdict.node,)))

    async def _attempted(self, verdict: Verdict, work: Awaitable[object]) -> Verdict:
        try:
            await work
        except AttaccaError as error:
            return msgspec.structs.replace(verdict, outcome="refused", why=error.message)
        return msgspec.structs.replace(verdict, outcome="done")

    def _count(self, verdict: Verdict) -> None:
        kind = verdict.outcome
        self.counts = msgspec.structs.replace(self.counts, **{kind: getattr(self.counts, kind) + 1})
        if kind == "refused":
            LOG.warning("an intent is refused: %s", verdict.why)
        else:
            LOG.info("an intent: %s", verdict.why)

    def _fits(self, component: str, node: str) -> str:
        workflow, _, name = component.partition(".")
        known = self._core.workflows.get(workflow)
        parts = () if known is None else known.parts.values()
        part = next((one for one in parts if one.spec.name == name), None)
        if part is None:
            return "it is not there any more"
        return self._core.nodes.unready(node, part, [part.asked])

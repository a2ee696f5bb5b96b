"""What other planes show when somebody asks: each is asked, and who is lost meanwhile has nothing to show."""

import asyncio
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from attacca.errors import NotFound, StateUnavailable
from attacca.kernel.clock import Clock
from attacca.model.async_call import AsyncCall, State
from attacca.model.history import AskHistory, HistoryTold
from attacca.model.invocation import Call, Failed
from attacca.model.journals import AskAsync, AskCall, AsyncTold, CallTold, CallVerb
from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.messages import (
    AskCalls,
    AskStory,
    AskView,
    CallsTold,
    StoryTold,
    Viewed,
)
from attacca.model.sandbox import LoadSeen, WorkerView
from attacca.model.story import Moment, Recent

PATIENCE_S = 2.0  # one that is stopped, or cut off, has nothing to show
SILENT = Failed(StateUnavailable.code, "a gateway that may have the call does not answer", "attacca status")

Question = AskView | AskStory | AskLoads | AskCalls | AskHistory | AskAsync | AskCall
Told = Viewed | StoryTold | LoadsTold | CallsTold | HistoryTold | AsyncTold | CallTold


class Views:
    """`send` takes the name of a peer and what it is told; the peers are those there are now."""

    def __init__(
        self,
        send: Callable[[str, Question | CallTold], None],
        clock: Clock,
        workers: Iterable[str],
        gateways: Iterable[str] = (),
    ) -> None:
        self.recent = Recent()  # what control has seen itself
        self._send, self._clock = send, clock
        self._workers, self._gateways = workers, gateways
        self._count = 0
        self._passing: set[asyncio.Task[None]] = set()
        self._asked: dict[str, tuple[str, asyncio.Future[Told | None]]] = {}

    def __repr__(self) -> str:
        return f"<Views: {len(self._asked)} of {self._count} asked for>"

    async def workers(self, function: str | None = None) -> list[WorkerView]:
        """What each does; for that function alone, or, empty, for none: of thousands it takes a while to tell."""

        def question(name: str) -> AskView:
            return AskView(name, function)

        answers = await asyncio.gather(*[self._ask(worker, question) for worker in self._workers])
        return [answer.view for answer in answers if isinstance(answer, Viewed)]

    async def loads(self, worker: str) -> tuple[LoadSeen, ...]:
        """How busy its machine has been in the last minute, the oldest first.

        Raises:
            NotFound: there is no such worker, or it says nothing.
        """
        known = worker in list(self._workers)
        answer = await self._ask(worker, AskLoads) if known else None
        if not isinstance(answer, LoadsTold):
            raise NotFound(
                f"no worker {worker!r} {'answers' if known else 'has joined'}", "attacca status has those there are"
            )
        return answer.loads

    async def story(self, subject: str) -> list[Moment]:
        """What the planes have seen lately of an invocation or a sandbox, in the order of time."""

        def question(name: str) -> AskStory:
            return AskStory(name, subject)

        answers = await asyncio.gather(*[self._ask(peer, question) for peer in (*self._gateways, *self._workers)])
        moments = [moment for answer in answers if isinstance(answer, StoryTold) for moment in answer.moments]
        ours = self.recent.tell(subject, "control", self._clock.wall() - self._clock.now())
        return sorted((*ours, *moments), key=_at)

    async def calls(self, function: str | None, limit: int, call: str = "") -> list[Call]:
        """Invocations that have ended, the latest first; or the one of that name, with its trace."""

        def question(name: str) -> AskCalls:
            return AskCalls(name, function or "", limit, call)

        gateways = list(self._gateways)
        answers = await asyncio.gather(*[self._ask(gateway, question) for gateway in gateways])
        told = [
            [replace(call, gateway=gateway) for call in answer.calls]
            for gateway, answer in zip(gateways, answers, strict=True)
            if isinstance(answer, CallsTold)
        ]
        if len(told) == 1:
            return told[0]
        return sorted((call for calls in told for call in calls), key=_at, reverse=True)[:limit]

    async def history(self, function: str = "") -> list[HistoryTold]:
        """What each gateway remembers of the last hour; `function` empty: of all of them together."""

        def question(name: str) -> AskHistory:
            return AskHistory(name, function)

        answers = await asyncio.gather(*[self._ask(gateway, question) for gateway in self._gateways])
        return [answer for answer in answers if isinstance(answer, HistoryTold)]

    async def async_calls(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        """As the journals of gateways have them, in no order; several may share one."""

        def question(name: str) -> AskAsync:
            return AskAsync(name, state, function or "", limit)

        answers = await asyncio.gather(*[self._ask(gateway, question) for gateway in self._gateways])
        return [call for answer in answers if isinstance(answer, AsyncTold) for call in answer.calls]

    async def order(self, call: str, verb: CallVerb, but: str = "") -> CallTold:
        """By the gateway that has it, whichever that is; `but`: it is not this one."""

        def look(name: str) -> AskCall:
            return AskCall(name, call, CallVerb.FIND)

        asked = [gateway for gateway in self._gateways if gateway != but]
        answers = await asyncio.gather(*[self._ask(gateway, look) for gateway in asked])
        for gateway, found in zip(asked, answers, strict=True):
            if isinstance(found, CallTold) and found.record is not None:
                if verb is CallVerb.FIND:
                    return found
                told = await self._ask(gateway, lambda name: AskCall(name, call, verb))
                return replace(told if isinstance(told, CallTold) else CallTold("", error=SILENT), record=found.record)
        return CallTold("", error=SILENT if None in answers else Failed(NotFound.code, f"no call is named {call!r}"))

    def pass_on(self, gateway: str, asked: AskCall) -> None:
        """A gateway asks for what it does not have itself."""
        task = asyncio.get_running_loop().create_task(self._pass_on(gateway, asked))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass_on(self, gateway: str, asked: AskCall) -> None:
        told = await self.order(asked.call, asked.verb, but=gateway)
        self._send(gateway, replace(told, id=asked.id))

    def hear(self, message: Told) -> None:
        _, answer = self._asked.get(message.id, ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def lose(self, peer: str) -> None:
        for asked, answer in self._asked.values():
            if asked == peer:
                _give_up(answer)

    def _ask(self, peer: str, question: Callable[[str], Question]) -> "asyncio.Future[Told | None]":
        self._count += 1
        name = str(self._count)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Told | None] = loop.create_future()
        self._asked[name] = peer, answer
        answer.add_done_callback(lambda _: self._asked.pop(name, None))
        self._send(peer, question(name))
        if not answer.done():
            timer = loop.call_later(PATIENCE_S, _give_up, answer)
            answer.add_done_callback(lambda _: timer.cancel())
        return answer


def _give_up(answer: "asyncio.Future[Told | None]") -> None:
    if not answer.done():
        answer.set_result(None)


def _at(one: Call | Moment) -> float:
    return one.at

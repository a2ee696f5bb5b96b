"""What other planes show when somebody asks: each is asked, and who is lost meanwhile has nothing to show."""

import asyncio
from collections.abc import Callable, Iterable

from attacca.kernel.clock import Clock
from attacca.model.invocation import Call
from attacca.model.messages import AskCalls, AskStory, AskView, CallsTold, StoryTold, Viewed
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment, Recent

PATIENCE_S = 2.0  # one that is stopped, or cut off, has nothing to show

Question = AskView | AskStory | AskCalls
Told = Viewed | StoryTold | CallsTold


class Views:
    """`send` takes the name of a peer and what it is told; the peers are those there are now."""

    def __init__(
        self,
        send: Callable[[str, Question], None],
        clock: Clock,
        workers: Iterable[str],
        gateways: Iterable[str] = (),
    ) -> None:
        self.recent = Recent()  # what control has seen itself
        self._send, self._clock = send, clock
        self._workers, self._gateways = workers, gateways
        self._count = 0
        self._asked: dict[str, tuple[str, asyncio.Future[Told | None]]] = {}

    def __repr__(self) -> str:
        return f"<Views: {len(self._asked)} of {self._count} asked for>"

    async def workers(self) -> list[WorkerView]:
        answers = await asyncio.gather(*[self._ask(worker, AskView) for worker in self._workers])
        return [answer.view for answer in answers if isinstance(answer, Viewed)]

    async def story(self, subject: str) -> list[Moment]:
        """What the planes have seen lately of an invocation or a sandbox, in the order of time."""

        def question(name: str) -> AskStory:
            return AskStory(name, subject)

        answers = await asyncio.gather(*[self._ask(peer, question) for peer in (*self._gateways, *self._workers)])
        moments = [moment for answer in answers if isinstance(answer, StoryTold) for moment in answer.moments]
        ours = self.recent.tell(subject, "control", self._clock.wall() - self._clock.now())
        return sorted((*ours, *moments), key=_at)

    async def calls(self, function: str | None, limit: int) -> list[Call]:
        """Invocations that have ended, the latest first."""

        def question(name: str) -> AskCalls:
            return AskCalls(name, function or "", limit)

        answers = await asyncio.gather(*[self._ask(gateway, question) for gateway in self._gateways])
        told = [answer.calls for answer in answers if isinstance(answer, CallsTold)]
        if len(told) == 1:
            return list(told[0])
        return sorted((call for calls in told for call in calls), key=_at, reverse=True)[:limit]

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

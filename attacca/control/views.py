"""What workers show when somebody asks: each is asked, and who is lost meanwhile has nothing to show."""

import asyncio
from collections.abc import Callable, Iterable

from attacca.model.messages import AskStory, AskView, StoryTold, Viewed
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment


class Views:
    """`send` takes the name of a worker and what it is told."""

    def __init__(self, send: Callable[[str, AskView | AskStory], None]) -> None:
        self._send = send
        self._count = 0
        self._asked: dict[str, tuple[str, asyncio.Future[Viewed | StoryTold | None]]] = {}

    def __repr__(self) -> str:
        return f"<Views: {len(self._asked)} of {self._count} asked for>"

    async def ask(self, workers: Iterable[str]) -> list[WorkerView]:
        answers = await asyncio.gather(*[self._ask(worker, AskView) for worker in workers])
        return [answer.view for answer in answers if isinstance(answer, Viewed)]

    async def story(self, workers: Iterable[str], subject: str) -> list[Moment]:
        """What they have seen of it lately."""

        def question(name: str) -> AskStory:
            return AskStory(name, subject)

        answers = await asyncio.gather(*[self._ask(worker, question) for worker in workers])
        return [moment for answer in answers if isinstance(answer, StoryTold) for moment in answer.moments]

    def hear(self, message: Viewed | StoryTold) -> None:
        _, answer = self._asked.get(message.id, ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def lose(self, worker: str) -> None:
        for asked, answer in self._asked.values():
            if asked == worker and not answer.done():
                answer.set_result(None)

    def _ask(
        self, worker: str, question: Callable[[str], AskView | AskStory]
    ) -> "asyncio.Future[Viewed | StoryTold | None]":
        self._count += 1
        name = str(self._count)
        answer: asyncio.Future[Viewed | StoryTold | None] = asyncio.get_running_loop().create_future()
        self._asked[name] = worker, answer
        answer.add_done_callback(lambda _: self._asked.pop(name, None))
        self._send(worker, question(name))
        return answer

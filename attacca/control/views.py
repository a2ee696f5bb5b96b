"""What the workers are doing, when somebody asks: each is asked, and who is lost meanwhile has nothing to show."""

import asyncio
from collections.abc import Callable, Iterable

from attacca.model.messages import AskView, Viewed
from attacca.model.sandbox import WorkerView


class Views:
    """`send` takes the name of a worker and what it is told."""

    def __init__(self, send: Callable[[str, AskView], None]) -> None:
        self._send = send
        self._count = 0
        self._asked: dict[str, tuple[str, asyncio.Future[WorkerView | None]]] = {}

    def __repr__(self) -> str:
        return f"<Views: {len(self._asked)} of {self._count} asked for>"

    async def ask(self, workers: Iterable[str]) -> list[WorkerView]:
        answers = await asyncio.gather(*[self._ask(worker) for worker in workers])
        return [view for view in answers if view is not None]

    def hear(self, message: Viewed) -> None:
        _, answer = self._asked.get(message.id, ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message.view)

    def lose(self, worker: str) -> None:
        for asked, answer in self._asked.values():
            if asked == worker and not answer.done():
                answer.set_result(None)

    def _ask(self, worker: str) -> "asyncio.Future[WorkerView | None]":
        self._count += 1
        name = str(self._count)
        answer: asyncio.Future[WorkerView | None] = asyncio.get_running_loop().create_future()
        self._asked[name] = worker, answer
        answer.add_done_callback(lambda _: self._asked.pop(name, None))
        self._send(worker, AskView(name))
        return answer

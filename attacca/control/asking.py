"""What control asks workers, and waits for: checks of code and views. A worker that is lost has answered, too."""

import asyncio
from collections.abc import Callable
from typing import Any

from attacca.errors import NoCapacity, SandboxLost
from attacca.kernel.ids import Ids
from attacca.model.function import Revision
from attacca.model.invocation import Failed
from attacca.model.messages import AskView, Check, Checked, FromControl, ToControl, Viewed
from attacca.model.sandbox import WorkerView


class Asking:
    """`send` takes the name of a worker and what it is told."""

    def __init__(self, send: Callable[[str, FromControl], None], ids: Ids) -> None:
        self.workers: list[str] = []
        self._send = send
        self._ids = ids
        self._asked: dict[str, tuple[str, asyncio.Future[Any]]] = {}

    def __repr__(self) -> str:
        return f"<Asking {len(self.workers)} workers, {len(self._asked)} questions open>"

    async def check(self, revision: Revision) -> Checked:
        if not self.workers:
            error = NoCapacity("no worker is there to check it", "deploy again when one has joined")
            return Checked("", revision, Failed(error.code, error.message, error.hint))
        name = self._ids.next()
        checked: Checked | str = await self._ask(self.workers[0], name, Check(name, revision))
        if isinstance(checked, Checked):
            return checked
        why = f"the worker that checked it is gone: {checked}"
        return Checked(name, revision, Failed(SandboxLost.code, why, "deploy again"))

    async def views(self) -> list[WorkerView]:
        """Of those that are there."""
        names = {self._ids.next(): worker for worker in self.workers}
        answers = await asyncio.gather(*[self._ask(worker, name, AskView(name)) for name, worker in names.items()])
        return [answer.view for answer in answers if isinstance(answer, Viewed)]

    def join(self, worker: str) -> None:
        self.workers.append(worker)

    def hear(self, message: ToControl) -> None:
        if isinstance(message, Checked | Viewed):
            _, answer = self._asked.get(message.id, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(message)

    def lose(self, worker: str, why: str) -> None:
        self.workers.remove(worker)
        for asked, answer in list(self._asked.values()):
            if asked == worker and not answer.done():
                answer.set_result(why)

    def _ask(self, worker: str, name: str, question: Check | AskView) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[name] = worker, answer
        answer.add_done_callback(lambda _: self._asked.pop(name, None))
        self._send(worker, question)
        return answer

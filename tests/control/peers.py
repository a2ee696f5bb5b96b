"""The twin of a worker for control: it checks code by a function, says what it holds, and notes what it is told."""

import asyncio
from collections.abc import Awaitable, Callable

from attacca.control.driver import Control
from attacca.model.function import Revision
from attacca.model.messages import AskHeld, Check, Checked, Evict, Held, Prewarm, Said, WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity, WorkerView

NAME = "w1"
VIEW = WorkerView(name=NAME, capacity=Resources(4096), used=Resources(0), queued=0, running=0, limit=64)


class WorkerPeer:
    """`check` answers with a Checked whose id does not matter. `held` are the revisions that it has sandboxes of."""

    def __init__(self, check: Callable[[Revision], Awaitable[Checked]]) -> None:
        self.control: Control
        self.told: list[Said] = []
        self.held: list[Revision] = []
        self._check = check
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<WorkerPeer {len(self.told)} messages, {len(self._tasks)} checks>"

    def join(self, control: Control, capacity: Capacity | None = None) -> None:
        self.control = control
        control.receive(NAME, WorkerJoined(VIEW, capacity))

    def send(self, _: str, message: Said) -> None:
        self.told.append(message)
        if isinstance(message, Check):
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(message, AskHeld):
            names = {name for one in self.held for name in one.artefact.digests}
            self.control.receive(NAME, Held(message.id, NAME, tuple(sorted(names))))

    @property
    def orders(self) -> list[Prewarm | Evict]:
        return [message for message in self.told if isinstance(message, Prewarm | Evict)]

    async def _answer(self, check: Check) -> None:
        checked = await self._check(check.revision)
        self.control.receive(NAME, Checked(check.id, checked.revision, checked.error, checked.logs, checked.timing))

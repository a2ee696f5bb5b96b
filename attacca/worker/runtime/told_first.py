"""A runtime of a worker apart: an invocation begins when its gateway has been told that it does, and not before.

What is sent to a gateway goes out at the end of the loop's turn, and what a sandbox is sent goes out at once. A worker
that is killed between the two would have begun what its gateway believes to have not, and sends to another.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import Sink
from attacca.worker.runtime.types import Runtime


class ToldFirst:
    """It is a `types.Runtime`: what is to run waits for one turn of the loop, and whatever else comes meanwhile with
    it, in its order."""

    def __init__(self, inner: Runtime, ends_with_us: Callable[[str], bool] | None = None) -> None:
        """`ends_with_us`: an invocation is wanted by a gateway of this process, which believes nothing after it."""
        self._inner, self._ends_with_us = inner, ends_with_us
        self._waiting: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<ToldFirst {len(self._waiting)} orders wait for {self._inner!r}>"

    @property
    def has_events(self) -> bool:
        return self._inner.has_events

    async def open(self, sink: Sink) -> None:
        await self._inner.open(sink)

    async def close(self) -> None:
        self._go()
        await self._inner.close()

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if not self._waiting:
            if self._ends_with_us is not None and self._ends_with_us(invocation.id):
                self._inner.run(sandbox, revision, invocation)
                return
            asyncio.get_running_loop().call_soon(self._go)
        self._waiting.append(partial(self._inner.run, sandbox, revision, invocation))

    def make_template(self, template: str, revision: Revision) -> None:
        self._in_turn(partial(self._inner.make_template, template, revision))

    def drop_template(self, template: str) -> None:
        self._in_turn(partial(self._inner.drop_template, template))

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        self._in_turn(partial(self._inner.make_sandbox, sandbox, revision, template))

    def kill(self, sandbox: str) -> None:
        self._in_turn(partial(self._inner.kill, sandbox))

    def stop(self, sandbox: str, invocation: str) -> None:
        self._in_turn(partial(self._inner.stop, sandbox, invocation))

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        self._in_turn(partial(self._inner.body, sandbox, invocation, data, last))

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self._in_turn(partial(self._inner.flow, sandbox, invocation, paused))

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        self._in_turn(partial(self._inner.tell, sandbox, word))

    def leave(self, sandbox: str, invocation: str) -> None:
        self._in_turn(partial(self._inner.leave, sandbox, invocation))

    def _in_turn(self, order: Callable[[], None]) -> None:
        if self._waiting:
            self._waiting.append(order)
        else:
            order()

    def _go(self) -> None:
        """An order may give rise to others: they are given at once, as those before them have been."""
        orders, self._waiting = self._waiting, []
        for order in orders:
            order()

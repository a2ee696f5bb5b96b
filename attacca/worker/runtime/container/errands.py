"""The invocations of one sandbox whose program serves HTTP, over connections that are kept for who comes next."""

import asyncio
from collections.abc import Awaitable, Callable

from attacca.model.invocation import Failed, Invocation, Outcome
from attacca.worker.core.reports import Report
from attacca.worker.runtime.container.errand import Errand
from attacca.worker.runtime.container.upstream import Upstream

KEPT = 8  # connections that nobody uses just now
CANCELLED = Failed("cancelled", "its invocation was given up", "")


class Errands:
    """`dial` makes a connection to the program. Where one breaks, `doubt` has somebody look whether the sandbox is
    about to end: it is closed then, and `alive` is called where it is not. `ended` is told each outcome, once."""

    def __init__(
        self,
        sandbox: str,
        sink: Callable[[Report], None],
        dial: Callable[[], Awaitable[Upstream]],
        doubt: Callable[[], None],
        ended: Callable[[str, Outcome], None],
    ) -> None:
        self.sandbox, self._sink = sandbox, sink
        self._dial, self._doubt, self._told = dial, doubt, ended
        self._loop = asyncio.get_running_loop()
        self._errands: dict[str, Errand] = {}  # by invocation
        self.idle: list[Upstream] = []

    def __repr__(self) -> str:
        return f"<Errands {len(self._errands)} on their way, {len(self.idle)} connections idle>"

    # orders

    def run(self, invocation: Invocation, port: int, whole: int = 0) -> None:
        """`whole`: its answer is wanted in one piece, of at most so many bytes."""
        errand = Errand(self.sandbox, invocation, port, self._sink, self._ended, self._broke, whole)
        self._errands[invocation.id] = errand
        self._begin(errand)

    def stop(self, invocation: str) -> None:
        """HTTP knows no other way than to hang up."""
        if (errand := self._errands.get(invocation)) is not None:
            errand.close()
            self._loop.call_soon(self._end, errand, CANCELLED)

    def body(self, invocation: str, data: bytes, *, last: bool) -> None:
        if (errand := self._errands.get(invocation)) is not None:
            errand.send(data, last=last)

    def flow(self, invocation: str, *, paused: bool) -> None:
        if (errand := self._errands.get(invocation)) is not None:
            errand.flow(paused=paused)

    def alive(self) -> None:
        """It is not about to end, so it broke its connections for reasons of its own."""
        for errand in [errand for errand in self._errands.values() if errand.why]:
            self._end(errand, errand.failed())

    def close(self) -> None:
        """Nobody hears of any any more."""
        for errand in self._errands.values():
            errand.close()
        self._errands.clear()
        for upstream in self.idle:
            upstream.close()
        self.idle.clear()

    # what comes of them

    def _begin(self, errand: Errand) -> None:
        while self.idle:
            upstream = self.idle.pop()
            if upstream.can_be_asked:
                errand.begin(upstream)
                return
            upstream.close()
        errand.connecting = self._loop.create_task(self._connect(errand))

    async def _connect(self, errand: Errand) -> None:
        try:
            upstream = await self._dial()
        except OSError as error:
            errand.broken(f"its program takes no connection: {error.strerror or error}")
            return
        if self._errands.get(errand.invocation.id) is errand:
            errand.begin(upstream)
        else:
            upstream.close()

    def _broke(self, errand: Errand) -> None:
        if errand.upstream is not None and errand.may_be_repeated and not errand.has_been_repeated:
            errand.renew()
            self._begin(errand)
        else:
            self._doubt()

    def _ended(self, errand: Errand, outcome: Outcome) -> None:
        upstream = errand.upstream
        if upstream is not None:
            if len(self.idle) < KEPT:
                self.idle.append(upstream)
            else:
                upstream.close()
        self._end(errand, outcome)

    def _end(self, errand: Errand, outcome: Outcome) -> None:
        name = errand.invocation.id
        if self._errands.get(name) is errand:
            del self._errands[name]
            self._told(name, outcome)

"""Keeps a mirror as the domain is, and has the intents obeyed that are left there. While the database is gone,
orchestration goes on; when it is back, the mirror is made whole."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from attacca.errors import AttaccaError, BadRequest
from attacca.kernel.clock import Clock
from attacca.model.events import Samples
from attacca.workflow.core.intents import INTENTS_MOST, Intent, read
from attacca.workflow.core.state import DomainState
from attacca.workflow.mirror.config import MirrorConfig
from attacca.workflow.mirror.reflection import Measured, Reflection, measured
from attacca.workflow.mirror.types import Glass

LOG = logging.getLogger("attacca.workflow")
MEASURED_MOST = 20_000  # between two writings
TRIES = 3  # looks for the value of an intent whose key came first


class Mirror:
    """`run`: a name that no other mirror has. `obey` is given intents in their order, `refuse` what is none."""

    def __init__(
        self,
        config: MirrorConfig,
        glass: Glass,
        clock: Clock,
        run: str,
        state: Callable[[], DomainState],
        obey: Callable[[list[Intent]], Awaitable[object]],
        refuse: Callable[[list[BadRequest]], None],
    ) -> None:
        self._config, self._glass, self._clock, self._run = config, glass, clock, run
        self._state, self._obey, self._refuse = state, obey, refuse
        self._reflection = Reflection(config.prefix, config.shape)
        self._measured: deque[Measured] = deque(maxlen=MEASURED_MOST)
        self._late: dict[bytes, int] = {}  # intents without a value: how often they are looked for
        self._tasks: set[asyncio.Task[None]] = set()
        self.writings = self.losses = self._refused = 0
        self._is_gone = False

    def __repr__(self) -> str:
        reach = "gone" if self._is_gone else "there"
        return (
            f"<Mirror {self._glass!r}, {reach}: {self.writings} writings, {self.losses} losses, {self._reflection!r}>"
        )

    def open(self) -> None:
        self._begin(self._live())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(AttaccaError):
            await self._glass.close()

    def collect(self, told: Samples) -> None:
        """What is too much until the next writing is forgotten, the oldest first."""
        self._measured.extend(measured(told))

    async def _live(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._config.every_s)

    async def look(self) -> None:
        """Once: the intents first, and then what came of those before."""
        try:
            intents = await self._intents()
            if intents:
                self._begin(self._obeyed(intents))
            await self._write()
        except AttaccaError as error:
            self._reflection.lose()
            if not self._is_gone:
                self._is_gone, self.losses = True, self.losses + 1
                LOG.warning("the mirror is not kept: %s; the domain goes on without it", error.message)
            return
        if self._is_gone:
            self._is_gone = False
            LOG.warning("the mirror is kept again")

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _obeyed(self, intents: list[Intent]) -> None:
        await self._obey(intents)

    async def _write(self) -> None:
        owned = await self._glass.begin(self._run) if self._reflection.is_lost else {}
        taken = list(self._measured)
        self._measured.clear()
        writes = self._reflection.writes(self._state(), taken, self._clock.wall(), owned)
        refused: int | None = None
        try:
            refused = await self._glass.write(self._run, writes, self._config.keep_s)
        finally:
            if refused is None:  # it is gone, or somebody has emptied it or written over it
                self._measured.extendleft(reversed(taken))
                self._reflection.lose()
        if refused is None:
            return
        self.writings += 1
        if refused > self._refused:
            LOG.warning("%d keys of the mirror are somebody else's: set workflows.mirror.prefix", refused)
        self._refused = refused

    async def _intents(self) -> list[Intent]:
        """All that have come."""
        left: list[tuple[bytes, bytes | None, int]] = []  # each with how often it is waited for
        late, self._late = self._late, {}
        for key, tries in late.items():
            left.append((key, await self._glass.take(key), tries - 1))
        had: set[bytes] = set()
        for _ in range(INTENTS_MOST):
            popped = await self._glass.pop()
            if popped is None:
                break
            if popped.value is not None or popped.key not in had:  # of one that was written again the last word counts
                left.append((popped.key, popped.value, TRIES))
            had.add(popped.key)
        return self._understood(left)

    def _understood(self, left: list[tuple[bytes, bytes | None, int]]) -> list[Intent]:
        found: list[Intent] = []
        wrong: list[BadRequest] = []
        for key, value, tries in left:
            try:
                found.append(read(key, value))
            except BadRequest as error:
                if value is None and tries > 0 and is_whole(key):
                    self._late[key] = tries
                else:
                    wrong.append(error)
        if wrong:
            self._refuse(wrong)
        return found


def is_whole(key: bytes) -> bool:
    """It lacks nothing but its value."""
    try:
        read(key, b"yes")
    except BadRequest:
        return False
    return True

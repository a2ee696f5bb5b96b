"""How long a sandbox or a template may take until it is ready, and who has to go where it takes longer.

Where thousands are ordered at once, the last is born when its turn comes: as long as others are, it waits on. Where
nobody was born all that time, the template that should have made it makes no other either, and is ended with all that
were forked from it. So what has been said meanwhile is heard first: on a machine that stood still for a while, as a
virtual one does that is moved to another, all timers run down at once.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.untrusted import Failure

HEAR_S = 0.5


class Begetter(Protocol):
    @property
    def born_at(self) -> float:
        """When its latest child was seen, by the loop's clock."""


class Childlike(Protocol):
    @property
    def is_born(self) -> bool: ...
    @property
    def parent(self) -> Begetter | None: ...
    def kill(self, why: str) -> None: ...


class Awaited(Protocol):
    """A sandbox or a template."""

    timer: asyncio.TimerHandle | None

    @property
    def process(self) -> Childlike: ...
    def fail(self, code: Failure, message: str) -> None: ...


class Forking(Awaited, Protocol):
    @property
    def fork_client(self) -> Begetter: ...


class Deadlines:
    """With those of one runtime; `templates` are all that it has."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: ProcessOptions, templates: Mapping[str, Forking]
    ) -> None:
        self._loop, self._templates = loop, templates
        self._start_s, self._seconds = options.start_timeout_s, options.start_timeout_s + options.last_words_s

    def __repr__(self) -> str:
        return f"<Deadlines of {self._seconds:g} s>"

    def begin(self, made: Awaited) -> None:
        made.timer = self._loop.call_later(self._seconds, self._look, made)

    def _look(self, made: Awaited) -> None:
        if self._has_turn_to_come(made):
            self.begin(made)
        else:
            made.timer = self._loop.call_later(HEAR_S, self._look_again, made)

    def _look_again(self, made: Awaited) -> None:
        if self._has_turn_to_come(made):
            self.begin(made)
        else:
            self._give_up(made)

    def _has_turn_to_come(self, made: Awaited) -> bool:
        process, parent = made.process, made.process.parent
        return not process.is_born and parent is not None and self._loop.time() - parent.born_at < self._seconds

    def _give_up(self, made: Awaited) -> None:
        message = f"importing the code took longer than {self._start_s:g} s (start_timeout_s of the server)"
        made.fail("timeout", message)
        made.process.kill(message)
        for template in self._templates.values():
            if template.fork_client is made.process.parent and not made.process.is_born:
                template.process.kill("it made no sandbox in time")  # and so will not make this one

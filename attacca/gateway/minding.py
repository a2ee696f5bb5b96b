"""Has control say, again and again, whether this gateway minds the schedules, and tells it what it has settled."""

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import Minded
from attacca.gateway.core.async_calls.minding import MindingCore
from attacca.kernel.clock import Clock
from attacca.model.async_call import Accept, Advance, Mark, Write
from attacca.model.journals import MINDING_S, AskMinding, MindingTold

AGAIN_S = MINDING_S / 6
SOON_S = 0.05  # what is written together is told together


class Minding:
    """`marks`: what the journal has settled. `feed` hears who minds, `send` tells control."""

    def __init__(
        self,
        journal: str,
        marks: Callable[[], tuple[Mark, ...]],
        feed: Callable[[Minded], None],
        send: Callable[[AskMinding], None],
        clock: Clock,
    ) -> None:
        self._core = MindingCore(journal)
        self._marks, self._feed, self._send, self._clock = marks, feed, send, clock
        self._timer: asyncio.TimerHandle | None = None
        self._is_soon = self._is_ending = False

    def __repr__(self) -> str:
        return f"<Minding {self._core!r}>"

    def open(self) -> None:
        """Before anything is due."""
        self._feed(Minded(self._core.until))
        self.ask()

    def ask(self) -> None:
        self._is_soon = False
        self._send(self._core.ask(self._clock.now(), self._marks()))
        if not self._is_ending:
            self._again(AGAIN_S)

    def hear(self, told: MindingTold) -> None:
        minded = self._core.hear(self._clock.now(), told)
        if minded is not None:
            self._feed(minded)

    def wrote(self, write: Write) -> None:
        """The journal has it: of what is settled, control hears."""
        if isinstance(write, Accept | Advance) and write.mark is not None and not self._is_soon:
            self._is_soon = True
            self._again(SOON_S)

    def end(self) -> None:
        """It asks no more, but still says what is written."""
        self._is_ending, self._is_soon = True, False
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _again(self, delay_s: float) -> None:
        self._cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.ask)


def journal_name(journal: Path) -> str:
    """Of the journal in that file: the same for all who share it, and no other's. It lies beside the file.

    Raises:
        StateUnavailable: it cannot be written or read.
    """
    path = journal.with_suffix(".name")
    try:
        if not path.exists():
            fresh = journal.with_suffix(f".{secrets.token_hex(8)}.tmp")
            with fresh.open("w") as file:
                file.write(secrets.token_hex(16))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass  # another gateway of this machine was faster
            finally:
                fresh.unlink()
        return path.read_text()
    except OSError as error:
        what = f"the name of the journal cannot be kept in {path}: {error.strerror}"
        raise StateUnavailable(what, "free space there, or check its mode") from error

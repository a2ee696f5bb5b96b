"""Whom a plane apart is led by: the control of the highest term that it has heard of, for as long as that says so."""

import logging
from collections.abc import Callable
from typing import Any

from attacca.cli.serve.planes.door import CONTROL
from attacca.io.wire.peers import Peers
from attacca.kernel.clock import Clock
from attacca.kernel.drive import LoopTimer
from attacca.kernel.terms import Terms
from attacca.model.messages import Leads

LOG = logging.getLogger("attacca.led")


def led(clock: Clock, silent_s: float, peers: Peers[Any]) -> "Led":
    """For a plane whose links these are."""
    return Led(clock, silent_s, lambda why: peers.end(CONTROL, why), lambda: peers.cut(CONTROL))


class Led:
    """`refuse` ends the link to a control that does not lead any more, and tells it why; `cut` ends it to one that says
    nothing. Both have the plane dial the next."""

    def __init__(self, clock: Clock, silent_s: float, refuse: Callable[[str], None], cut: Callable[[], None]) -> None:
        self.terms = Terms(silent_s)
        self.is_obeyed = False  # what comes by the link there is
        self._clock = clock
        self._refuse, self._cut = refuse, cut
        self._timer = LoopTimer(clock.now)

    def __repr__(self) -> str:
        return f"<Led {self.terms!r}, obeyed={self.is_obeyed}>"

    def hear(self, message: Leads) -> None:
        why = self.terms.hear(self._clock.now(), message.term)
        self.is_obeyed = not why
        if why:
            LOG.warning("control is refused: %s", why)
            self._refuse(why)
        else:
            self._timer.set(self.terms.silent_at, self._ring)

    def lose(self) -> None:
        """The link is gone."""
        self.is_obeyed = False
        self.terms.lose()
        self._timer.clear()

    def _ring(self) -> None:
        if self.terms.is_silent(self._clock.now()):
            LOG.warning("control has said nothing for %g s: another is asked", self.terms.silent_s)
            self._cut()

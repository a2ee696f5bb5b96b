"""Workers of other domains, to which a worker speaks through its control, where the portal is."""

import secrets
from collections.abc import Callable

from attacca.model.events import BetweenInstances, Carried, Faraway, Introduced, Reached, Refused, Torn
from attacca.model.messages import ToControl
from attacca.worker.core.ways import Ways

Hear = Callable[[str, bytes, BetweenInstances], None]


class Far:
    """`hear` and `joined` are as for workers nearby; `tell` takes what control is told."""

    def __init__(
        self,
        worker: str,
        hear: Hear,
        joined: Callable[[str], None],
        tell: Callable[[ToControl], None],
        process: bytes = b"",
    ) -> None:
        """`process`: by which others know this one from the one before."""
        self._ways = Ways(worker, process or secrets.token_bytes(16))
        self._hear, self._joined, self._tell = hear, joined, tell

    def __repr__(self) -> str:
        return f"<Far {self._ways!r}>"

    def send(self, to: str, message: BetweenInstances) -> None:
        if not isinstance(message, Introduced | Refused):  # who is cut off reaches none of these
            self._tell(self._ways.carry(to, message))

    def hear(self, message: Faraway) -> None:
        match message:
            case Carried():
                heard = self._ways.hear(message)
                if isinstance(heard, Torn):
                    self._tell(heard)
                elif heard is not None:
                    self._hear(message.source, message.process, heard)
            case Torn():
                self._begin(message.source)
            case Reached():
                self._begin(message.worker)

    def _begin(self, worker: str) -> None:
        if self._ways.anew(worker):
            self._joined(worker)

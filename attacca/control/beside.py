"""What control has beside functions, and knows nothing more of: workflows, where they are orchestrated."""

from collections.abc import Iterable
from typing import Protocol

from attacca.io.exposition import Form
from attacca.model.events import InstancesSaid
from attacca.model.messages import ToControl


class Beside(Protocol):
    async def open(self) -> None:
        """Before the catalogue is announced.

        Raises:
            StateCorrupt: what it has in the store cannot be read.
        """

    async def close(self) -> None: ...

    def hear(self, message: ToControl) -> bool:
        """What workers and gateways say to control. True: nobody else wants it."""

    def lose(self, peer: str) -> None: ...

    def metrics(self, form: Form) -> bytes:
        """What the metrics page has of it, without an end."""

    def digests(self) -> Iterable[str]:
        """Of code that it needs."""


class Nothing:
    """Of that kind, where there is nothing."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def lose(self, peer: str) -> None: ...

    def metrics(self, form: Form) -> bytes:
        return b""

    def hear(self, message: ToControl) -> bool:
        return isinstance(message, InstancesSaid)

    def digests(self) -> Iterable[str]:
        return ()

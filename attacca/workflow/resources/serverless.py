"""`serverless`: an ordinary function, called with each event as its body."""

from collections.abc import Mapping

from attacca.errors import AttaccaError
from attacca.model.events import FUNCTIONS
from attacca.workflow.resources.types import Host, field


class Serverless:
    """`function`: its name. What it answers to a cast goes to the output `out`, and why it did not to `err`; a call
    is answered with it."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._function, self._host = field(configuration, "function", "serverless"), host
        self._count = self._failed = 0

    def __repr__(self) -> str:
        return f"<Serverless {self._function}, {self._count} calls, {self._failed} failed>"

    async def open(self, self_id: str, workflow: str) -> None: ...

    async def cast(self, source: str, data: bytes) -> None:
        try:
            answer = await self.call(source, data)
        except AttaccaError as error:
            self._host.cast("err", error.message.encode())
            raise
        self._host.cast("out", answer or b"")

    async def call(self, source: str, data: bytes) -> bytes | None:
        self._count += 1
        try:
            return await self._host.call_to(f"{self._function}@{FUNCTIONS}", data, 0.0)
        except AttaccaError:
            self._failed += 1
            raise

    async def close(self) -> None: ...

"""How the planes of one process are joined: in memory, or, to show that it makes no difference, over TCP."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from attacca.io.wire import memory
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, Listener
from attacca.io.wire.types import MB, Hello, Limits

LOOPBACK = "127.0.0.1"
DONE = "the server ends"


class WireConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tcp` is for tests, and for those who want to know what it costs."""

    join: Literal["memory", "tcp"] = "memory"
    message_mb: Annotated[float, msgspec.Meta(gt=0)] = 256.0  # the largest message between planes that are apart

    @property
    def message_bytes(self) -> int:
        return int(self.message_mb * MB)


class End(NamedTuple):
    """One plane's side; `words` is the union of what it may be told."""

    peers: Any  # a Peers, which waits for its peer
    hello: Hello
    words: Any


class Joints:
    """All of them, to be closed together."""

    def __init__(self, config: WireConfig) -> None:
        self._config = config
        self._limits = Limits(message_bytes=config.message_bytes)
        self._links: list[memory.MemoryLink] = []
        self._sockets: list[tuple[Listener, Dialer]] = []

    def __repr__(self) -> str:
        return f"<Joints {self._config.join}: {len(self._links) + len(self._sockets)}>"

    async def join(self, listening: End, dialing: End) -> None:
        """
        Raises:
            OSError: there is no port.
        """
        if self._config.join == "memory":
            link = memory.join(listening.peers, listening.hello, dialing.peers, dialing.hello, self._limits)
            assert link is not None, "planes of one process speak the same language"
            self._links.append(link)
            return
        listener = Listener(self._maker(listening, has_dialed=False))
        await listener.open(LOOPBACK, 0)
        dialer = Dialer(self._maker(dialing, has_dialed=True), [(LOOPBACK, listener.port)])
        self._sockets.append((listener, dialer))
        dialer.open()
        await listening.peers.until(dialing.hello.name)
        await dialing.peers.until(listening.hello.name)

    async def close(self) -> None:
        for link in self._links:
            link.close(DONE)
        for listener, dialer in self._sockets:
            await dialer.close(DONE)
            await listener.close(DONE)

    def cut(self) -> None:
        """Break every connection, as a network may; they come back by themselves."""
        for listener, _ in self._sockets:
            listener.cut()

    def _maker(self, end: End, *, has_dialed: bool) -> Callable[[], StreamLink]:
        return lambda: StreamLink(end.peers, end.hello, end.words, self._limits, has_dialed=has_dialed)

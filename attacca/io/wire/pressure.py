"""Which streams to a peer wait: those whose reader asked for it, and all of them while the link to it is full."""

from collections.abc import Callable, Iterable


class Pressure:
    """`pause` is told the name of a stream, and whether it is to wait."""

    def __init__(self, pause: Callable[[str, bool], None]) -> None:
        self.asked: set[str] = set()  # streams whose readers are slow
        self._pause = pause
        self._full: set[str] = set()  # peers

    def __repr__(self) -> str:
        return f"<Pressure {len(self.asked)} streams with slow readers, {len(self._full)} full links>"

    def ask(self, peer: str, stream: str, *, paused: bool) -> None:
        """The reader of one is slow, or has caught up."""
        if paused:
            self.asked.add(stream)
        else:
            self.asked.discard(stream)
        if peer not in self._full:
            self._pause(stream, paused)

    def begin(self, peer: str, stream: str) -> None:
        """There is one more."""
        if peer in self._full:
            self._pause(stream, True)  # noqa: FBT003 - mirrors Flow

    def press(self, peer: str, streams: Iterable[str], *, is_slow: bool) -> None:
        """The link to a peer, with these streams to it, is full, or has room again."""
        if is_slow:
            self._full.add(peer)
        else:
            self._full.discard(peer)
        for stream in streams:
            if stream not in self.asked:
                self._pause(stream, is_slow)

    def lose(self, peer: str) -> None:
        """With its streams."""
        self._full.discard(peer)

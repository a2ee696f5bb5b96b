"""The link within a process: frozen structs are handed over as they are, in the same moment.

While nothing waits a message costs a call. What is sent while the receiver is still busy with the one before has its
turn after that.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from attacca.io.wire.frames import Codec, refusal
from attacca.io.wire.types import CUT, TOO_SLOW, Hello, Limits, Receiver

ENDLESS = 1 << 62  # in memory no message is too large
LOW = 4  # a peer has caught up when no more than this part of `high_bytes` waits


def join(
    left: Receiver[Any], left_hello: Hello, right: Receiver[Any], right_hello: Hello, limits: Limits | None = None
) -> "MemoryLink | None":
    """The left side's link, when both have been told of theirs; None: they do not go together, and were told why."""
    why = refusal(left_hello, right_hello)
    if why:
        left.refused(f"the peer {why}")
        right.refused(f"the peer {refusal(right_hello, left_hello)}")
        return None
    one, other = MemoryLink(left, limits or Limits()), MemoryLink(right, limits or Limits())
    one.peer, other.peer = other, one
    one.open(right_hello)
    other.open(left_hello)
    return one


class MemoryLink:
    __slots__ = ("_codec", "_is_busy", "_is_open", "_is_paused", "_is_ready", "_is_slow", "_limits", "_receive",
                 "_receiver", "_waiting", "_weight", "peer")  # fmt: skip

    def __init__(self, receiver: Receiver[Any], limits: Limits) -> None:
        self.peer: MemoryLink
        self._receiver = receiver
        self._receive: Callable[[Any], None]  # from when it has been told that it is open
        self._limits = limits
        self._codec = Codec(Hello, ENDLESS)
        self._waiting: deque[tuple[object, int]] = deque()  # what came and was not received yet, and what it weighs
        self._weight = 0
        self._is_open = True
        self._is_busy = True  # until it has been told that it is open
        self._is_paused = False
        self._is_ready = False  # open, with nothing to do and nothing that waits
        self._is_slow = False  # as its peer was told

    def __repr__(self) -> str:
        state = "closed" if not self._is_open else "paused" if self._is_paused else "open"
        return f"<MemoryLink {state}: {len(self._waiting)} messages wait, {self._weight} bytes>"

    def open(self, peer: Hello) -> None:
        self._receive = self._receiver.opened(self, peer)
        self._is_busy = False
        self._catch_up()

    def send(self, message: object) -> None:
        peer = self.peer
        if not peer._is_ready:
            if self._is_open:
                peer._keep(message)
            return
        peer._is_ready = False
        peer._is_busy = True
        try:
            peer._receive(message)
        finally:
            peer._is_busy = False
            if peer._waiting or peer._is_paused or not peer._is_open:
                peer._catch_up()
            else:
                peer._is_ready = True

    def pause(self) -> None:
        self._is_paused = True
        self._is_ready = False

    def resume(self) -> None:
        self._is_paused = False
        self._catch_up()

    def close(self, why: str) -> None:
        if self._is_open:
            self._end(why)
            self.peer._keep(_End(f"the peer closed it: {why}"))
            self.peer._catch_up()

    def cut(self, why: str = CUT) -> None:
        """Without another word, as a broken cable does; what waits is lost."""
        for side in (self, self.peer):
            side._end(why)

    def _end(self, why: str) -> None:
        if self._is_open:
            self._is_open = self._is_ready = False
            self._waiting.clear()
            self._weight = 0
            self._receiver.closed(self, why)

    def _keep(self, message: object) -> None:
        """Weighed is only what waits for one who wants nothing now: who is merely busy will be done in a moment."""
        if not self._is_open:
            return
        weight = len(self._codec.encode(message)) if self._is_paused and type(message) is not _End else 0
        self._waiting.append((message, weight))
        self._is_ready = False
        self._weight += weight
        if self._weight > self._limits.most_bytes:
            self.cut(TOO_SLOW)
        elif self._weight > self._limits.high_bytes and not self._is_slow:
            self._is_slow = True
            self.peer._receiver.pressed(self.peer, is_slow=True)

    def _catch_up(self) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._waiting and not self._is_paused:
                message, weight = self._waiting.popleft()
                self._weight -= weight
                if type(message) is _End:
                    self._end(message.why)
                    return
                self._receive(message)
                if self._is_slow and self._weight <= self._limits.high_bytes // LOW:
                    self._is_slow = False
                    self.peer._receiver.pressed(self.peer, is_slow=False)
        finally:
            self._is_busy = False
            self._is_ready = self._is_open and not (self._is_paused or self._waiting)


class _End:
    """Behind everything that was sent before it."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    def __repr__(self) -> str:
        return f"<_End: {self.why}>"

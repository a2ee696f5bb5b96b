"""What is sent to somebody who may be slow, full or gone: it waits in a bounded buffer, and a thread of its own sends
it in batches, with pauses that grow while nobody takes it.

Who puts something in never waits and never fails; what finds no room is counted and dropped, the newest first.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import msgspec

from attacca.io.posting import Posted, Silent

T = TypeVar("T")
LOG = logging.getLogger("attacca.shipping")
TOO_LARGE = 413
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # of statuses, those after which the same may be taken
SAID_S = 60.0  # at least, between two remarks about the same receiver


class ShippingLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    held: int = 20_000  # that wait, at most
    batch: int = 2_000  # at once, at most
    every_s: float = 1.0  # a batch that is not full goes after so long
    timeout_s: float = 10.0  # of one request
    pause_s: float = 0.5  # after a failure; doubles with each
    pause_most_s: float = 60.0
    tries: int = 8  # of a batch that is refused for now; then it is dropped


class Refused(NamedTuple):
    """Why a batch was not taken, how long to wait at least, and whether it never will be taken, or not all at once."""

    why: str
    wait_s: float = 0.0
    is_final: bool = False
    is_too_large: bool = False


class Shipper(Generic[T]):
    """`send` is called in the thread with a batch, and may raise Silent. `name`: who gets it, for people."""

    def __init__(self, name: str, send: Callable[[list[T]], Posted], limits: ShippingLimits) -> None:
        self._name, self._send, self._limits = name, send, limits
        self._held: deque[T] = deque()
        self._news, self._is_closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._said_at = -SAID_S
        self.sent = self.dropped = self.failures = 0

    def __repr__(self) -> str:
        return f"<Shipper to {self._name}: {len(self._held)} held, {self.sent} sent, {self.dropped} dropped>"

    @property
    def held(self) -> int:
        """That wait."""
        return len(self._held)

    def open(self) -> None:
        self._thread = threading.Thread(target=self._ship, name=f"to {self._name}", daemon=True)
        self._thread.start()

    def put(self, one: T) -> None:
        if len(self._held) < self._limits.held and not self._is_closed:
            self._held.append(one)
            if len(self._held) >= self._limits.batch and not self._news.is_set():
                self._news.set()
        else:
            self.dropped += 1

    def close(self, grace_s: float = 1.0) -> None:
        """What is held is sent once more, if that takes no longer than `grace_s`."""
        self._is_closed = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(grace_s)

    # In the thread.

    def _ship(self) -> None:
        while not (self._is_closed and not self._held):
            if len(self._held) < self._limits.batch and not self._is_closed:
                self._news.wait(self._limits.every_s)
            self._news.clear()
            while self._held:
                if not self._ship_one([self._held.popleft() for _ in range(min(len(self._held), self._limits.batch))]):
                    return

    def _ship_one(self, batch: list[T]) -> bool:
        """False: it is closed, and what could not be sent then is lost."""
        pause_s = self._limits.pause_s
        for attempt in range(self._limits.tries):
            refused = self._tried(batch)
            if refused is None:
                self.sent += len(batch)
                return True
            self.failures += 1
            if refused.is_too_large and len(batch) > 1:
                half = len(batch) // 2
                return all([self._ship_one(batch[:half]), self._ship_one(batch[half:])])
            self._say(refused.why)
            if refused.is_final or attempt == self._limits.tries - 1:
                break
            if self._is_closed or self._sleep(max(pause_s, min(refused.wait_s, self._limits.pause_most_s))):
                self.dropped += len(batch)
                return False
            pause_s = min(pause_s * 2, self._limits.pause_most_s)
        self.dropped += len(batch)
        return True

    def _tried(self, batch: list[T]) -> Refused | None:
        try:
            posted = self._send(batch)
        except Silent as error:
            return Refused(error.message)
        except Exception as error:  # noqa: BLE001 - what cannot be said is dropped, and the next may be said
            return Refused(f"{type(error).__name__}: {str(error)[:200]}", is_final=True)
        if 200 <= posted.status < 300:
            return None
        why = f"status {posted.status}: {posted.body[:200].decode('utf-8', 'replace')!r}"
        return Refused(why, posted.retry_after_s, posted.status not in AGAIN, posted.status == TOO_LARGE)

    def _sleep(self, seconds: float) -> bool:
        """True: it was closed meanwhile."""
        until = time.monotonic() + seconds  # noqa: TID251 - a pause of a thread, on which nothing is decided
        while not self._is_closed and (left := until - time.monotonic()) > 0:  # noqa: TID251 - as above
            self._news.wait(left)
            if not self._is_closed:
                self._news.clear()
        return self._is_closed

    def _say(self, why: str) -> None:
        now = time.monotonic()  # noqa: TID251 - how often people are told
        if now - self._said_at >= SAID_S:
            self._said_at = now
            LOG.warning("%s does not take what it is sent: %s; %d were dropped so far", self._name, why, self.dropped)

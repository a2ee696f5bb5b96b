"""Who asks for asynchronous calls; and the client of an attempt, which collects what may be kept of its answer."""

from collections.abc import Callable
from typing import Protocol

from attacca.errors import AttaccaError, Cancelled, ResponseTooLarge
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.driver import Gateway
from attacca.model.async_call import AsyncCall
from attacca.model.invocation import Call, Failed, Ok, Outcome

CANCELLED = Cancelled("the call was cancelled")
Over = Callable[[Outcome, Call], None]


class Asker(Protocol):
    """Who has asked for something, and hears of it once."""

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None: ...
    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None: ...
    def rejected(self, error: AttaccaError) -> None: ...
    def cancelled(self, call: str) -> None: ...


class Attempt:
    """A core.inflight.Client. A streamed answer becomes a whole one."""

    def __init__(self, gateway: Gateway, size_most: int, over: Over) -> None:
        self.taken: Inflight | None = None
        self._gateway = gateway
        self._size_most = size_most
        self._over = over
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._parts: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        name = "nothing" if self.taken is None else self.taken.id
        return f"<Attempt {name}, {self._size} of at most {self._size_most} bytes>"

    def started(self) -> None:
        """Its request is whole."""

    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        """Its request is whole."""

    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._status, self._headers = status, headers

    def body(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._size_most:
            self._refuse()

    def ended(self, taken: Inflight, outcome: Outcome) -> None:
        call = taken.call()
        if isinstance(outcome, Ok):
            if outcome.streamed:
                outcome = Ok(b"".join(self._parts), "", self._status, self._headers)
            elif len(outcome.body) > self._size_most:
                outcome = self._too_large()
        self._over(outcome, call)

    def _refuse(self) -> None:
        """More of it comes than may be kept: it ends here."""
        taken = self.taken
        assert taken is not None
        outcome = self._too_large()
        self._parts.clear()
        self._gateway.give_up(taken, ResponseTooLarge(outcome.message, outcome.hint))
        self._over(outcome, taken.call())

    def _too_large(self) -> Failed:
        return Failed(
            ResponseTooLarge.code,
            f"the function's answer is over the {self._size_most / (1 << 20):g} MB that are kept of one",
            "answer with less, or raise gateway.async.max_answer_mb",
        )

    def stop(self) -> None:
        """It is not wanted any more; nothing is said of its end."""
        if self.taken is not None and not self.taken.is_done:
            self._gateway.give_up(self.taken, CANCELLED)

"""What a sandbox may ask of its worker, and what it is told.

A question comes with an id of the sandbox's own and is about one invocation that runs there; the answer has both. What
the worker does not know is refused, and costs whoever asked no more than that.
"""

import json
from collections.abc import Callable
from typing import Any

from attacca.guest import channel as wire

ASK_MOST = 4096  # bytes of a question
UNHEARD_MOST = 64  # answered while the sandbox does not read


class NoAnswer(Exception):
    """Why there is none, for whoever asked."""


class Questions:
    """Those of one sandbox. `left_s`: how long a running invocation has until its time limit, or None."""

    def __init__(self, left_s: Callable[[int], float | None], send: Callable[[bytes], None]) -> None:
        self._left_s, self._send = left_s, send
        self._answered = self._refused = self._unheard = 0

    def __repr__(self) -> str:
        return f"<Questions {self._answered} answered, {self._refused} refused, {self._unheard} unheard>"

    def take(self, number: int, payload: bytes, *, is_deaf: bool) -> None:
        """
        Raises:
            NONSENSE: it is no question, or one of too many to somebody who does not listen.
        """
        asked, kind = wire.ASK_HEAD.unpack_from(payload)
        if len(payload) > ASK_MOST:
            raise ValueError("no question of ours")
        self._unheard = self._unheard + 1 if is_deaf else 0
        if self._unheard > UNHEARD_MOST:
            raise ValueError("it asks and does not listen")
        try:
            value, is_refused = self._answer(kind, number), False
            self._answered += 1
        except NoAnswer as error:
            value, is_refused = str(error), True
            self._refused += 1
        body = wire.ANSWERED_HEAD.pack(asked, is_refused) + json.dumps(value).encode()
        self._send(wire.HEAD.pack(len(body), wire.ANSWERED, number) + body)

    def _answer(self, kind: int, number: int) -> Any:
        if kind != wire.TIME_LEFT:
            raise NoAnswer(f"this worker answers no question of kind {kind}")
        left_s = self._left_s(number)
        if left_s is None:
            raise NoAnswer(f"no invocation {number} runs in this sandbox")
        return {"ms": round(max(left_s, 0.0) * 1e3)}

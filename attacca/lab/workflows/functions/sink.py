"""Logs of each event its number and how many milliseconds it took, once it has come from everybody."""

import time
from typing import Any


class Sink:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.needs = payload.json()["needs"]
        self.waiting: dict[bytes, int] = {}

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        number, sent, _ = message.split(b" ", 2)
        came = self.waiting[number] = self.waiting.get(number, 0) + 1
        if came == self.needs:
            del self.waiting[number]
            ctx.log(f"{number.decode()} {(time.time() - float(sent)) * 1e3:.3f}")

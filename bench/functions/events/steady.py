"""Sends so many numbered casts, 200 of them a second, whatever becomes of them."""

import time
from typing import Any

EVERY_S = 0.005


class Steady:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.left, self.sent, self.began = payload.json()["count"], 0, time.monotonic()
        ctx.delayed_cast(EVERY_S, "self")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        self.sent += 1
        ctx.cast("to", str(self.sent))
        if self.sent < self.left:
            due = self.began + (self.sent + 1) * EVERY_S
            ctx.delayed_cast(max(due - time.monotonic(), 0.0), "self")

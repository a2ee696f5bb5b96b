"""Sends an event every so often, on a schedule that does not wait for anybody: its number, and when it was sent."""

import time
from typing import Any


class Source:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        told = payload.json()
        self.interval_s, self.sent, self.began = told["interval_s"], 0, time.monotonic()
        self.rest = b" " + b"x" * told["bytes"]
        ctx.delayed_cast(self.interval_s, "self")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        self.sent += 1
        due = self.began + (self.sent + 1) * self.interval_s
        ctx.delayed_cast(max(due - time.monotonic(), 0.0), "self")
        ctx.cast("to", b"%d %.6f" % (self.sent, time.time()) + self.rest)

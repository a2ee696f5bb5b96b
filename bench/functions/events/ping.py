"""Sends so many casts, each when the one before has come back, and logs how long they took, in microseconds."""

import json
import time
from typing import Any

SETTLE_S = 2.5  # a worker that has just started something is careful for two seconds: it does not stay awake


class Ping:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        told = payload.json()
        self.left, self.body, self.at = told["count"], b"x" * told["bytes"], 0.0
        self.took: list[float] = []
        ctx.delayed_cast(SETTLE_S, "self")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        now = time.perf_counter()
        if message:
            self.took.append(now - self.at)
        if len(self.took) < self.left:
            self.at = time.perf_counter()
            ctx.cast("to", self.body)
        else:
            ctx.cast("log", json.dumps([one * 1e6 for one in self.took]))

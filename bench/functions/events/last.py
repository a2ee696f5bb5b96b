"""Logs how many casts per second it was sent, once all have come."""

import json
import time
from typing import Any


class Last:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.count, self.seen = payload.json()["count"], 0

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        if not self.seen:
            self.began = time.perf_counter()
        self.seen += 1
        if self.seen == self.count:
            ctx.cast("log", json.dumps([(self.count - 1) / (time.perf_counter() - self.began)]))

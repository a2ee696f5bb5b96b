"""Sends on what comes, with the time; whoever takes its place goes on with the count."""

import time
from typing import Any


class Stamp:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.seen = int(state or 0)

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        self.seen += 1
        ctx.cast("log", f"{message.text} {time.time():.6f} {self.seen}")

    def stop(self, ctx: Any) -> None:
        ctx.sync(str(self.seen))

"""Sends the same message again and again, with its number and who sends it. The number is its state."""

from typing import Any


class MessageGenerator:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        told = dict(part.split("=") for part in payload.text.split(","))
        self.message, self.period_s = told.get("message", "hello world"), float(told.get("period", 1000)) / 1000
        self.count = int(state or 0)
        ctx.cast("self")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        ctx.cast("output", f"from {ctx.self_id} [#{self.count}]: {self.message}")
        self.count += 1
        ctx.sync(str(self.count))
        ctx.delayed_cast(self.period_s, "self")

"""Says when a month has more carbon dioxide than any before. The highest that it has seen is its state."""

from typing import Any

MISSING = 0.0  # what is below was not measured


class Watch:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.highest = float(state or "inf")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        month, value = message.text.split()
        ppm = float(value)
        if ppm < MISSING:
            return
        if ppm > self.highest:
            ctx.cast("alarm", f"{month}: {value} ppm")
        if ppm > self.highest or self.highest == float("inf"):
            self.highest = ppm
            ctx.sync(value)

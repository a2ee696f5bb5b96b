"""Sends so many casts as fast as it is let."""

from typing import Any

SETTLE_S = 2.5  # a worker that has just started something is careful for two seconds: it does not stay awake


def init(ctx: Any, payload: Any, state: Any) -> None:
    ctx.delayed_cast(SETTLE_S, "self", payload)


def cast(ctx: Any, source: str, message: Any) -> None:
    told = message.json()
    body = b"x" * told["bytes"]
    for _ in range(told["count"]):
        ctx.cast("to", body)

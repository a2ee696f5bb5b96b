"""Sends so many casts as fast as it is let."""

from typing import Any


def init(ctx: Any, payload: Any, state: Any) -> None:
    ctx.delayed_cast(0.05, "self", payload)


def cast(ctx: Any, source: str, message: Any) -> None:
    told = message.json()
    body = b"x" * told["bytes"]
    for _ in range(told["count"]):
        ctx.cast("to", body)

"""Sends on what comes."""

from typing import Any


def cast(ctx: Any, source: str, message: Any) -> None:
    ctx.cast("to", message)

"""Sends back what comes, and answers with it."""

from typing import Any


def cast(ctx: Any, source: str, message: Any) -> None:
    ctx.cast("back", message)


def call(ctx: Any, source: str, message: Any) -> Any:
    return message

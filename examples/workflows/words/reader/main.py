"""Reads the text that lies beside it, and sends each line."""

from pathlib import Path
from typing import Any

TEXT = Path(__file__).parent / "text.txt"


def init(ctx: Any, payload: bytes | None, state: bytes | None) -> None:
    for line in TEXT.read_text().splitlines():
        ctx.cast("line", line)


def cast(ctx: Any, source: str, message: bytes) -> None: ...

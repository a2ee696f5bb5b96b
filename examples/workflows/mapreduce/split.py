"""Answers a text with its most frequent words: cut into pieces, which several count side by side, and added up."""

import asyncio
from collections import Counter
from typing import Any

LINES, SHOWN = 200, 10  # of a piece; words of the answer


async def call(ctx: Any, source: str, message: Any) -> dict[str, Any]:
    lines = message.json()["body"].splitlines()
    pieces = ["\n".join(lines[at : at + LINES]) for at in range(0, len(lines), LINES)]
    counts = await asyncio.gather(*(ctx.call("piece", piece) for piece in pieces))
    words: Counter[str] = sum((Counter(one.json()) for one in counts), Counter())
    frequent = sorted(words.items(), key=lambda one: (-one[1], one[0]))
    return {"pieces": len(pieces), "words": words.total(), "most": dict(frequent[:SHOWN])}

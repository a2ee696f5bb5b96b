"""Counts the words of a piece of text."""

import re
from collections import Counter
from typing import Any


def call(ctx: Any, source: str, message: Any) -> dict[str, int]:
    return Counter(re.findall(r"[a-z]+", message.text.lower()))

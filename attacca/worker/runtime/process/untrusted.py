"""What a user's code can say to us through a descriptor that it should leave alone, and how much of it is believed."""

import json
import struct
from typing import Any

NONSENSE = (LookupError, TypeError, ValueError, RecursionError, AttributeError, struct.error)
FOREVER_MS = 1e9
MOST = 1 << 20  # bytes of JSON


def milliseconds(told: Any) -> float:
    """
    Raises:
        TypeError, ValueError: it is no number.
    """
    took = float(told)
    return took if 0.0 <= took < FOREVER_MS else 0.0


def read_json(raw: bytes) -> Any:
    """
    Raises:
        ValueError, RecursionError: it is none, or it would take long to read.
    """
    if len(raw) > MOST:
        raise ValueError("too long")
    return json.loads(raw)

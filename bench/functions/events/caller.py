"""Makes so many calls, one after the other, and logs how long they took, in microseconds."""

import json
import time
from typing import Any

SETTLE_S = 2.5  # a worker that has just started something is careful for two seconds: it does not stay awake


def init(ctx: Any, payload: Any, state: Any) -> None:
    ctx.delayed_cast(SETTLE_S, "self", payload)


def cast(ctx: Any, source: str, message: Any) -> None:
    told = message.json()
    body, took = b"x" * told["bytes"], []
    for _ in range(told["count"]):
        began = time.perf_counter()
        ctx.call("to", body)
        took.append(time.perf_counter() - began)
    ctx.cast("log", json.dumps([one * 1e6 for one in took]))

"""What stands for InVitro's image: computes for as long as a header says, and answers as the loader wants it."""

import math
import platform
import time
from typing import Any

BATCH = 2000  # square roots between two looks at the clock


def handler(event: dict[str, Any], context: Any) -> dict[str, object]:
    asked = {name.lower(): value for name, value in event["headers"].items()}
    began = time.perf_counter()
    if asked.get("workload", "trace") != "empty":
        work(float(asked.get("requested_cpu") or 0), float(asked.get("io_percentage") or 0))
    return {
        "Status": "OK",
        "Function": asked.get("function", context.function_name),
        "MachineName": platform.node(),
        "ExecutionTime": int((time.perf_counter() - began) * 1e6),
    }


def work(milliseconds: float, io_percentage: float) -> None:
    """Time of a processor, not of the clock: whoever has less of it takes longer. The share of io is slept."""
    waiting = milliseconds * min(max(io_percentage, 0), 100) / 100
    end = time.thread_time() + (milliseconds - waiting) / 1e3
    while time.thread_time() < end:
        for number in range(BATCH):
            math.sqrt(number)
    time.sleep(waiting / 1e3)

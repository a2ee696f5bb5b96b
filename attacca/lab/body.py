"""What a function of a scenario does when it is run live: it is busy, sleeps, holds memory or writes, for so long.

This file is deployed as it is, under the name of each function. It says how many turns of its loop make a millisecond
where it runs (`calibrate`), and is then told how many milliseconds to spend.
"""

import os
import tempfile
import time

BLOCK = 64 * 1024
PAGE = 4096
SLICE_MS = 1.0  # of computing, until it looks how much is left
CALIBRATION_ROUNDS, CALIBRATION_TURNS = 9, 200_000


def main(args: dict[str, object]) -> dict[str, float]:
    if "calibrate" in args:
        return {"per_ms": calibrate()}
    began, spent_s = time.monotonic(), time.process_time()  # noqa: TID251 - it runs in a sandbox
    ms, per_ms = _number(args, "ms"), _number(args, "per_ms")
    held = hold(int(_number(args, "mb")))
    match args.get("kind"):
        case "sleep":
            time.sleep(ms / 1000)  # noqa: TID251 - it is what a function of this kind does
        case "io":
            write(ms / 1000)
        case _:
            computing_s = ms / 1000 * _number(args, "busy", 1.0)
            compute(spent_s + computing_s, per_ms)
            if computing_s < ms / 1000:
                time.sleep(ms / 1000 - computing_s)  # noqa: TID251 - it runs in a sandbox
    del held
    return {"began": began, "cpu_s": time.process_time() - spent_s}


def compute(until_s: float, per_ms: float) -> None:
    """Until so much of a core's time is used up: where others slow the core down, it is kept for longer."""
    while (left_ms := (until_s - time.process_time()) * 1000) > 0.0:
        spin(int(min(left_ms, SLICE_MS) * per_ms) + 1)


def spin(turns: int) -> int:
    """Work that only a core can do, in no memory."""
    value = 1
    for _ in range(turns):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


def calibrate() -> float:
    """Turns of the loop in a millisecond of a core's time: the median of several rounds."""
    took = []
    for _ in range(CALIBRATION_ROUNDS):
        began = time.process_time()
        spin(CALIBRATION_TURNS)
        took.append(time.process_time() - began)
    return CALIBRATION_TURNS / sorted(took)[CALIBRATION_ROUNDS // 2] / 1000


def hold(memory_mb: int) -> bytearray:
    """So many megabytes, each page of them touched."""
    held = bytearray(memory_mb * 1024 * 1024)
    for at in range(0, len(held), PAGE):
        held[at] = 1
    return held


def write(seconds: float) -> None:
    """Block after block, each of them brought to the disk."""
    block, until = os.urandom(BLOCK), time.monotonic() + seconds  # noqa: TID251 - it runs in a sandbox
    with tempfile.TemporaryFile() as file:
        while time.monotonic() < until:  # noqa: TID251 - it runs in a sandbox
            file.seek(0)
            file.write(block)
            file.flush()
            os.fsync(file.fileno())


def _number(args: dict[str, object], name: str, default: float = 0.0) -> float:
    value = args.get(name, default)
    return float(value) if isinstance(value, int | float) else default

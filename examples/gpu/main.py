"""The principal components of what is sent: on an accelerator where the sandbox has one, else on the processor."""

import json
import os
import time
from typing import Any

import numpy as np

LARGEST = 4_000_000  # numbers


def library() -> tuple[Any, str]:
    """What computes, and where. CuPy has numpy's functions; it has to be among the requirements to be used."""
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        try:
            import cupy

            cupy.cuda.runtime.getDeviceCount()
        except (ImportError, RuntimeError) as error:  # there is no CuPy, or no driver: the processor can do it too
            print(f"no accelerator after all: {error}")
        else:
            return cupy, os.environ["CUDA_VISIBLE_DEVICES"]
    return np, "cpu"


XP, WHERE = library()


def main(args: dict[str, Any]) -> dict[str, Any]:
    """{"rows": [[...], ...], "count": 2} or {"shape": [1000, 100], "seed": 1}
    -> {"components", "explained", "where", "ms"}."""
    data = given(args)
    if isinstance(data, str):
        return refuse(data)
    count = min(int(args.get("count", 2)), *data.shape)
    began = time.perf_counter()
    components, explained = principal(data, count)
    return {
        "components": components,
        "explained": explained,  # the share of the variance, of each
        "where": WHERE,
        "ms": round((time.perf_counter() - began) * 1e3, 3),
    }


def given(args: dict[str, Any]) -> Any:
    """A table of numbers; or what is wrong with it."""
    if "shape" in args:
        rows, columns = (int(size) for size in args["shape"])
        if min(rows, columns) < 1 or rows * columns > LARGEST:
            return f"shape must have two sizes of at least 1, and {LARGEST:,} numbers at most"
        return np.random.default_rng(args.get("seed", 1)).normal(size=(rows, columns))
    try:
        data = np.asarray(args["rows"], dtype=float)
    except (KeyError, TypeError, ValueError):
        return "send rows, a list of lists of numbers that are equally long, or shape, two sizes"
    if data.ndim != 2 or not data.size or not np.isfinite(data).all():
        return "rows must be a table of finite numbers"
    return data


def principal(data: Any, count: int) -> tuple[list[list[float]], list[float]]:
    centred = XP.asarray(data) - XP.asarray(data).mean(axis=0)
    _, sizes, directions = XP.linalg.svd(centred, full_matrices=False)
    whole = float((sizes**2).sum()) or 1.0
    signs = XP.where(directions[:count].sum(axis=1, keepdims=True) < 0, -1.0, 1.0)  # so that the answer is one
    return (signs * directions[:count]).tolist(), (sizes[:count] ** 2 / whole).tolist()


def refuse(why: str) -> dict[str, Any]:
    body = json.dumps({"error": {"code": "bad_data", "message": why}})
    return {"statusCode": 422, "headers": {"content-type": "application/json"}, "body": body}

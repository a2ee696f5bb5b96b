"""Solve the linear system a x = b, and say how far the answer can be trusted."""

import json
from typing import Any

import numpy as np


def main(args: dict[str, Any]) -> dict[str, Any]:
    """{"a": [[...], ...], "b": [...]} -> {"x", "residual", "condition", "digits"}."""
    try:
        a = np.asarray(args["a"], dtype=float)
        b = np.asarray(args["b"], dtype=float)
    except KeyError as missing:
        return refuse("missing", f"{missing} is missing; send both a (a square matrix) and b (a vector)")
    except (TypeError, ValueError) as error:
        return refuse("not_numbers", f"a and b must hold numbers, and the rows of a be equally long: {error}")
    if a.ndim != 2 or a.shape[0] != a.shape[1] or b.shape != a.shape[:1] or not a.size:
        return refuse("shape", f"a must be square and b as long as it; a is {list(a.shape)}, b is {list(b.shape)}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return refuse("not_finite", "a and b must be finite")
    return solve(a, b)


def solve(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> dict[str, Any]:
    condition = float(np.linalg.cond(a))
    rank = int(np.linalg.matrix_rank(a))
    if rank < len(b):
        return refuse("singular", f"a is singular (rank {rank} of {len(b)}): no x, or more than one, solves it")
    x = np.linalg.solve(a, b)
    return {
        "x": x.tolist(),
        "residual": float(np.linalg.norm(a @ x - b) / (np.linalg.norm(b) or 1.0)),  # relative to b
        "condition": condition,
        "digits": max(0, int(-np.log10(condition * np.finfo(float).eps))),  # decimal digits of x that are safe
    }


def refuse(code: str, why: str) -> dict[str, Any]:
    body = json.dumps({"error": {"code": code, "message": why}})
    return {"statusCode": 422, "headers": {"content-type": "application/json"}, "body": body}

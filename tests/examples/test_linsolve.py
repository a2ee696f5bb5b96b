"""The linear solver: answers that hold, trust that is earned, and refusals that say why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.linsolve.main import main

LADDER = json.loads((Path(__file__).parents[2] / "examples/linsolve/input/ladder.json").read_text())


def refused(args: dict[str, Any]) -> str:
    answer = main(args)
    assert answer["statusCode"] == 422
    return str(json.loads(answer["body"])["error"]["code"])


def test_the_resistor_ladder() -> None:
    answer = main(LADDER)
    assert answer["residual"] < 1e-14
    volts = np.array(answer["x"])
    assert np.allclose(np.array(LADDER["a"]) @ volts, LADDER["b"])
    # What flows in is what the eight rungs carry to ground: their conductances are what the rows sum to.
    assert np.array(LADDER["a"]).sum(axis=1) @ volts == pytest.approx(3.0)
    assert volts.argmax() == 0


def test_two_by_two_by_hand() -> None:
    answer = main({"a": [[2, 1], [1, 3]], "b": [3, 5]})
    assert answer["x"] == pytest.approx([0.8, 1.4])
    assert answer["condition"] == pytest.approx((5 + 5**0.5) / (5 - 5**0.5))


def test_a_nearly_singular_matrix_is_solved_but_not_trusted() -> None:
    hilbert = [[1 / (i + j + 1) for j in range(8)] for i in range(8)]
    answer = main({"a": hilbert, "b": [1.0] * 8})
    assert answer["condition"] > 1e9
    assert answer["digits"] <= 6


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=3), st.lists(st.integers(-9, 9), min_size=9, max_size=9))
def test_a_diagonally_dominant_system_gives_back_its_x(x: list[int], entries: list[int]) -> None:
    a = np.array(entries, dtype=float).reshape(3, 3) + 40 * np.eye(3)
    answer = main({"a": a.tolist(), "b": (a @ np.array(x)).tolist()})
    assert answer["x"] == pytest.approx(x, abs=1e-9)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"a": [[1, 2], [2, 4]], "b": [1, 2]}, "singular"),
        ({"a": [[0]], "b": [0]}, "singular"),
        ({"a": [[1]]}, "missing"),
        ({"a": [[1, 2]], "b": [1]}, "shape"),
        ({"a": [], "b": []}, "shape"),
        ({"a": [[1, 2], [3]], "b": [1, 2]}, "not_numbers"),
        ({"a": [["x"]], "b": [1]}, "not_numbers"),
        ({"a": [[float("nan")]], "b": [1]}, "not_finite"),
    ],
)
def test_refusals(args: dict[str, Any], code: str) -> None:
    assert refused(args) == code

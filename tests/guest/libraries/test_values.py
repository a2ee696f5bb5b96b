"""What functions return of the libraries that they bring."""

import datetime as dt
import uuid
from typing import Any

import numpy
import polars
import pydantic
import pytest

from attacca.guest.answers import Unsendable, encode
from tests.guest.test_values import DAY, ZERO, written


class Order(pydantic.BaseModel):
    id: uuid.UUID
    at: dt.date


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Order(id=ZERO, at=DAY), f'{{"id": "{ZERO}", "at": "2024-01-02"}}'),
        (numpy.float32(0.5), "0.5"),
        (numpy.int64(7), "7"),
        (numpy.bool_(True), "true"),  # noqa: FBT003
        (numpy.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (polars.DataFrame({"a": [1, 2]}), '[{"a": 1}, {"a": 2}]'),
        (polars.Series([1, 2]), "[1, 2]"),
    ],
)
def test_what_json_does_not_know_is_written_as_what_it_says(value: Any, found: str) -> None:
    assert written([value]) == f"[{found}]"
    assert written({"v": value}) == f'{{"v": {found}}}'
    assert written(value) == found


def test_what_nobody_could_read_is_refused() -> None:
    with pytest.raises(Unsendable, match="not JSON compliant"):
        encode({ZERO: numpy.array([float("nan")])})

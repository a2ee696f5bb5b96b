"""Tables that are one test: every case is tried, the first that fails is named, and fixtures come as to any test."""

import inspect
from pathlib import Path

import pytest

from tests.cases import each


def test_every_case_is_tried_and_what_fails_is_named() -> None:
    seen: list[int] = []

    @each("left, right", [(1, 1), (2, 2), (3, 4), (5, 5)])
    def are_equal(left: int, right: int) -> None:
        seen.append(left)
        assert left == right

    with pytest.raises(AssertionError) as failed:
        are_equal()
    assert seen == [1, 2, 3]
    assert failed.value.__notes__ == ["case 2: left, right = (3, 4)"]


def test_what_is_not_raised_is_named_too() -> None:
    @each("text", ["x", "1"])
    def is_no_number(text: str) -> None:
        with pytest.raises(ValueError, match=text):
            int(text)

    with pytest.raises(pytest.fail.Exception) as failed:
        is_no_number()
    assert failed.value.__notes__ == ["case 1: text = '1'"]


def test_a_table_without_cases_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no cases of text"):
        each("text", [])


def test_each_case_has_a_directory_of_its_own(tmp_path: Path) -> None:
    @each("name", ["a", "b"])
    def is_alone(name: str, tmp_path: Path) -> None:
        (tmp_path / name).touch()
        assert [path.name for path in tmp_path.iterdir()] == [name]

    assert list(inspect.signature(is_alone).parameters) == ["tmp_path"]
    is_alone(tmp_path=tmp_path)

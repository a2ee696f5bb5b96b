"""The list of what EDGELESS does names tests that there are."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.workflow.checklist import ROWS

ROOT = Path(__file__).parents[2]
ALONE = ("tests/live/edgeless/",)  # which `make edgeless` names, file by file


@cache
def named_in(file: str) -> frozenset[str]:
    """Those that pytest collects when it is given the file."""
    path = ROOT / file
    body = ast.parse(path.read_text()).body if path.is_file() else []
    return frozenset(one.name for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))


def complaint(test: str) -> str:
    file, _, name = test.partition("::")
    script = (ROOT / "scripts" / "edgeless.sh").read_text()
    is_run = file in script if file.startswith(ALONE) else Path(file).name.startswith("test_")
    if not is_run:
        return f"{file} is not among what is run"
    return "" if name in named_in(file) else f"{file} has no {name}"


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_each_of_its_tests_is_there(row: tuple[str, str, tuple[str, ...]]) -> None:
    there, here, tests = row
    assert tests, there
    assert here
    assert not [said for test in tests if (said := complaint(test))]


def test_what_is_not_there_is_found() -> None:
    assert (
        complaint("tests/house/test_checklist.py::test_nothing") == "tests/house/test_checklist.py has no test_nothing"
    )
    assert complaint("tests/house/checklist.py::test_x") == "tests/house/checklist.py is not among what is run"
    assert complaint("tests/live/edgeless/none.py::test_x") == "tests/live/edgeless/none.py is not among what is run"
    assert complaint("tests/house/test_none.py::test_x") == "tests/house/test_none.py has no test_x"

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.control.config import ArchiveLimits
from attacca.control.core.archive import Intake, Item
from attacca.errors import AttaccaError, BadRequest, PayloadTooLarge
from tests.cases import each

LIMITS = ArchiveLimits(unpacked_mb=1, entries=5, path_bytes=40, depth=4)


def take(*paths: str, kind: str = "file", size: int = 1) -> list[str | None]:
    intake = Intake(LIMITS)
    return [intake.take(Item(path, kind, size)) for path in paths]


def test_files_are_taken_under_clean_paths() -> None:
    assert take("main.py", "./a/b.py", "a//c.py") == ["main.py", "a/b.py", "a/c.py"]
    assert take("x" * 40, "a/b/c/d") == ["x" * 40, "a/b/c/d"]


def test_directories_and_what_no_function_needs_are_passed_over() -> None:
    assert take("a/", ".", "./", kind="directory") == [None, None, None]
    assert take("a/__pycache__/b.txt", "a/b.pyc", ".git/config", "x/.venv/y") == [None] * 4


@each(
    "path",
    ["/etc/passwd", "../a", "a/../../b", "a/..", "a\\b", "a\nb", "a\x00b", "a\x7f", "\udcff", "x" * 41, "a/b/c/d/e"],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        take(path)


@pytest.mark.parametrize("kind", ["link", "device or pipe", "sparse file"])
def test_only_files_and_directories_are_taken(kind: str) -> None:
    with pytest.raises(BadRequest, match=kind):
        take("a", kind=kind)


@pytest.mark.parametrize("paths", [("a", "./a"), ("a", "a/b"), ("a/b", "a")])
def test_nothing_is_written_twice(paths: tuple[str, str]) -> None:
    with pytest.raises(BadRequest, match="twice"):
        take(*paths)


def test_limits_count_everything_also_what_is_passed_over() -> None:
    with pytest.raises(PayloadTooLarge, match="5 entries"):
        take(*(f"x{n}.pyc" for n in range(6)))
    with pytest.raises(PayloadTooLarge, match="1 MB"):
        take("a.pyc", "b.pyc", size=600_000)
    with pytest.raises(BadRequest, match="negative"):
        take("a", size=-1)


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(st.text("ab./\\\x00é", max_size=8), max_size=4))
def test_whatever_is_taken_stays_inside(paths: list[str]) -> None:
    intake = Intake(LIMITS)
    for path in paths:
        try:
            taken = intake.take(Item(path, "file", 1))
        except AttaccaError:
            continue
        assert taken is None or (taken and not taken.startswith("/") and ".." not in taken.split("/"))

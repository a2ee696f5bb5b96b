import pytest

from attacca.control.core.packages.poetry import Unknown, requirement, versions
from tests.cases import each


@each(
    "asked, written",
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1.2", ">=1.2,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.3", "==1.2.3"),
        ("1.*", "==1.*"),
        ("*", ""),
        (">=1.2, <2", ">=1.2,<2"),
        ("~=1.2", "~=1.2"),
    ],
)
def test_versions_mean_the_same_for_everyone(asked: str, written: str) -> None:
    assert versions(asked) == written


def test_a_table_has_extras_and_markers() -> None:
    assert requirement("uvicorn", {"version": "^0.30", "extras": ["standard"]}) == "uvicorn[standard]>=0.30,<0.31"
    assert requirement("x", {"version": "*", "python": ">=3.8,<4"}) == (
        "x ; python_full_version >= '3.8' and python_full_version < '4'"
    )
    assert requirement("x", {"version": "1", "python": "^3.8", "markers": "os_name == 'posix'"}) == (
        "x==1 ; python_full_version >= '3.8' and python_full_version < '4' and (os_name == 'posix')"
    )
    assert requirement("x", {"version": "1", "optional": True}) is None


@each(
    "asked",
    [{"git": "https://h/x"}, {"path": "../x"}, {"version": "1", "source": "own"}, ["^1"], 3, "^1 || ^2", "new"],
)  # fmt: skip
def test_what_nobody_else_can_say_is_unknown(asked: object) -> None:
    with pytest.raises(Unknown):
        requirement("x", asked)

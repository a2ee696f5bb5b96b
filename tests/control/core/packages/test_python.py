from attacca.control.core.packages.python import holds
from tests.cases import each


@each(
    "required, is_met",
    [
        (">=3.11", True),
        (">=3.11,<4", True),
        (">= 3.8 , < 3.13,", True),
        (">=3.12", False),
        ("<3.11", False),
        ("<=3.11", False),  # 3.11.7 is more
        ("==3.11.*", True),
        ("!=3.11.*", False),
        ("!=3.11.0", True),
        ("==3.11.7", True),
        ("~=3.11", True),
        ("~=3.8", True),
        ("~=3.10.2", False),
        (">3.11.7rc1", False),
        ("^3.11", None),
        ("3.11", None),
        ("", None),
        ("~=3", None),
        (">=3." * 100, None),
        (f">={'9' * 150}", False),
    ],
)
def test_a_python_is_one_of_those_that_are_asked_for_or_not(required: str, is_met: bool | None) -> None:  # noqa: FBT001
    assert holds(required, "3.11.7") is is_met

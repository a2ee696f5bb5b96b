import pytest

from attacca.control.core.packages.failure import hint
from tests.cases import each

HERE = "CPython 3.11 on linux-x86_64"
PIP = """ERROR: Could not find a version that satisfies the requirement docopt==0.6.2 (from versions: none)
ERROR: No matching distribution found for docopt==0.6.2"""
UV = """error: No solution found when resolving dependencies
  cause: Because docopt==0.6.2 has no usable wheels and you require docopt==0.6.2, we can conclude that"""
GCC = """      error: command 'gcc' failed: No such file or directory
  ERROR: Failed building wheel for uwsgi
ERROR: Failed to build installable wheels for some pyproject.toml based projects (uwsgi)"""
HEADER = """      psycopg/psycopgmodule.c:29:10: fatal error: Python.h: No such file or directory
  ERROR: Failed building wheel for psycopg2"""
PG = """      Error: pg_config executable not found.
  x Failed to build `psycopg2==2.9.9`"""
RUST = "  error: can't find Rust compiler\nERROR: Failed to build tokenizers"


@pytest.mark.parametrize("said", [PIP, UV])
def test_a_package_without_a_wheel_is_named_with_this_python(said: str) -> None:
    what, then = hint(said.splitlines(), "pip", HERE, from_source=False)
    assert what.startswith("docopt==0.6.2 has no wheel for CPython 3.11 on linux-x86_64")
    assert "--allow-source-builds" in then
    assert "--allow-source-builds" not in hint(said.splitlines(), "pip", HERE, from_source=True)[1]


@each(
    "wanted, ignored, what",
    [
        (
            "django<6.1,>=6.0",
            "5.0 Requires-Python >=3.10; 6.0 Requires-Python >=3.12",
            "django 6.0 requires Python >=3.12",
        ),
        ("numpy==1.21.2", "1.21.2 Requires-Python >=3.7,<3.11", "numpy 1.21.2 requires Python >=3.7,<3.11"),
        ("numpy~=1.21.0", "1.21.2 Requires-Python <3.11", "numpy 1.21.2 requires Python <3.11"),
        ("numpy==1.21.*", "1.21.2 Requires-Python <3.11", "numpy 1.21.2 requires Python <3.11"),
        (
            "numpy[x]!=1.21.2,>1.20",
            "1.21.2 Requires-Python <3; 1.22 Requires-Python <3.11",
            "numpy 1.22 requires Python <3.11",
        ),
        ("sqlalchemy<1.3,>=1.2", "1.7 Requires-Python <3.9", ""),  # of another package
        ("nothing", "1.7 Requires-Python <3.9", ""),
        ("odd==1.0rc1", "1.0rc1 Requires-Python <3.9; 1.0 Requires-Python <3.9", ""),
    ],
)
def test_a_version_that_is_for_another_python_is_told_from_one_without_a_wheel(
    wanted: str, ignored: str, what: str
) -> None:
    said = [
        f"ERROR: Ignored the following versions that require a different python version: {ignored}",
        f"ERROR: No matching distribution found for {wanted}",
    ]
    found, then = hint(said, "pip", HERE, from_source=False)
    assert found == (
        f"{what}, and this server runs functions with {HERE}"
        if what
        else f"{wanted} has no wheel for {HERE}, or does not exist"
    )
    assert ("such a Python" in then) is bool(what)


def test_uv_says_itself_that_it_is_for_another_python() -> None:
    said = """  x No solution found when resolving dependencies:
      Because the current Python version (3.11.7) does not satisfy Python>=3.12 and django==6.0 depends on Python>=3.12,
      we can conclude that django==6.0 cannot be used."""
    what, then = hint(said.splitlines(), "uv", HERE, from_source=True)
    assert what == f"django==6.0 requires Python >=3.12, and this server runs functions with {HERE}"
    assert "such a Python" in then


@each(
    "said, package, missing, debian",
    [
        (GCC, "uwsgi", "gcc", "build-essential"),
        (HEADER, "psycopg2", "Python.h", "python3-dev"),
        (PG, "psycopg2==2.9.9", "pg_config", "libpq-dev"),
        (RUST, "tokenizers", "cargo", "cargo"),
        ("error: command '/usr/local/bin/cc' failed: No such file or directory", "a package", "cc", "build-essential"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", "a package", "cmake", ""),
        ("  fatal error: 'libfoo/foo.h' file not found", "a package", "libfoo/foo.h", ""),
    ],
)
def test_what_a_build_lacks_is_named(said: str, package: str, missing: str, debian: str) -> None:
    what, then = hint(said.splitlines(), "uv", HERE, from_source=True)
    assert what == f"{package} has to be compiled, and {missing} is missing on the server"
    assert ("apt install" in then) is bool(debian)
    assert debian in then


def test_what_has_a_twin_with_wheels_is_named() -> None:
    said = ["ERROR: No matching distribution found for psycopg2==2.9.2"]
    assert "require psycopg2-binary" in hint(said, "pip", HERE, from_source=False)[1]
    said = ["ERROR: No matching distribution found for uwsgi==2.0.22"]
    assert hint(said, "pip", HERE, from_source=False)[1].startswith("leave it out")


@pytest.mark.parametrize(
    ("offered", "then"),
    [
        ("2.9.2, 2.9.3, 2.9.5rc1, 2.9.5, 2.9.6", "or require psycopg2-binary==2.9.5, which has one; what"),
        ("2.8", "or choose a version that has a wheel; what"),
        ("none", "or choose a version that has a wheel; what"),
    ],
)
def test_the_next_version_with_a_wheel_is_named(offered: str, then: str) -> None:
    said = [
        "ERROR: Could not find a version that satisfies the requirement psycopg2-binary==2.9.3 "
        f"(from versions: {offered})",
        "ERROR: No matching distribution found for psycopg2-binary==2.9.3",
    ]
    assert then in hint(said, "pip", HERE, from_source=False)[1]


def test_an_index_that_is_not_reached_is_no_missing_package() -> None:
    said = ["WARNING: Retrying after connection broken by 'NewConnectionError'", *PIP.splitlines()]
    assert "PIP_INDEX_URL" in hint(said, "pip", HERE, from_source=False)[1]
    assert "UV_DEFAULT_INDEX" in hint(["error: Failed to fetch: `https://h/x/`"], "uv", HERE, from_source=False)[1]


def test_what_is_not_understood_has_a_hint_all_the_same() -> None:
    assert hint(["boom"], "pip", HERE, from_source=False) == ("", "correct what is required, and deploy again")
    assert hint(["/py: No module named pip"], "pip", HERE, from_source=False)[1].endswith("ensurepip")
    nowhere = "Because nosuch was not found in the package registry and you require nosuch, we can conclude"
    assert hint([nowhere], "uv", HERE, from_source=False)[1] == "check the name"


@pytest.mark.long
def test_long_lines_take_no_long_time() -> None:
    hint(["x" * 4096] * 300, "pip", HERE, from_source=True)

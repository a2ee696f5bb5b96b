import pytest

from attacca.control.core.packages.project import Declared, expect_python, read_pyproject, read_script
from attacca.errors import BadRequest
from tests.cases import each

SCRIPT = """#!/usr/bin/env -S uv run
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "idna==3.7",
#   "requests",  # by name
# ]
# ///
import idna
"""


def lines(declared: Declared | None) -> list[str]:
    assert declared is not None
    return [entry.line for entry in declared.entries]


def test_the_dependencies_of_a_project_are_read_with_their_lines() -> None:
    found = read_pyproject(
        '[project]\nname = "shop"\nrequires-python = ">=3.11"\ndependencies = [\n'
        '  "idna==3.7",\n  "x[a]>=1 ; os_name == \'posix\'",\n]\n'
        '[project.optional-dependencies]\nlab = ["numpy"]\n[dependency-groups]\ndev = ["pytest"]\n'
    )
    assert lines(found) == ["idna==3.7", "x[a]>=1 ; os_name == 'posix'"]
    assert [entry.where for entry in found.entries] == ["pyproject.toml, line 5", "pyproject.toml, line 6"]
    assert found.python == ">=3.11"
    assert found.notes == (
        "pyproject.toml: optional-dependencies and dependency-groups are not installed, dependencies are",
    )


@pytest.mark.parametrize("text", ["", "[tool.ruff]\nline-length = 120\n", '[project]\nname = "x"\nversion = "1"\n'])
def test_a_file_that_says_nothing_of_it_leaves_the_question_open(text: str) -> None:
    assert not read_pyproject(text).says_something()


@each(
    "table, files",
    [
        ('[tool.setuptools.dynamic]\ndependencies = {file = ["a.txt", "b.txt"]}', ("a.txt", "b.txt")),
        ('[tool.setuptools.dynamic]\ndependencies = {file = "a.txt"}', ("a.txt",)),
        ('[tool.hatch.metadata.hooks.requirements_txt]\nfiles = ["a.txt"]', ("a.txt",)),
        ("", ()),
    ],
)
def test_dynamic_dependencies_lie_in_files_or_nowhere_to_be_found(table: str, files: tuple[str, ...]) -> None:
    found = read_pyproject(f'[project]\nname = "x"\ndynamic = ["version", "dependencies"]\n{table}\n')
    assert found.files == files
    assert bool(found.notes) is not bool(files)


def test_what_poetry_requires_is_written_anew() -> None:
    found = read_pyproject(
        '[tool.poetry.dependencies]\npython = "^3.9"\nidna = "^3.7"\nx = {version = "*", optional = true}\n'
    )
    assert lines(found) == ["idna>=3.7,<4"]
    assert found.python == ">=3.9,<4"


def test_the_index_that_stands_in_for_the_public_one_is_kept() -> None:
    found = read_pyproject(
        '[project]\ndependencies = ["x"]\n[[tool.uv.index]]\nurl = "https://h/simple"\ndefault = true\n'
        '[[tool.uv.index]]\nurl = "https://g/simple"\nexplicit = true\n'
    )
    assert lines(found) == ["--index-url https://h/simple", "x"]


@each(
    "text, said",
    [
        ("[project\n", "not valid TOML: .*line 1"),
        ("x = " + "[" * 5000, "not valid TOML|too deeply"),
        ('[project]\ndependencies = "idna"', "no list of texts"),
        ("[project]\ndependencies = [1]", "no list of texts"),
        ("[project.dependencies]\nidna = '3'", "no list of texts"),
        ('[project]\ndependencies = ["-r /etc/passwd"]', "line 2: '-r /etc/passwd' is not the name"),
        ('[project]\ndependencies = ["own"]\n[tool.uv.sources]\nOwn = {path = "../own"}', "own comes from elsewhere"),
        ('[project]\ndependencies = ["x"]\n[[tool.uv.index]]\nurl = "https://h/simple"', "second index"),
        ('[tool.poetry.dependencies]\nx = {git = "https://h/x"}', "tool.poetry.dependencies.x: 'git'"),
        ("[tool.poetry.dependencies]\n\"-r x\" = '*'", "not the name"),
        ("[tool.poetry.dependencies]\nx = '*'\n[[tool.poetry.source]]\nname='a'\nurl='https://h'", "source is"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_from_an_index_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_pyproject(text)


def test_the_header_of_a_script_is_read() -> None:
    found = read_script(SCRIPT, "main.py")
    assert found is not None
    assert lines(found) == ["idna==3.7", "requests"]
    assert [entry.where for entry in found.entries] == ["main.py, line 5", "main.py, line 6"]
    assert found.python == ">=3.9"
    assert lines(read_script(SCRIPT.replace("\n", "\r\n"), "main.py")) == ["idna==3.7", "requests"]


@each(
    "text",
    ["", "import idna\n", "# /// script\nimport idna\n# ///\n", "# /// script\n# dependencies = []\n",
     "x = '''\n # /// script\n'''", "# /// other\n# dependencies = ['x']\n# ///\n"],
)  # fmt: skip
def test_what_is_no_header_is_a_comment(text: str) -> None:
    assert read_script(text, "main.py") is None


def test_a_header_ends_at_the_last_of_its_marks_and_there_is_one() -> None:
    assert lines(read_script("# /// script\n# dependencies = ['a']\n# y = '''\n# ///\n# '''\n# ///", "m.py")) == ["a"]
    with pytest.raises(BadRequest, match="2 headers"):
        read_script(SCRIPT + SCRIPT, "main.py")
    with pytest.raises(BadRequest, match=r"header of main\.py is not valid TOML"):
        read_script("# /// script\n# dependencies = [\n# ///\n", "main.py")


def test_another_python_is_refused_with_both_versions() -> None:
    declared = Declared("pyproject.toml", python=">=3.12")
    with pytest.raises(BadRequest, match=r"'>=3\.12'.* with 3\.11\.7"):
        expect_python(declared, "3.11.7")
    expect_python(declared, "3.12.0")
    expect_python(Declared("pyproject.toml", python="whatever"), "3.11.7")

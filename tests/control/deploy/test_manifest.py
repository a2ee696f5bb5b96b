import codecs
from pathlib import Path

import pytest

from attacca.control.deploy.manifest import Found, find
from attacca.errors import BadRequest
from tests.cases import each

PROJECT = '[project]\nname = "x"\nrequires-python = ">=3.8"\ndependencies = ["from-project"]\n'
HEADER = "# /// script\n# dependencies = ['from-header']\n# ///\n"


def found(directory: Path, files: dict[str, str | bytes]) -> Found:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return find(directory, "3.11.7", allow_source_builds=False)


def lines(directory: Path, files: dict[str, str | bytes]) -> list[str]:
    required = found(directory, files).requirements
    return [] if required is None else list(required.lines)


@each(
    "files, required, note",
    [
        ({}, [], ""),
        ({"requirements.txt": "a"}, ["a"], ""),
        ({"requirements.txt": "a", "pyproject.toml": PROJECT}, ["a"], "pyproject.toml is not read"),
        ({"requirements.txt": "a", "pyproject.toml": "[tool.ruff]"}, ["a"], ""),
        ({"requirements.txt": "a", "pyproject.toml": "[broken"}, ["a"], ""),
        ({"requirements.txt": "a", "Pipfile": ""}, ["a"], ""),
        ({"pyproject.toml": PROJECT, "main.py": HEADER}, ["from-project"], "pyproject.toml says what is required"),
        ({"pyproject.toml": PROJECT, "uv.lock": ""}, ["from-project"], "uv.lock is not read"),
        ({"pyproject.toml": "[tool.ruff]", "main.py": HEADER}, ["from-header"], "main.py says"),
        ({"main.py": HEADER}, ["from-header"], "main.py says"),
        ({"task.py": HEADER, "other.py": ""}, ["from-header"], "task.py says"),
        ({"main.py": "", "tool.py": HEADER}, [], ""),
        ({"sub/main.py": HEADER}, [], ""),
        ({"Pipfile": "", "Pipfile.lock": ""}, [], "Pipfile.lock is not read, requirements.txt is: pipenv requirements"),
        ({"setup.py": ""}, [], "setup.py is not read"),
        ({"environment.yml": ""}, [], "environment.yml is not read"),
        ({"requirements/base.txt": "a"}, [], "requirements/base.txt is not read"),
        ({"pyproject.toml": '[project]\ndynamic = ["dependencies"]'}, [], "its dependencies are dynamic"),
        (
            {
                "pyproject.toml": '[project]\ndynamic=["dependencies"]\n[tool.setuptools.dynamic]\n'
                'dependencies={file="r/a.txt"}',
                "r/a.txt": "-r b.txt",
                "r/b.txt": "b",
            },
            ["b"],
            "pyproject.toml says",
        ),
        (
            {"requirements.txt": "-e .\na", "pyproject.toml": PROJECT},
            ["a", "from-project"],
            "names the function itself",
        ),
        ({"requirements.txt": "-e file:.\na", "setup.py": ""}, ["a"], "setup.py requires is not read"),
        ({"requirements.txt": "./\n", "pyproject.toml": PROJECT}, ["from-project"], "names the function itself"),
        ({"requirements.txt": codecs.BOM_UTF16_LE + "a==1\r\n".encode("utf-16-le")}, ["a==1"], ""),
        ({"requirements.txt": codecs.BOM_UTF8 + b"a\n"}, ["a"], ""),
    ],
)
def test_one_file_counts_and_the_rest_is_said(
    tmp_path: Path, files: dict[str, str | bytes], required: list[str], note: str
) -> None:
    told = found(tmp_path, files)
    assert (() if told.requirements is None else told.requirements.lines) == tuple(required)
    assert (note in "\n".join(told.notes)) if note else not told.notes


@each(
    "files, said",
    [
        ({"requirements.txt": b"a\nb\xe9\n"}, r"requirements\.txt is not UTF-8 \(line 2\)"),
        ({"requirements.txt": "-r b.txt", "b.txt": b"\xff"}, r"b\.txt is not UTF-8"),
        ({"requirements.txt": "#" * (257 << 10)}, "over 256 KB"),
        ({"requirements.txt": "-r d", "d/x": ""}, "there is no file d in the function"),
        ({"pyproject.toml": '[project]\ndependencies=["./x"]'}, r"pyproject\.toml, line 2: '\./x'"),
        ({"pyproject.toml": PROJECT.replace("3.8", "3.12")}, "requires Python"),
        ({"pyproject.toml": "[broken"}, "not valid TOML"),
        ({"a.py": HEADER, "b.py": HEADER}, r"a\.py, b\.py each have a header"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(tmp_path: Path, files: dict[str, str | bytes], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        found(tmp_path, files)


def test_no_link_leads_to_a_file_outside(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (tmp_path / "secret.txt").write_text("password==1")
    (code / "d").symlink_to(tmp_path)
    (code / "l.txt").symlink_to(tmp_path / "secret.txt")
    for named in ("d/secret.txt", "l.txt"):
        with pytest.raises(BadRequest, match="no file"):
            lines(code, {"requirements.txt": f"-r {named}"})

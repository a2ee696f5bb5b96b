"""Code as people have it, deployed by the command line to a whole server: archives, links, and what is required."""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from attacca.cli.app import app
from tests.live.whole import Whole, running

VERSION = """
import importlib.metadata
import iniconfig

def handler(event, context):
    return importlib.metadata.version("iniconfig")
"""
HEADER = "# /// script\n# dependencies = ['iniconfig==2.0.0']\n# ///\n"
TAX = "from common.tax import VAT\n\ndef handler(event, context):\n    return VAT\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("state")) as server:
        yield server


def attacca(whole: Whole, *words: str, stdin: str | None = None) -> Result:
    return CliRunner(env={"ATTACCA_URL": f"http://127.0.0.1:{whole.port}"}).invoke(app, words, input=stdin)


def written(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def answer(whole: Whole, path: Path) -> bytes:
    done = attacca(whole, "deploy", str(path), "--name", "code")
    assert done.exit_code == 0, done.output
    return whole.call("code").body


@pytest.mark.parametrize(
    "files",
    [
        {
            "requirements.txt": "-r requirements/base.txt\n",
            "requirements/base.txt": "-c bounds.txt\niniconfig\n",
            "requirements/bounds.txt": "iniconfig==2.0.0\n",
            "main.py": VERSION,
        },
        {
            "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.11"\n'
            'dependencies = ["iniconfig==2.0.0"]\n',
            "main.py": VERSION,
        },
        {"main.py": HEADER + VERSION},
    ],
)
def test_requirements_are_found_where_they_stand(whole: Whole, tmp_path: Path, files: dict[str, str]) -> None:
    assert answer(whole, written(tmp_path, files)) == b"2.0.0"


def test_a_single_file_brings_its_requirements_along(whole: Whole, tmp_path: Path) -> None:
    assert answer(whole, written(tmp_path, {"hello.py": HEADER + VERSION}) / "hello.py") == b"2.0.0"


def test_another_python_is_refused_with_both_versions(whole: Whole, tmp_path: Path) -> None:
    project = '[project]\nname = "x"\nrequires-python = "<3"\n'
    refused = attacca(whole, "deploy", str(written(tmp_path, {"pyproject.toml": project, "main.py": VERSION})))
    assert refused.exit_code == 1
    assert "requires Python '<3'" in refused.stderr
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in refused.stderr


def test_what_is_not_read_is_said_with_what_makes_a_list_of_it(whole: Whole, tmp_path: Path) -> None:
    shown = attacca(
        whole, "deploy", str(written(tmp_path, {"Pipfile": "", "main.py": "def handler(event, context): ..."}))
    )
    assert shown.exit_code == 0
    assert "Pipfile is not read, requirements.txt is: pipenv requirements > requirements.txt" in shown.stderr


def test_a_link_to_a_directory_of_ones_own_is_followed(whole: Whole, tmp_path: Path) -> None:
    written(tmp_path, {"main.py": TAX, "lib/common/tax.py": "VAT = 21\n"})
    (tmp_path / "common").symlink_to("lib/common")
    assert answer(whole, tmp_path) == b"21"


def test_a_zip_is_deployed_under_its_name(whole: Whole, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as file:
        file.writestr("shop-main/main.py", TAX)
        file.writestr("shop-main/common/tax.py", "VAT = 19\n")
        file.writestr("__MACOSX/._main.py", "?")
    shown = attacca(whole, "deploy", str(tmp_path / "shop.zip"))
    assert shown.exit_code == 0, shown.output
    assert "everything in shop.zip lies in shop-main/" in shown.stderr
    assert whole.call("shop").body == b"19"


def test_queries_headers_and_bodies_come_as_they_are_said(whole: Whole, tmp_path: Path) -> None:
    source = """
    async def app(scope, receive, send):
        if scope["type"] == "http":
            body = (await receive())["body"]
            told = [scope["query_string"], dict(scope["headers"])[b"x-a"], body]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b" ".join(told)})
    """
    whole.function("echo", source)
    words = ["invoke", "echo", "--query", "a=1", "--query", "a=2", "-H", "X-A: 3", "-d"]
    assert attacca(whole, *words, "@-", stdin="[4]").stdout == "a=1&a=2 3 [4]"
    (tmp_path / "event.json").write_text("[5]")
    assert attacca(whole, *words, f"@{tmp_path}/event.json").stdout == "a=1&a=2 3 [5]"

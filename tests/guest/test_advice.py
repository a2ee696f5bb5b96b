"""What is advised when code cannot be imported."""

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from attacca.guest import advice
from tests.cases import each
from tests.guest.written import look, write

pytestmark = pytest.mark.long  # each case is a module that is written and read


def advised(folder: Path, code: str | dict[str, str]) -> str:
    """Of the error that the import raises."""
    try:
        look(folder, code)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return advice.hint(error, str(folder / "function"))
    raise AssertionError("it can be imported")


HANDLER = "\ndef handler(event, context): ..."


@each(
    "name, distribution",
    [
        ("cv2", "opencv-python-headless"),
        ("PIL.Image", "pillow"),
        ("yaml", "PyYAML"),
        ("sklearn.svm", "scikit-learn"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("google.cloud.secretmanager_v1", "google-cloud-secretmanager"),
        ("google.cloud.bigquery_storage", "google-cloud-bigquery-storage"),
        ("google.protobuf.message", "protobuf"),
        ("azure.storage.blob", "azure-storage-blob"),
        ("azure.cosmos", "azure-cosmos"),
        ("opentelemetry.trace", "opentelemetry-api"),
        ("opentelemetry.sdk.trace.export", "opentelemetry-sdk"),
        ("opentelemetry.exporter.otlp.proto.grpc", "opentelemetry-exporter-otlp"),
        ("pkg_resources", "setuptools<81"),  # later ones have none
        ("requests", "requests"),
        ("flask_restful", "flask-restful"),
    ],
)
def test_a_module_has_a_distribution(name: str, distribution: str) -> None:
    assert advice.distribution(name) == distribution


@each(
    "files, said",
    [
        ({"main.py": "import cv2"}, "list opencv-python-headless in requirements.txt beside the code"),
        (
            {"main.py": "import no_such", "shop/requirements.txt": "no-such==1\n", "requirements-dev.txt": "no-such"},
            "shop/requirements.txt lists it, and only one at the top is read: deploy the directory shop",
        ),
        (
            {"main.py": "from collections import Iterable"},
            f"collections has no Iterable in the server's Python {advice.VERSION}: the code was written for another,"
            " or for none",
        ),
        (
            {"main.py": "class DefaultCredentialsError(Exception): ...\nraise DefaultCredentialsError('none found')"},
            "it asks for credentials while it is imported: set them, or make that client when it is first used",
        ),
        ({"main.py": "import boto3x, boto3"}, "list boto3x in requirements.txt beside the code"),
        (
            {"main.py": "import yaml_", "Pipfile": ""},
            "list yaml- in requirements.txt beside the code; Pipfile is not read:"
            " `pipenv requirements > requirements.txt`",
        ),
        (
            {"main.py": "import nothing_such", "pyproject.toml": "", "uv.lock": ""},
            "list nothing-such in dependencies of pyproject.toml beside the code",
        ),
        (
            {"main.py": "import nothing_such", "requirements.txt": "Nothing_Such>=1\n"},
            "requirements.txt lists nothing-such, which brings no module nothing_such: look up which package does",
        ),
        (
            {"main.py": "import nothing_such", "requirements.txt": "Nothing-Such==6 ; python_version < '3'"},
            "requirements.txt asks for nothing-such only where python_version < '3', and this is Python "
            f"{advice.VERSION}",
        ),
        (
            {"main.py": "import json.prices", "requirements.txt": "json"},
            "the installed json has no json.prices: ask in requirements.txt for the version that the code is for",
        ),
        (
            {"main.py": "import prices", "lib/prices.py": ""},
            "it is in the function as lib/prices.py: import it as lib.prices, or move it to the top",
        ),
        (
            {"main.py": "import shop.prices", "lib/shop/prices.py": ""},
            "it is in the function as lib/shop: import it as lib.shop, or move it to the top",
        ),
        ({"main.py": "import shop.prices", "shop/__init__.py": ""}, "shop is in the function, but has no prices"),
        (
            {"main.py": "import urllib2"},
            "urllib2 is Python 2's; the code has to be brought to Python 3, with 2to3 for instance",
        ),
        (
            {"main.py": "import aws_cdk"},
            "this describes infrastructure, it is no function: deploy the directory of the function that it names",
        ),
        (
            {
                "main.py": "import vendored._speed",
                "vendored/__init__.py": "",
                "vendored/_speed.cpython-38-x86_64.so": "",
            },
            f"vendored/_speed.cpython-38-x86_64.so was built for another Python than {advice.VERSION}, or for another"
            " machine: leave it out of the function, and list its package in requirements.txt",
        ),
        (
            {"main.py": "from ..up import x"},
            "the file is at the top, and there is no package above it: import by the name, without the dot",
        ),
        (
            {"main.py": "print 'hello'"},
            "this is Python 2; the code has to be brought to Python 3, with 2to3 for instance",
        ),
        (
            {"main.py": "try: pass\nexcept ValueError, e: pass"},
            "this is Python 2; the code has to be brought to Python 3, with 2to3 for instance",
        ),
        (
            {"main.py": "import os\nos.environ['NO_SUCH']"},
            "set NO_SUCH under [env] in function.toml, or with --env NO_SUCH=...;"
            " a secret with `attacca secret set NO_SUCH`",
        ),
        ({"main.py": "{}['NO_SUCH']"}, ""),
        ({"main.py": "def f(:"}, ""),
        ({"main.py": "1 / 0"}, ""),
        (
            {"main.py": "import sys\nsys.exit()"},
            'it ends itself when it is imported: put what a script does under `if __name__ == "__main__":`',
        ),
        (
            {"main.py": "import asyncio\nasyncio.get_running_loop()"},
            "make it when it is first used: while the code is imported, no event loop runs",
        ),
    ],
)
def test_what_helps(tmp_path: Path, files: dict[str, str], said: str) -> None:
    assert advised(tmp_path, {name: text + HANDLER * (name == "main.py") for name, text in files.items()}) == said


def test_what_python_no_longer_has(tmp_path: Path) -> None:
    error = ModuleNotFoundError("No module named 'asyncore'", name="asyncore")
    said = advice.hint(error, str(write(tmp_path, {"main.py": ""})))
    if "asyncore" in sys.stdlib_module_names:
        assert said == "list asyncore in requirements.txt beside the code"
    else:
        assert said.startswith(f"Python has no asyncore since 3.12, and this is {advice.VERSION}: pyasyncore in")


def test_a_package_that_was_made_for_another_python(tmp_path: Path) -> None:
    bundle = {"jwt/__init__.py": "from . import api", "jwt/api.py": "import inspect\ninspect.getargspec(len)"}
    try:
        look(tmp_path, "import jwt", bundle=bundle)
    except AttributeError as error:
        said = advice.hint(error, str(tmp_path / "function"))
    assert said.startswith(f"inspect has no getargspec in the server's Python {advice.VERSION}: this version of PyJWT")


@each(
    "line, distribution",
    [
        ("from google.cloud import storage", "google-cloud-storage"),
        ("import google.cloud.storage as storage", "google-cloud-storage"),
        ("from google import genai", "google-genai"),
        ("import azure.functions as func", "azure-functions"),
    ],
)
def test_of_a_name_that_many_share_the_line_says_which(tmp_path: Path, line: str, distribution: str) -> None:
    raising = f"raise ModuleNotFoundError('', name={line.split()[1].split('.')[0]!r})"
    said = advised(tmp_path, f"{raising}  # {line}")
    assert said == f"list {distribution} in requirements.txt beside the code"


def test_a_file_that_hides_a_module_of_pythons(tmp_path: Path) -> None:
    here = str(write(tmp_path, {"random.py": ""}))
    said = "random.py has the name of a module of Python's own, and hides it: give the file another name"
    hidden = ImportError("cannot import name 'choice' from 'random' (/function/random.py)")
    assert advice.hint(hidden, here) == said
    assert advice.hint(AttributeError("partially initialized module 'random' has no attribute 'choice'"), here) == said
    assert advice.hint(AttributeError("'list' object has no attribute 'random'"), here) == said
    assert advice.hint(AttributeError("'list' object has no attribute 'push'"), here) == ""


@pytest.mark.parametrize(
    ("error", "cut_off", "connected"),
    [
        (socket.gaierror(-3, "Temporary failure in name resolution"), advice.REACHES, ""),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), advice.REACHES, ""),
        (RuntimeError("<urlopen error [Errno -2] Name or service not known>"), advice.REACHES, ""),
        (ConnectionRefusedError(111, "refused"), "127.0.0.1 is the sandbox itself", ""),
        (OSError(errno.EROFS, "Read-only file system"), "the code's directory", "the code's directory"),
    ],
)
def test_nobody_is_reached_from_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, error: Exception, cut_off: str, connected: str
) -> None:
    around = RuntimeError("while connecting")
    around.__cause__ = error
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo")])
    assert advice.hint(around, os.curdir).startswith(cut_off)
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    assert advice.hint(around, os.curdir)[: len(connected) or None] == connected


@each(
    "said, hint",
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "use opencv-python-headless instead"),
        ("libodd.so.1: cannot open shared object file: No such file", "install libodd.so.1 on the server"),
        ("/function/x.so: undefined symbol: PyFoo", "it was built for another Python"),
        ("cannot import name 'a' from partially initialized module (most likely due to a circular import)", ""),
    ],
)
def test_what_was_built_for_another_machine(tmp_path: Path, said: str, hint: str) -> None:
    assert advice.hint(ImportError(said), str(tmp_path)).startswith(hint)


def test_an_error_that_fails_itself_is_no_matter(tmp_path: Path) -> None:
    class Sly(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert advice.hint(Sly(), str(tmp_path)) == ""
    assert advice.hint(ModuleNotFoundError("", name="x"), str(tmp_path / "gone")) == ""

"""Functions as they were written for other platforms, by what these call them with."""

import asyncio
from pathlib import Path

import pytest

from tests.cases import each
from tests.guest.written import look, refusal

pytestmark = pytest.mark.long  # each case is a module that is written and read


@each(
    "code",
    [
        "from flask import request\ndef main(): return request",
        "import flask\ndef main(): return flask.request",
        "from flask import current_app\ndef main(): return current_app",
        "from flask import jsonify as as_json\ndef main(): return as_json",
    ],
)
def test_fission_asks_flask(tmp_path: Path, code: str) -> None:
    bundle = {"flask/__init__.py": "import os\nrequest, current_app, jsonify = object(), object(), object()"}
    loaded = look(tmp_path, code, bundle=bundle)
    assert loaded.signature == "request"
    assert loaded.call("a request") is not None


@each(
    "code, signature",
    [
        ("def main(): return 'Not Found', 404", "request"),
        ("def main(): return 'Moved', 301, {'location': '/'}", "request"),
        ("def main(): return 'apples', 3", "named"),
        ("def main(): return 48.5, 9.5", "named"),
        ("def main(name): return name, 404", "named"),
    ],
)
def test_a_status_beside_the_answer_makes_a_view_of_what_takes_nothing(
    tmp_path: Path, code: str, signature: str
) -> None:
    assert look(tmp_path, code).signature == signature


@pytest.mark.parametrize("line", ["return sys.stdin.read()", "return input()"])
def test_what_reads_its_standard_input_is_a_program(tmp_path: Path, line: str) -> None:
    what, hint = refusal(tmp_path, f"import sys\ndef get():\n    {line}")
    assert what == "main:get takes nothing and reads its standard input, where nothing comes"
    assert "def handle(req)" in hint
    assert look(tmp_path / "with", f"import sys\ndef get(name):\n    {line}").signature == "named"


def test_a_cloud_event_is_functions_frameworks_without_its_decorator_too(tmp_path: Path) -> None:
    code = "def hello(cloud_event): print(cloud_event['id'])"
    framework = """
        def _configure_app(app, function, kind): app.served = function, kind
    """
    flask = """
        class Flask:
            def __init__(self, name): self.config = {}
            def wsgi_app(self, environ, start_response): ...
            def __call__(self, environ, start_response): ...
    """
    loaded = look(tmp_path, f"import flask\n{code}", bundle={"functions_framework.py": framework, "flask.py": flask})
    assert (loaded.signature, loaded.call.served[1]) == ("wsgi", "cloudevent")  # type: ignore[attr-defined]


def test_a_cloud_event_that_nobody_makes(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, "def hello(cloud_event): ...", "main:hello")
    assert what == "main:hello takes a CloudEvent, which functions-framework makes of a request"
    assert hint == "list functions-framework in requirements.txt beside the code"


def test_falcons_asgi_routes_by_what_follows_its_root(tmp_path: Path) -> None:
    falcon = """
        class App:
            async def __call__(self, scope, receive, send): await send(scope["path"])
    """
    loaded = look(tmp_path, "import falcon\napp = falcon.App()", bundle={"falcon.py": falcon})
    assert loaded.signature == "asgi"
    sent: list[str] = []

    async def send(path: str) -> None:
        sent.append(path)

    asyncio.run(loaded.call({"path": "/function/x/things", "root_path": "/function/x"}, None, send))
    asyncio.run(loaded.call({"type": "lifespan", "path": ""}, None, send))
    assert sent == ["/things", ""]


def test_a_context_comes_second(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, "def handler(ctx, data=None): ...")
    assert what == "main:handler has to be given a context first, which nobody does"
    assert hint == "`def handler(event, context)`"


def test_azures_own_application_is_refused_with_what_to_write(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, "class FunctionApp: ...\napp = FunctionApp()\ndel FunctionApp")
    assert what == "main.py has app, a FunctionApp, whose functions only Azure's own host finds and calls"
    assert hint.startswith("take `def main(request)`")


def test_an_azure_function_is_refused_with_what_to_write(tmp_path: Path) -> None:
    code = """
        class HttpRequest: ...
        HttpRequest.__module__ = "azure.functions"
        def main(req: HttpRequest): ...
    """
    what, hint = refusal(tmp_path, code)
    assert what == "main:main is an Azure function, whose request nobody makes here"
    assert hint.startswith("take `def main(request)`")

"""Which file is the function, and what in it."""

from pathlib import Path

import pytest

from attacca.guest.find import is_program
from attacca.model.function import is_handler
from tests.cases import each
from tests.guest.written import look, refusal

pytestmark = pytest.mark.long  # each case is a module that is written and read

HELLO = "def handler(event, context): return 'hello'"
PRICE = "def price(): return 48.5"


@each(
    "files, found",
    [
        (["main.py"], "main:handler"),
        (["lambda_function.py"], "lambda_function:handler"),
        (["hello.py"], "hello:handler"),
        (["hello.py", "test_hello.py", "setup.py", "conftest.py"], "hello:handler"),
        (["func.py"], "func:handler"),
        (["__main__.py"], "__main__:handler"),
        (["main.py", "__main__.py"], "main:handler"),
        (["app/__init__.py"], "app:handler"),
        (["shop/__init__.py"], "shop:handler"),
        (["shop/main.py"], "shop.main:handler"),  # also where no __init__.py makes it a package
        (["hello_world/app.py", "tests/app.py", "events/event.py"], "hello_world.app:handler"),
        (["src/main.py"], "main:handler"),
        (["src/shop/__init__.py"], "shop:handler"),
        (["src/shop/handler.py"], "shop.handler:handler"),
        (["src/hello.py"], "hello:handler"),
        (["my-function.py"], "my-function:handler"),
        (["__init__.py", "helper.txt"], "__init__:handler"),  # Azure's, whose directory is a package
    ],
)
def test_the_file_is_where_people_put_it(tmp_path: Path, files: list[str], found: str) -> None:
    loaded = look(tmp_path, dict.fromkeys(files, HELLO))
    assert loaded.handler == found
    assert is_handler(found)


@each(
    "files, found",
    [
        ({"app/__init__.py": "", "app/main.py": HELLO}, "app.main:handler"),
        ({"main.py": "import shop", "shop.py": HELLO}, "shop:handler"),  # nothing in main.py could be it
        ({"hello.py": HELLO, "tools.py": "def one(): ...\ndef two(): ..."}, "hello:handler"),
        (
            {"hello.py": "def greet(name): ...", "config.py": "from pathlib import Path\nDEBUG = Path('x')"},
            "hello:greet",
        ),
        ({"main.py": "from shop import handler", "shop.py": HELLO}, "main:handler"),
        ({"main.py": "if True:\n    def handler(event, context): ..."}, "main:handler"),
        ({"main.py": "def greet(name='you'): ..."}, "main:greet"),
        ({"main.py": "def run(event, context): ...\ndef one(price): ...\ndef two(price): ..."}, "main:run"),
        ({"main.py": "def one(x): ...\ndef serve(environ, start_response): ..."}, "main:serve"),
        ({"main.py": "def help_(x): ...\nhandler = lambda event, context: 1"}, "main:handler"),
    ],
)
def test_what_lies_beside_it_is_no_reason_to_ask(tmp_path: Path, files: dict[str, str], found: str) -> None:
    assert look(tmp_path, files).handler == found


@each(
    "said, found",
    [
        ("shop.item:get", "shop.item:get"),
        ("shop.item.get", "shop.item:get"),
        ("shop/item.get", "shop.item:get"),
        ("shop/item:get", "shop.item:get"),
        ("shop/item.py:get", "shop.item:get"),
        ("shop/item.Shop.sell", "shop.item:Shop.sell"),
        ("shop.item:Shop.sell", "shop.item:Shop.sell"),
        ("shop/item.py", "shop.item:handler"),
        ("my-shop/item.get", "my-shop.item:get"),
        ("deep/down/item.get", "deep.down.item:get"),
        ("src/shop/inner.get", "src.shop.inner:get"),
        ("inner_shop/inner.get", "inner_shop.inner:get"),
        ("get", "main:get"),
        ("other", "other:get"),  # it is the name of a file, and nothing in any is called so
    ],
)
def test_whoever_wrote_the_setting(tmp_path: Path, said: str, found: str) -> None:
    code = """
        def get(event, context): return "got"
        def handler(event, context): return "got"
        class Shop:
            @staticmethod
            def sell(event, context): return "got"
    """
    places = ["shop/item.py", "shop/__init__.py", "my-shop/item.py", "deep/down/item.py", "src/inner_shop/inner.py"]
    files = dict.fromkeys([*places, "src/shop/inner.py", "main.py"], code)
    files["other.py"] = "def get(event, context): ..."
    assert is_handler(said)
    assert look(tmp_path, files, said).handler == found


@each(
    "said", ["../up.get", "/etc/x.get", "a//b.c", "a..b", ".a", "a:b:c", "a/../b.c", "a b", "a\n", "a/b.c()x", "a:b/c"]
)
def test_what_is_no_handler_in_any_dialect(said: str) -> None:
    assert not is_handler(said)


def test_a_dunder_main_is_imported_and_not_run(tmp_path: Path) -> None:
    code = """
        from helper import GREETING
        def main(args): return {"body": GREETING}
        if __name__ == "__main__": raise SystemExit(1)
    """
    loaded = look(tmp_path, {"__main__.py": code, "helper.py": "GREETING = 'hi'"})
    assert (loaded.handler, loaded.signature, loaded.call({})) == ("__main__:main", "args", {"body": "hi"})
    assert look(tmp_path, {}, "__main__:main").call({}) == {"body": "hi"}


def test_src_is_on_the_path(tmp_path: Path) -> None:
    code = "from shop.core import price\ndef handler(event, context): return price()"
    files = {"main.py": code, "src/shop/__init__.py": "", "src/shop/core.py": PRICE}
    assert look(tmp_path, files).call({}, None) == 48.5


@pytest.mark.parametrize("line", ["from .core import price", "from function.core import price"])
def test_the_directory_of_an_openfaas_handler_is_a_package(tmp_path: Path, line: str) -> None:
    files = {"handler.py": f"{line}\ndef handle(req): return price()", "core.py": PRICE, "__init__.py": ""}
    loaded = look(tmp_path, files)
    assert (loaded.handler, loaded.signature, loaded.call("")) == ("handler:handle", "text", 48.5)


@pytest.mark.parametrize("served", ["wsgi", "asgi"])
def test_a_django_project(tmp_path: Path, served: str) -> None:
    parameters = {"wsgi": "environ, start_response", "asgi": "scope, receive, send"}[served]
    files = {
        "manage.py": "raise SystemExit",
        "shop/settings.py": "",
        "shop/__init__.py": "",
        f"shop/{served}.py": f"def application({parameters}): ...",
        "cart/models.py": "def total(cart): ...",
    }
    loaded = look(tmp_path, files)
    assert (loaded.handler, loaded.signature) == (f"shop.{served}:application", served)


def test_several_are_named_each_as_it_would_be_asked_for(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, {"get.py": HELLO, "put.py": "def handler(event, context): ...\ndef other(): ..."})
    assert what == "cannot tell which file is the function: get.py, put.py could be"
    assert hint == "name it: --handler get:handler or --handler put:handler"
    what, hint = refusal(tmp_path / "directories", {"items/app.py": HELLO, "users/app.py": HELLO})
    assert what == "cannot tell which file is the function: items/app.py, users/app.py could be"
    assert hint == "name it: --handler items.app:handler or --handler users.app:handler"


def test_several_functions_are_named_too(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, "def one(): ...\ndef two(): ...")
    assert what == "main.py has several functions: one, two"
    assert hint == "name one: --handler main:one or --handler main:two"


@each(
    "files, what",
    [
        ({}, "cannot tell which file is the function: found no .py file at all"),
        (
            {"project.yml": "", "packages/sample/hello/hello.py": HELLO, "packages/sample/bye/__main__.py": HELLO},
            "cannot tell which file is the function: none is at the top, but there is"
            " packages/sample/bye/__main__.py, packages/sample/hello/hello.py",
        ),
        ({"main.py": "X = 1"}, "main.py has no function"),
        ({"json.py": HELLO}, "json.py has the name of a module of Python's own, which hides it"),
    ],
)
def test_there_may_be_nothing(tmp_path: Path, files: dict[str, str], what: str) -> None:
    assert refusal(tmp_path, {"readme.txt": "", **files})[0] == what


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path, HELLO, "main:run") == ("main.py has no 'run'", "it has: handler")


def test_the_variables_of_functions_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"main.py": "def one(request): ...\ndef two(request): ...", "other.py": "def one(request): ..."}
    monkeypatch.setenv("FUNCTION_TARGET", "two")
    assert look(tmp_path, files).handler == "main:two"
    monkeypatch.setenv("FUNCTION_TARGET", "one")
    monkeypatch.setenv("FUNCTION_SOURCE", "other.py")
    assert look(tmp_path, files).handler == "other:one"
    assert look(tmp_path, files, "main:two").handler == "main:two"  # what is set wins
    monkeypatch.setenv("FUNCTION_SOURCE", "../other.py")
    assert look(tmp_path, files).handler == "main:one"


def test_a_file_that_cannot_be_read_says_so_itself(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        look(tmp_path, "def handler(event, context)\n")


@each(
    "runtime, handler, files, is_it",
    [
        ("auto", "", ["bootstrap"], True),
        ("auto", "bootstrap", ["bootstrap", "lib/a.py"], True),
        ("auto", "", ["bootstrap", "main.py"], False),
        ("auto", "", ["bootstrap/main.py"], False),
        ("auto", "main:handler", ["bootstrap"], False),
        ("auto", "", ["main.py"], False),
        ("process", "", ["bootstrap"], False),
        ("custom", "index.handler", ["main.py"], True),
    ],
)
def test_a_program_is_one_where_no_python_stands_beside_it(
    tmp_path: Path,
    runtime: str,
    handler: str,
    files: list[str],
    is_it: bool,  # noqa: FBT001 - of a table
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert is_program(runtime, handler, str(tmp_path)) == is_it

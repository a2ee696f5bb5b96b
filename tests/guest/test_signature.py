"""How functions that people write want to be called."""

from pathlib import Path
from typing import Any

import pytest

from attacca.guest.load import Parameters
from attacca.guest.payload import BadInput, named
from tests.cases import each
from tests.guest.written import look, refusal

pytestmark = pytest.mark.long  # each case is a module that is written and read

LAYERS = """
    import functools, asyncio
    def wrapped(f):
        @functools.wraps(f)
        def inner(*args, **kwargs): return f(*args, **kwargs)
        return inner
    def bare(f):
        def inner(*args, **kwargs): return f(*args, **kwargs)
        return inner
    def counted(times):
        def layer(f):
            def inner(*args, **kwargs): return f(*args, **kwargs)
            return inner
        return layer
    def started(f):
        @functools.wraps(f)
        def inner(*args): return asyncio.run(f(*args))
        return inner
    class Layer:
        def __init__(self, f): self.f = f
        def __call__(self, *args, **kwargs): return self.f(*args, **kwargs)
    class Shop:
        def handle(self, event, context): return "method"
        @classmethod
        def of_class(cls, event, context): return "class"
        @staticmethod
        def of_none(event, context): return "static"
        def __call__(self, event, context): return "called"
"""


@each(
    "code, signature",
    [
        # Lambda, under whatever names
        ("def handler(event, context): ...", "event_context"),
        ("def lambda_handler(_event, _context): ...", "event_context"),
        ("def lambda_handler(a, b): ...", "event_context"),
        ("def handler(evt, ctx): ...", "event_context"),
        ("def handler(e, c): ...", "event_context"),
        ("def handler(_, __): ...", "event_context"),
        ("def handler(event, _): ...", "event_context"),
        ("def handler(event, c): ...", "event_context"),
        ("def run(data, context): ...", "event_context"),
        ("def run(req, ctx): ...", "event_context"),
        ("def handler(event=None, context=None): ...", "event_context"),
        ("def handler(event, context, db=None): ...", "event_context"),
        ("def handler(event, /, context): ...", "event_context"),
        ("handler = lambda event, context: 1", "event_context"),
        ("async def handler(event, context): ...", "event_context"),
        ("def handler(event, context):\n    yield 1", "event_context"),
        ("async def handler(event, context):\n    yield 1", "event_context"),
        ("def handler(context, event): ...", "event_context"),
        # Scaleway, DigitalOcean
        ("def handle(event, context): ...", "event_context"),
        ("def main(event, context): ...", "event_context"),
        # one parameter
        ("def handler(event): ...", "event"),
        ("def lambda_handler(whatever): ...", "event"),
        ("def handler(event, retries=3): ...", "event"),
        ("def handler(data): return data", "event"),
        ("def handler(order): return order['id']", "event"),
        ("def handler(order): return order", "named"),
        ("def main(args): ...", "args"),
        ("def main(params): ...", "args"),
        ("def main(dict): ...", "args"),
        ("def main(param): ...", "args"),
        ("def run(args): ...", "args"),
        ("def main(name: str): ...", "named"),
        ("def handle(req): return req", "text"),
        ("def handle(req):\n    import json\n    return json.loads(req)['a']", "text"),
        ("def handle(req): return req['a']", "event"),
        ("def handle(request): return request.method", "request"),
        ("def hello(request): return 'hi'", "request"),
        ("def hello(request): return request.args.get('name')", "request"),
        ("def hello(request): return request['name']", "event"),
        ("def hello(req):\n    import json\n    return json.loads(req)", "text"),
        # named parameters
        ("def hello(name='world', times: int = 1): ...", "named"),
        ("def hello(name): ...", "named"),
        ("def area(width, height): ...", "named"),
        ("def area(a, b, c): ...", "named"),
        ("async def area(a, b, c): return a * b * c", "named"),
        ("def main(): ...", "named"),
        ("def handler(*, name): ...", "named"),
        ("def handler(**fields): ...", "named"),
        ("def handler(data: bytes): ...", "named"),
        ("def announce(a, c): ...", "named"),
        # web applications
        ("async def app(scope, receive, send): ...", "asgi"),
        ("async def app(s, r, send): ...", "asgi"),
        ("async def app(s, r, w): await w({})", "asgi"),
        ("async def serve(one, two, three):\n    await three({'type': 'http.response.start'})", "asgi"),
        ("def app(scope, receive, send): ...", "asgi"),
        ("class App:\n    async def __call__(self, a, b, c): ...\napp = App()", "asgi"),
        (
            "class App:\n    def __init__(self, scope, receive, send): ...\n    def __await__(self): ...\napp = App",
            "asgi",
        ),
        ("def application(environ, start_response): ...", "wsgi"),
        ("def application(env, sr): ...", "wsgi"),
        ("def app(environ, start_response): ...", "wsgi"),
        ("def simple(env, start): start('200 OK', []); return []", "wsgi"),
        ("class App:\n    def __call__(self, environ, start_response): ...\napp = App()", "wsgi"),
        (
            "class App:\n    def __init__(self, e, start_response): ...\n    def __iter__(self): ...\napp = App",
            "wsgi",
        ),
        ("class App:\n    def wsgi_app(self, e, s): ...\n    def __call__(self, *a): ...\napp = App()", "wsgi"),
    ],
)
def test_parameters_say_it_or_the_name_does(tmp_path: Path, code: str, signature: str) -> None:
    assert look(tmp_path, code).signature == signature


@each(
    "line, signature, is_async",
    [
        ("@wrapped\n@wrapped\n@wrapped\ndef handler(event, context): ...", "event_context", False),
        ("@wrapped\ndef greet(name, times=1): ...", "named", False),
        ("@wrapped\nasync def handler(event, context): ...", "event_context", True),
        ("@bare\nasync def handler(event, context): ...", "event_context", True),
        ("@started\nasync def handler(event, context): ...", "event_context", False),
        ("@bare\ndef lambda_handler(event, context): ...", "event_context", False),
        ("@bare\n@wrapped\n@bare\ndef run(event, context): ...", "event_context", False),
        ("@bare\ndef main(args): ...", "args", False),
        ("@bare\ndef greet(name): ...", "named", False),
        ("@counted(3)\ndef lambda_handler(event, context): ...", "event_context", False),
        ("@Layer\ndef handler(event, context): ...", "event_context", False),
        ("@Layer\nasync def handler(event, context): ...", "event_context", True),
        ("@functools.lru_cache\ndef greet(name): ...", "named", False),
        ("def lambda_handler(*args): ...", "event_context", False),
        ("def handler(*args, **kwargs): ...", "event_context", False),
        ("def main(*args): ...", "args", False),
        ("def greet(*args, **kwargs): ...", "named", False),
        ("def f(db, event, context): ...\nhandler = functools.partial(f, 1)", "event_context", False),
        ("def f(event, context, db): ...\nhandler = functools.partial(f, db=1)", "event_context", False),
        ("async def f(db, event, context): ...\nhandler = functools.partial(f, 1)", "event_context", True),
        ("handler = Shop().handle", "event_context", False),
        ("handler = Shop.of_class", "event_context", False),
        ("handler = Shop.of_none", "event_context", False),
        ("handler = Shop()", "event_context", False),
        ("handler = wrapped(Shop().handle)", "event_context", False),
        ("class Later:\n    async def __call__(self, event): ...\nhandler = Later()", "event", True),
    ],
)
def test_what_wraps_is_looked_through(tmp_path: Path, line: str, signature: str, is_async: bool) -> None:  # noqa: FBT001
    code = "\n".join([*(part[4:] for part in LAYERS.splitlines()), line])
    handler = "main:greet" if "greet" in line else "main:run" if "def run" in line else ""
    loaded = look(tmp_path, code, handler)
    assert (loaded.signature, loaded.is_async) == (signature, is_async)


def test_a_wrapper_with_parameters_of_its_own_is_what_is_called(tmp_path: Path) -> None:
    code = """
        import functools
        def with_database(f):
            @functools.wraps(f)
            def inner(event, context): return f(event, context, "db")
            return inner
        @with_database
        def handler(order, who, db): ...
    """
    assert look(tmp_path, code).signature == "event_context"


def test_what_a_wrapper_gives_is_not_missed(tmp_path: Path) -> None:
    code = """
        import functools
        def with_database(f):
            @functools.wraps(f)
            def inner(*args): return f(*args, "db")
            return inner
        @with_database
        def handler(event, context, db): return db
    """
    assert look(tmp_path, code).call({}, None) == "db"


@each(
    "code, handler, what, hint",
    [
        ("class Shop: ...", "main:Shop", "main:Shop is a class", "`handler = Shop()`"),
        ("class handler: ...", "", "main:handler is a class", "name a function"),
        ("class Shop:\n    def sell(self, event): ...", "main:Shop.sell", "is a method", "handler = Shop().sell"),
        (
            "from http.server import BaseHTTPRequestHandler\nclass handler(BaseHTTPRequestHandler): ...",
            "",
            "is a request handler of http.server",
            "take a WSGI or ASGI app",
        ),
        ("import json", "main:json", "main:json is a module", "main.json:function"),
        ("HANDLER = 3", "main:HANDLER", "is not callable, it is of int", "--handler"),
        (
            "def f():\n    yield 1\nhandler = f()",
            "main:handler",
            "a generator that was made by a call",
            "without calling",
        ),
        (
            "def app(scope):\n    async def inner(receive, send): ...\n    return inner",
            "",
            "ASGI 2",
            "guarantee_single",
        ),
        ("class App:\n    def __init__(self, scope): ...", "main:App", "ASGI 2", "guarantee_single"),
        ("def area(w, h, /): ...", "", "takes 'w' by position alone", "leave out the `/`"),
        ("def handler(event, context, db): ...", "", "has to be given 'db' besides", "give it a default"),
        ("def handler(event, context, *, db): ...", "", "has to be given 'db' besides", "give it a default"),
    ],
)
def test_what_can_never_answer_is_refused(tmp_path: Path, code: str, handler: str, what: str, hint: str) -> None:
    said, advised = refusal(tmp_path, code, handler)
    assert what in said
    assert hint in advised


def test_a_coroutine_is_refused(tmp_path: Path) -> None:
    code = "async def main(): ...\nhandler = main()\nhandler.close()"
    assert "a coroutine that was made by a call" in refusal(tmp_path, code, "main:handler")[0]


MAKER = """
    class App:
        def __init__(self, debug): self.debug = debug
        def __call__(self, environ, start_response): ...
    def create_app(debug=False): return App(debug)
"""


@each("handler", ["", "main:create_app()", "create_app()", "main.create_app()"])
def test_who_makes_an_application_is_asked_for_it(tmp_path: Path, handler: str) -> None:
    loaded = look(tmp_path, MAKER, handler)
    assert (loaded.handler, loaded.signature) == ("main:create_app()", "wsgi")
    assert vars(loaded.call) == {"debug": False}


def test_an_application_goes_before_what_starts_it(tmp_path: Path) -> None:
    code = f"{MAKER}\n    app = App(1)\n    router = App(2)\n    def main(): app.run()\n"
    assert look(tmp_path, code).handler == "main:app"


ANNOTATIONS: list[tuple[str, Any, Any]] = [
    ("int", "3", 3),
    ("float", "1.5", 1.5),
    ("bool", "no", False),
    ("Optional[float]", "1.5", 1.5),
    ("Optional[float]", "", None),
    ("float | None", "1.5", 1.5),
    ("bool | None", "false", False),
    ("None | int", "2", 2),
    ("Union[int, float]", "2", 2),
    ("Union[float, int]", "2.5", 2.5),
    ("Union[int, str]", "2", "2"),
    ("int | bool", "yes", True),
    ("'int'", "3", 3),
    ("'Optional[int]'", "3", 3),
    ("list[int]", ["1", "2"], [1, 2]),
    ("list[int]", "1", [1]),
    ("list", "1", ["1"]),
    ("tuple", ["1", "2"], ("1", "2")),
    ("List[float]", ["1"], [1.0]),
    ("set[str]", ["a", "a"], {"a"}),
    ("list[int] | None", "3", [3]),
    ("Literal[1, 2]", "2", 2),
    ("Literal['a', 'b']", "b", "b"),
    ("Annotated[int, 'times']", "3", 3),
    ("Colour", "red", "Colour.RED"),
    ("date", "2026-01-31", "datetime.date(2026, 1, 31)"),
    ("datetime", "2026-01-31T12:00:00", "datetime.datetime(2026, 1, 31, 12, 0)"),
    ("UUID", "00000000-0000-0000-0000-000000000001", "UUID('00000000-0000-0000-0000-000000000001')"),
    ("Decimal", "1.10", "Decimal('1.10')"),
    ("str", "3", "3"),
    ("dict", "3", "3"),
]


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_annotations_convert_texts(tmp_path: Path, future: str) -> None:
    takes = ", ".join(f"v{number}: {annotation}" for number, (annotation, _, _) in enumerate(ANNOTATIONS))
    code = f"""{future}
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, List, Literal, Optional, Union
from uuid import UUID
class Colour(Enum): RED = "red"
def run({takes}): ...
"""
    texts = {f"v{number}": text for number, (_, text, _) in enumerate(ANNOTATIONS)}
    found = named(texts, _parameters(look(tmp_path, code)), are_texts=True)
    for number, (annotation, _, value) in enumerate(ANNOTATIONS):
        got = found[f"v{number}"]
        assert got == value or value in (str(got), repr(got)), annotation


def test_an_annotation_that_nobody_knows_converts_nothing(tmp_path: Path) -> None:
    code = "from __future__ import annotations\ndef run(value: Unheard, other: int): ..."
    parameters = _parameters(look(tmp_path, code))
    assert named({"value": "3", "other": "3"}, parameters, are_texts=True) == {"value": "3", "other": 3}


def _parameters(loaded: Any) -> Parameters:
    assert isinstance(loaded.parameters, Parameters)
    return loaded.parameters


@each(
    "annotation, text, said",
    [
        ("int", "x", "'value' must be an integer, not 'x'"),
        ("float | None", "x", "'value' must be a number, not 'x'"),
        ("Literal['a', 'b']", "c", "'value' must be one of a, b, not 'c'"),
        ("Decimal", "x", "'value' must be a number, not 'x'"),
        ("list[int]", ["1", "x"], "'value' must be an integer, not 'x'"),
        ("int", ["1", "2"], "'value' must be given once, not 2 times"),
    ],
)
def test_a_text_that_is_none_of_these(tmp_path: Path, annotation: str, text: Any, said: str) -> None:
    code = f"from typing import Literal\nfrom decimal import Decimal\ndef run(value: {annotation}): ..."
    with pytest.raises(BadInput) as caught:
        named({"value": text}, _parameters(look(tmp_path, code)), are_texts=True)
    assert str(caught.value) == said

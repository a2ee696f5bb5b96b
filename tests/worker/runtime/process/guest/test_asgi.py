from types import SimpleNamespace
from typing import Any, cast

from attacca.worker.runtime.process.guest.asgi import Exchange, Link
from attacca.worker.runtime.process.guest.payload import Requested


def scope(path: str) -> dict[str, Any]:
    link = SimpleNamespace(server=SimpleNamespace(function=SimpleNamespace(name="shop")), state={"pool": 1})
    asked = Requested("9f-1", "GET", path, b"a=1", b'[["host", "localhost"]]', b"", more=False)
    return Exchange(cast(Link, link), 1, asked).scope()


def test_an_application_sees_what_is_below_its_address_and_knows_the_address() -> None:
    told = scope("/items/a%20b")
    assert (told["path"], told["raw_path"], told["root_path"]) == ("/items/a b", b"/items/a%20b", "/function/shop")
    assert (told["method"], told["query_string"], told["headers"]) == ("GET", b"a=1", [(b"host", b"localhost")])

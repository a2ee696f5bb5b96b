from types import SimpleNamespace
from typing import Any, cast

from attacca.guest.asgi import Desk
from attacca.guest.exchange import Exchange
from attacca.guest.payload import Requested


def scope(path: str) -> dict[str, Any]:
    desk = SimpleNamespace(server=SimpleNamespace(function=SimpleNamespace(name="shop")), state={"pool": 1})
    asked = Requested("9f-1", "GET", path, b"a=1", [b"host", b"localhost"], b"", more=False)
    return Exchange(cast(Desk, desk), 1, asked).scope()


def test_an_application_is_told_its_address_and_which_part_of_the_path_that_is() -> None:
    told = scope("/items/a%20b")
    assert (told["path"], told["raw_path"]) == ("/function/shop/items/a b", b"/function/shop/items/a%20b")
    assert told["root_path"] == "/function/shop"
    assert (told["method"], told["query_string"], told["headers"]) == ("GET", b"a=1", [(b"host", b"localhost")])

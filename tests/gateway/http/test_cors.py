"""What a browser is told on behalf of a page of another site."""

from attacca.gateway.http import cors
from attacca.gateway.http.cors import METHODS

SHOP = b"https://shop.example"
ASKED = {b"origin": SHOP, b"access-control-request-method": b"PUT", b"access-control-request-headers": b"x-a, x-b"}


def test_only_named_origins_are_allowed() -> None:
    assert cors.fields(("https://shop.example",), SHOP) == [(cors.NAMED, SHOP), (b"vary", b"origin")]
    assert cors.fields(("*",), SHOP) == [(cors.NAMED, b"*")]
    for named in ((), ("https://other.example",), ("http://shop.example",)):
        assert cors.fields(named, SHOP) == []
    assert cors.fields(("*",), None) == []


def test_options_says_what_may_be_sent_and_more_only_to_a_page_that_may() -> None:
    assert cors.options((), ASKED).fields == [(b"allow", METHODS)]
    assert cors.options(("https://shop.example",), {}).fields == [(b"allow", METHODS)]
    told = dict(cors.options(("https://shop.example",), ASKED).fields)
    assert (told[cors.NAMED], told[b"access-control-allow-methods"]) == (SHOP, METHODS)
    assert (told[b"access-control-allow-headers"], told[b"access-control-max-age"]) == (b"x-a, x-b", b"600")
    assert cors.options(("*",), ASKED).status == 204


def test_a_function_that_says_who_may_read_it_is_left_to_it() -> None:
    own = [(cors.NAMED, b"https://own.example")]
    assert cors.added(own, cors.fields(("*",), SHOP)) == own
    assert cors.added([], cors.fields(("*",), SHOP)) == [(cors.NAMED, b"*")]

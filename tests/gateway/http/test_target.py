from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.gateway.http.target import KEPT, Kind, Target, Targets, is_registry, parse
from tests.cases import each


@each(
    "url, name, path, query",
    [
        (b"/function/echo", "echo", "/", ""),
        (b"/function/echo/", "echo", "/", ""),
        (b"/function/echo?a=1&b=%20", "echo", "/", "a=1&b=%20"),
        (b"/function/echo/a//b%2Fc/?x", "echo", "/a//b%2Fc/", "x"),
        (b"/function/%65cho/x", "echo", "/x", ""),
        (b"/function/a%2Fb", "a/b", "/", ""),
        (b"/function/", "", "/", ""),
        (b"/function/echo#part?x", "echo", "/", ""),
        (b"/function/echo?q#part", "echo", "/", "q"),
        (b"/function/\xc3\xa9", "\xc3\xa9", "/", ""),
        (b"http://host:80/function/echo/x?y", "echo", "/x", "y"),
        (b"HTTPS://host/function/echo", "echo", "/", ""),
    ],
)
def test_functions(url: bytes, name: str, path: str, query: str) -> None:
    assert parse(url) == Target(Kind.FUNCTION, name, path, query)


@each(
    "url, kind, path",
    [
        (b"/api", Kind.API, "/api"),
        (b"/api/functions", Kind.API, "/api/functions"),
        (b"/apis", Kind.PAGE, "/apis"),
        (b"/", Kind.PAGE, "/"),
        (b"/function", Kind.PAGE, "/function"),
        (b"/Function/x", Kind.PAGE, "/Function/x"),
        (b"//function/x", Kind.PAGE, "//function/x"),
        (b"/../api/x", Kind.PAGE, "/../api/x"),
        (b"http://host", Kind.PAGE, "/"),
        (b"http://host?x", Kind.PAGE, "/"),
        (b"http:///api/x", Kind.API, "/api/x"),
        (b"*", Kind.PAGE, "*"),
        (b"host:443", Kind.PAGE, "host:443"),
    ],
)
def test_everything_else(url: bytes, kind: Kind, path: str) -> None:
    assert parse(url)[:3] == (kind, "", path)


@settings(max_examples=2 * settings().max_examples)
@given(st.binary(max_size=60))
def test_no_target_is_too_absurd(url: bytes) -> None:
    for prefix in (b"", b"/", b"/function/", b"http://"):
        assert parse(prefix + url) == Targets().find(prefix + url)


def test_few_and_short_targets_are_remembered() -> None:
    targets = Targets()
    for number in range(KEPT + 10):
        targets.find(b"/function/f?%d" % number)
    targets.find(b"/" + b"x" * 1000)
    assert len(targets.known) == 10


def test_the_registrys_addresses() -> None:
    assert [path for path in ("/v2", "/v2/", "/v2/a", "/v22", "/a/v2/") if is_registry(path)] == [
        "/v2",
        "/v2/",
        "/v2/a",
    ]

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.dialects.by_host import named_by
from attacca.gateway.dialects.speaking import speak
from tests.cases import each
from tests.gateway.http.stage import Stage, error
from tests.gateway.wire import get


def stage(config: GatewayConfig | None = None) -> Stage:
    here = Stage(config or GatewayConfig(dialects=("dirigent",)))
    speak(here.server)
    return here


def call(host: str, *lines: str, path: str = "/", body: bytes = b"1") -> bytes:
    head = (f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(head).encode() + body


def test_a_function_is_called_by_its_name_in_host() -> None:
    line = stage().connect()
    for host in ("echo", "echo:80", "echo"):
        assert line.ask(call(host)).body == b"1"


def test_our_own_addresses_are_as_they_were() -> None:
    line = stage().connect()
    assert line.ask(call("localhost", path="/function/echo")).body == b"1"
    assert line.ask(get("/healthz")).status == 200
    assert line.ask(call("127.0.0.1")).status in (404, 405)


def test_a_name_that_is_none_is_not_found() -> None:
    assert error(stage().connect().ask(call("nothing"))) == (404, "not_found")


@pytest.mark.parametrize("lines", [("Origin: http://evil.example",), ("Sec-Fetch-Site: cross-site",), ("Host: other",)])
def test_what_a_strangers_page_makes_a_browser_ask_is_refused(lines: tuple[str, ...]) -> None:
    assert stage().connect().ask(call("echo", *lines)).status in (400, 401, 403)


def test_without_the_dialect_a_foreign_host_is_refused() -> None:
    assert stage(GatewayConfig()).connect().ask(call("echo", path="/function/echo")).status in (401, 403)


def test_where_everybody_needs_a_token_it_is_needed_here_too() -> None:
    here = Stage(GatewayConfig(host="0.0.0.0", dialects=("dirigent",)), allow=lambda shown: shown == b"Bearer t")
    speak(here.server)
    line = here.connect()
    assert line.ask(call("echo")).status == 401
    line = here.connect()
    assert line.ask(call("echo", "Authorization: Bearer t")).body == b"1"


@each("host", [b"", b"localhost", b"127.0.0.1:80", b"[::1]:80", b"evil.example", b"x" * 64, b":80"])
def test_what_names_no_function(host: bytes) -> None:
    assert named_by(host) is None

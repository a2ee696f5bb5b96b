"""Where answers are posted to: what is allowed, what is sent, and what counts as taken."""

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadRequest
from attacca.gateway.callbacks import Callbacks, NotAllowed, message, parse, refused
from attacca.model.async_call import AsyncCall, Record, State
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from tests.cases import each

PUBLIC = Callbacks((), 10.0)


@each(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1"),
        *("ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not PUBLIC.allows(ipaddress.ip_address(address))
    shown = f"[{address}]" if ":" in address else address
    with pytest.raises(BadRequest, match="no callback goes to"):
        PUBLIC.expect(f"http://{shown}/x")


@each("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_is_allowed(address: str) -> None:
    assert PUBLIC.allows(ipaddress.ip_address(address))


def test_networks_of_the_settings_are_allowed_beside() -> None:
    callbacks = Callbacks(("10.1.0.0/16", "::1"), 10.0)
    allowed = {text: callbacks.allows(ipaddress.ip_address(text)) for text in ("10.1.2.3", "10.2.0.1", "::1", "::2")}
    assert allowed == {"10.1.2.3": True, "10.2.0.1": False, "::1": True, "::2": False}
    assert callbacks.allows(ipaddress.ip_address("::ffff:10.1.2.3")), "the same address, written otherwise"
    assert repr(callbacks) == "<Callbacks 2 networks beside the public ones, 10 s>"


@each(
    "url",
    [
        *(
            "",
            "x",
            "ftp://x/",
            "http://",
            "http:///x",
            "http://u@x/",
            "http://u:p@x/",
            "http://x:99999/",
            "http://x y/",
        ),
        *("http://é/", "http://x/\r\nhost: y", "http://[::1", "https://x/" + "y" * 2048, "//x/y", "javascript:1"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        parse(url)


def test_an_address_comes_apart() -> None:
    target = parse("https://Example.org:8443/a/b?c=d#e")
    assert (target.scheme, target.host, target.port) == ("https", "example.org", 8443)
    assert (target.authority, target.path) == ("Example.org:8443", "/a/b?c=d")
    assert parse("http://example.org").path == "/"


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_address_breaks_out_of_its_request(text: str) -> None:
    try:
        target = parse(f"http://{text}")
    except BadRequest:
        return
    head, _ = message(target, Record(AsyncCall(id="a", function="f", at=0.0), None, Ok()))
    lines = head.split(b"\r\n")
    assert lines[0].count(b" ") == 2
    assert lines[0].endswith(b" HTTP/1.1")
    assert [line.partition(b":")[0] for line in lines[1:3]] == [b"host", b"user-agent"]


@each(
    "outcome, status, kind, body",
    [
        (Ok(b"{}", status=201), b"201", b"application/json", b"{}"),
        (Ok(b"x", "", 200, ((b"Content-Type", b"image/png"),)), b"200", b"image/png", b"x"),
        (Ok(b"x", "text/plain\r\nx-evil: 1"), b"200", b"text/plainx-evil: 1", b"x"),
        (FunctionError("E", "no"), b"500", b"application/json", b'{"error":{"code":"function_error","message":"no"}}'),
        (Failed("timeout", "late"), b"500", b"application/json", b'{"error":{"code":"timeout","message":"late"}}'),
        (None, b"500", b"application/json", b""),
    ],
)
def test_an_answer_is_posted_as_it_is(outcome: Outcome | None, status: bytes, kind: bytes, body: bytes) -> None:
    call = AsyncCall(id="a", function="f", at=0.0, state=State.DONE, attempts=2)
    head, sent = message(parse("http://x.org/y"), Record(call, None, outcome))
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    assert sent == body
    assert fields[b"content-length"] == b"%d" % len(body)
    assert (fields[b"x-attacca-function-status"], fields[b"content-type"]) == (status, kind)
    assert (fields[b"x-attacca-call-id"], fields[b"x-attacca-attempts"]) == (b"a", b"2")


@each(
    "line, why",
    [
        (b"HTTP/1.1 200 OK\r\n", ""),
        (b"HTTP/1.0 204\r\n", ""),
        (b"HTTP/1.1 301 Moved\r\n", "it answered 301"),
        (b"HTTP/1.1 500 No\r\n", "it answered 500"),
        (b"HTTP/2 200\r\n", "it answered with something that is no HTTP"),
        (b"220 mail.example\r\n", "it answered with something that is no HTTP"),
        (b"\r\n", "it answered with something that is no HTTP"),
    ],
)
def test_only_a_good_answer_takes_it(line: bytes, why: str) -> None:
    assert refused(line) == why


def test_a_name_that_means_one_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the other addresses are; and where it was a public one when it was accepted."""

    async def script() -> None:
        loop = asyncio.get_running_loop()

        async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        PUBLIC.expect("http://rebound.example/")
        call = AsyncCall(id="a", function="f", at=0.0, callback="http://rebound.example/")
        with pytest.raises(NotAllowed, match=r"127\.0\.0\.1"):
            await PUBLIC.post(Record(call, None, Ok()))

    asyncio.run(script())

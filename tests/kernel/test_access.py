"""Who may do what, as a table: one decision for functions, the admin API and metrics."""

from ipaddress import IPv6Address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.access import (
    Asked,
    Caller,
    Door,
    Refusal,
    authority,
    bearer,
    caller,
    is_local,
    is_loopback,
    is_of_a_proxy,
    misnamed,
    refuse,
)
from tests.cases import each

OWNER, ROOT, OTHER = 1000, 0, 1001
LOOPBACK, OPEN = Door(OWNER, is_loopback=True), Door(OWNER, is_loopback=False)
BEHIND = Door(OWNER, is_loopback=True, knows_proxies=True)
PUBLIC, OPEN_PUBLIC = Door(OWNER, is_loopback=True, is_public=True), Door(OWNER, is_loopback=False, is_public=True)
TOKEN = "Bearer right"
HERE = "localhost:8080"
OK = "ok"


def found(refusal: Refusal | None) -> str:
    if refusal is None:
        return OK
    assert "token" in refusal.hint.lower()
    return f"{refusal.code} {refusal.message}"


def is_right(token: str) -> bool:
    return token == "right"


def agrees(said: str, expected: str) -> bool:
    code, _, word = expected.partition(" ")
    return said.partition(" ")[0] == code and word in said


# door, peer, host, origin, authorization -> ok or the code and a word of the reason
OPERATIONS = [
    (LOOPBACK, OWNER, HERE, None, None, OK),
    (LOOPBACK, ROOT, HERE, None, None, OK),
    (LOOPBACK, OWNER, None, None, None, OK),
    (LOOPBACK, OWNER, "127.0.0.1:8080", None, None, OK),
    (LOOPBACK, OWNER, "[::1]:8080", None, None, OK),
    (LOOPBACK, OTHER, "localhost", None, None, "unauthorized own"),
    (LOOPBACK, None, "localhost", None, None, "unauthorized which user"),
    (LOOPBACK, OWNER, "evil.example", None, None, "forbidden Host"),
    (LOOPBACK, OWNER, "localhost.evil.example:8080", None, None, "forbidden Host"),
    (LOOPBACK, ROOT, "10.0.0.1", None, None, "forbidden Host"),
    (LOOPBACK, OWNER, HERE, "http://localhost:8080", None, "forbidden page"),
    (LOOPBACK, OWNER, HERE, "http://evil.example", None, "forbidden page"),
    (LOOPBACK, OWNER, HERE, "http://localhost:3000", None, "forbidden page"),
    (LOOPBACK, OWNER, HERE, "null", None, "forbidden page"),
    (LOOPBACK, OWNER, HERE, "", None, "forbidden page"),
    (LOOPBACK, OWNER, None, "http://localhost:8080", None, "forbidden page"),
    (LOOPBACK, OTHER, "localhost", None, TOKEN, OK),
    (LOOPBACK, None, "evil.example", "http://evil.example", TOKEN, OK),
    (LOOPBACK, OWNER, "localhost", None, "Bearer wrong", "unauthorized known"),
    (LOOPBACK, OWNER, "localhost", None, "Bearer ", "unauthorized Bearer"),
    (LOOPBACK, OWNER, "localhost", None, "Basic right", "unauthorized Bearer"),
    (OPEN, OWNER, "localhost", None, None, "unauthorized other machines"),
    (OPEN, ROOT, "localhost", None, None, "unauthorized other machines"),
    (OPEN, None, "functions.example", None, TOKEN, OK),
    (OPEN, None, "functions.example", None, "bearer right", OK),
    (OPEN, None, "functions.example", None, "Bearer wrong", "unauthorized known"),
    (PUBLIC, OTHER, HERE, None, None, "unauthorized own"),
    (OPEN_PUBLIC, OWNER, HERE, None, None, "unauthorized other machines"),
]


@each("door, peer, host, origin, authorization, expected", OPERATIONS)
def test_who_may_operate(
    door: Door, peer: int | None, host: str | None, origin: str | None, authorization: str | None, expected: str
) -> None:
    one = Caller(host=host, origin=origin, authorization=authorization)
    assert agrees(found(refuse(door, one, Asked.OPERATION, is_right, lambda: peer)), expected)


# door, peer, Sec-Fetch-Site, authorization, the schema?, shared uid? -> the same
MORE = [
    (LOOPBACK, OWNER, "none", None, False, False, OK),
    (LOOPBACK, OWNER, "same-origin", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "same-site", None, False, False, "forbidden page"),
    (LOOPBACK, ROOT, "cross-site", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "none, none", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "same-origin", TOKEN, False, False, OK),
    (LOOPBACK, OWNER, "same-origin", None, True, False, OK),
    (LOOPBACK, OWNER, "cross-site", None, True, True, OK),
    (LOOPBACK, OTHER, None, None, True, True, "unauthorized own"),
    (LOOPBACK, OWNER, None, "Bearer wrong", True, False, "unauthorized known"),
    (OPEN, None, None, None, True, False, "unauthorized other machines"),
    (LOOPBACK, OWNER, None, None, False, True, "unauthorized network"),
    (LOOPBACK, ROOT, None, None, False, True, "unauthorized network"),
    (LOOPBACK, OWNER, "same-origin", None, False, True, "forbidden page"),
    (LOOPBACK, OWNER, None, TOKEN, False, True, OK),
    (OPEN, OWNER, None, TOKEN, False, True, OK),
]


@each("door, peer, fetch_site, authorization, schema, shared, expected", MORE)
def test_who_may_operate_from_a_page_or_as_a_sandbox(
    door: Door, peer: int | None, fetch_site: str | None, authorization: str | None, schema: bool, shared: bool,  # noqa: FBT001
    expected: str,
) -> None:  # fmt: skip
    one = Caller(host="localhost", fetch_site=fetch_site, authorization=authorization)
    asked = Asked.SCHEMA if schema else Asked.OPERATION
    assert agrees(found(refuse(door, one, asked, is_right, lambda: peer, is_uid_shared=shared)), expected)


# door, host, origin, Sec-Fetch-Site, authorization -> the same
CALLS = [
    (LOOPBACK, HERE, None, None, None, OK),  # tools
    (LOOPBACK, None, None, None, None, OK),  # HTTP/1.0
    (LOOPBACK, HERE, None, "none", None, OK),  # typed into the browser
    (LOOPBACK, HERE, "http://localhost:8080", "same-origin", None, OK),  # a page of a function
    (LOOPBACK, HERE, "http://LOCALHOST:8080", None, None, OK),
    (LOOPBACK, HERE, None, "same-origin", None, OK),
    (LOOPBACK, "[::1]:8080", "http://[::1]:8080", "same-origin", None, OK),
    (LOOPBACK, "localhost.:8080", "http://localhost.:8080", "same-origin", None, OK),
    (LOOPBACK, "127.0.0.1:9000", "http://127.0.0.1:9000", None, None, OK),  # a forwarded port
    (LOOPBACK, HERE, "http://localhost:8080", "cross-site", None, "forbidden page"),
    (LOOPBACK, HERE, "http://localhost:8080", "same-site", None, "forbidden page"),
    (LOOPBACK, HERE, "http://localhost:3000", "same-site", None, "forbidden page"),
    (LOOPBACK, HERE, "https://localhost:8080", None, None, "forbidden page"),
    (LOOPBACK, HERE, "http://localhost", None, None, "forbidden page"),
    (LOOPBACK, HERE, "http://127.0.0.1:8080", None, None, "forbidden page"),
    (LOOPBACK, HERE, "http://evil.example", None, None, "forbidden page"),  # a simple POST of an old browser
    (LOOPBACK, HERE, None, "cross-site", None, "forbidden page"),  # an image, a form, a link
    (LOOPBACK, HERE, "null", None, None, "forbidden page"),
    (LOOPBACK, HERE, "", "none", None, "forbidden page"),
    (LOOPBACK, HERE, None, "none, same-origin", None, "forbidden page"),
    (LOOPBACK, HERE, "http://localhost:8080, http://localhost:8080", None, None, "forbidden page"),
    (LOOPBACK, None, "http://localhost:8080", None, None, "forbidden page"),
    (LOOPBACK, "evil.example", None, None, None, "forbidden Host"),  # rebinding
    (LOOPBACK, "evil.example:8080", "http://evil.example:8080", "same-origin", None, "forbidden Host"),
    (LOOPBACK, "localhost.evil.example", None, None, None, "forbidden Host"),
    (LOOPBACK, "0.0.0.0:8080", None, None, None, "forbidden Host"),
    (LOOPBACK, "evil.example", "http://evil.example", "cross-site", TOKEN, OK),
    (LOOPBACK, "evil.example", None, None, "Bearer wrong", "forbidden Host"),
    (LOOPBACK, HERE, None, None, "Bearer of.the.function", OK),  # which may have an Authorization of its own
    (LOOPBACK, HERE, None, None, "Basic eDp4", OK),
    (OPEN, HERE, None, None, None, "unauthorized other machines"),
    (OPEN, "functions.example", None, None, TOKEN, OK),
    (OPEN, "functions.example", "http://elsewhere.example", "cross-site", TOKEN, OK),
    (OPEN, "functions.example", None, None, "Bearer wrong", "unauthorized known"),
    (OPEN, "functions.example", None, None, "Basic eDp4", "unauthorized Bearer"),
    (PUBLIC, "evil.example", "null", "cross-site", None, OK),
    (OPEN_PUBLIC, "functions.example", "http://evil.example", "cross-site", "Bearer wrong", OK),
]


@each("door, host, origin, fetch_site, authorization, expected", CALLS)
def test_who_may_call_a_function(
    door: Door, host: str | None, origin: str | None, fetch_site: str | None, authorization: str | None, expected: str
) -> None:
    one = Caller(host=host, origin=origin, fetch_site=fetch_site, authorization=authorization)
    assert agrees(found(refuse(door, one, Asked.FUNCTION, is_right, unasked)), expected)


def unasked() -> int | None:
    raise AssertionError("it decides nothing here who that is")


PROXIES = [
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Whatever", "X-Forwarded",
    "X_Forwarded_For", "Via", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "Client-IP", "True-Client-IP",
    "CF-Connecting-IP", "CF-Ray", "CDN-Loop", "Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-Amz-Cf-Id",
    "X-Envoy-External-Address", "X-Original-Forwarded-For", "X-Original-Host", "Tailscale-User-Login", "X-Varnish",
    "X-ARR-SSL", "Akamai-Origin-Hop", "Incap-Client-IP", "X-Sucuri-ClientIP", "CloudFront-Viewer-Country",
]  # fmt: skip


@each("name", PROXIES)
def test_what_came_through_a_proxy_needs_a_token(name: str) -> None:
    head = [(b"host", b"localhost:8080"), (name.lower().encode(), b"")]
    for asked in Asked:
        assert agrees(found(refuse(LOOPBACK, caller(head), asked, is_right, unasked)), "unauthorized proxy")
        with_token = caller([*head, (b"authorization", b"Bearer right")])
        assert refuse(LOOPBACK, with_token, asked, is_right, unasked) is None
    assert refuse(PUBLIC, caller(head), Asked.FUNCTION, is_right, unasked) is None
    assert refuse(PUBLIC, caller(head), Asked.OPERATION, is_right, unasked) is not None


@each(
    "name",
    [
        *(
            "accept",
            "accept-encoding",
            "user-agent",
            "content-type",
            "content-length",
            "cookie",
            "referer",
            "x-request-id",
        ),
        *("traceparent", "x-attacca-detail", "viable", "x-forward", "x-original-filename", "x-client-version", "cfoo"),
    ],
)
def test_what_clients_say_of_themselves_is_no_proxys(name: str) -> None:
    assert not is_of_a_proxy(name.encode())


def test_who_calls_is_asked_only_when_it_decides() -> None:
    cases = [
        Caller(host=HERE, authorization=TOKEN), Caller(host=HERE, authorization="Bearer wrong"),
        Caller(host="evil.example"), Caller(host=HERE, origin="null"), Caller(host=HERE, is_proxied=True),
    ]  # fmt: skip
    for one in cases:
        refuse(LOOPBACK, one, Asked.OPERATION, is_right, unasked)
        refuse(OPEN, one, Asked.OPERATION, is_right, unasked)
    for asked in (Asked.OPERATION, Asked.SCHEMA):
        with pytest.raises(AssertionError):
            refuse(LOOPBACK, Caller(host=HERE), asked, is_right, unasked)


TEXT = st.sampled_from(["localhost", HERE, "evil.example", "null", "", "none", "same-origin", "cross-site", TOKEN, "x"])
CALLERS = st.builds(
    Caller, host=st.none() | TEXT, origin=st.none() | TEXT, fetch_site=st.none() | TEXT, authorization=st.none() | TEXT,
    is_proxied=st.booleans(),
)  # fmt: skip
DOORS = st.sampled_from([LOOPBACK, OPEN, PUBLIC, OPEN_PUBLIC, BEHIND])
UIDS = st.sampled_from([None, OWNER, ROOT, OTHER])


@given(DOORS, CALLERS, UIDS)
def test_who_may_operate_may_read_the_schema_and_call(door: Door, one: Caller, uid: int | None) -> None:
    refusals = {asked: refuse(door, one, asked, is_right, lambda: uid) for asked in Asked}
    if refusals[Asked.OPERATION] is None:
        assert set(refusals.values()) == {None}


@given(DOORS, CALLERS, UIDS)
def test_a_token_never_hurts(door: Door, one: Caller, uid: int | None) -> None:
    with_token = msgspec.structs.replace(one, authorization=TOKEN)
    for asked in Asked:
        assert refuse(door, with_token, asked, is_right, lambda: uid) is None


@given(CALLERS, UIDS)
def test_what_browsers_and_proxies_add_never_helps(one: Caller, uid: int | None) -> None:
    plain = msgspec.structs.replace(one, origin=None, fetch_site=None, is_proxied=False)
    for asked in Asked:
        if refuse(LOOPBACK, one, asked, is_right, lambda: uid) is None:
            assert refuse(LOOPBACK, plain, asked, is_right, lambda: uid) is None


def test_functions_may_be_called_through_a_proxy_that_is_known_and_nothing_else_may() -> None:
    through = Caller(host=HERE, is_proxied=True)
    assert refuse(BEHIND, through, Asked.FUNCTION, is_right, unasked) is None
    assert refuse(LOOPBACK, through, Asked.FUNCTION, is_right, unasked) is not None
    for asked in (Asked.OPERATION, Asked.SCHEMA):
        assert refuse(BEHIND, through, asked, is_right, unasked) is not None
    for other in (Caller(host="evil.example", is_proxied=True), Caller(host=HERE, origin="null", is_proxied=True)):
        assert refuse(BEHIND, other, Asked.FUNCTION, is_right, unasked) is not None


def test_two_of_one_kind_pass_for_neither() -> None:
    assert caller([(b"host", b"localhost"), (b"host", b"localhost")]).host == "localhost, localhost"
    assert caller([(b"sec-fetch-site", b"none")] * 2).fetch_site == "none, none"
    assert caller([(b"x", b"y")]) == Caller()


GOOD_HOSTS = {
    "localhost": "localhost", "localhost.": "localhost.", "LocalHost:0": "LocalHost", "localhost:65535": "localhost",
    "127.0.0.1:80": "127.0.0.1", "[::1]": "::1", "[::1]:8080": "::1", "[0:0:0:0:0:0:0:1]": "::1",
    "a_b-c.d~": "a_b-c.d~",
    "[::ffff:127.0.0.1]:1": str(IPv6Address("::ffff:7f00:1")), "evil.example:1": "evil.example", "1": "1", "..": "..",
}  # fmt: skip
BAD_HOSTS = [
    "", " ", ":", ":80", "localhost:", "localhost:abc", "localhost: 80", "localhost:-1", "127.0.0.1:-1", "localhost:+1",
    "localhost:65536", "localhost:99999999", "localhost:" + "9" * 5000, "localhost:80:80", "localhost:８０",
    "localhost:1_0", "[::1", "::1]", "::1", "[::1]x", "[::1]:", "[::1]:x", "[]", "[:]", "[1]", "[::1%25eth0]",
    "[::1%lo]",
    "[localhost]", "[1::2::3]", "a b", "a\tb", "user@localhost", "http://localhost", "localhost/x", "localhost?x",
    "localhost#", "local\\host", "localhost,localhost", "löcalhost", "\xff", "\0", "local\0host", "localhost\n",
    "localhost\r", "localhost:80\n", "localhost\x0b", "%6cocalhost", "*", "<b>", "a" * 256,
]  # fmt: skip


@each("host", GOOD_HOSTS)
def test_a_host_is_a_name_or_an_address_and_perhaps_a_port(host: str) -> None:
    assert authority(host.encode()) == GOOD_HOSTS[host]
    assert misnamed([host.encode()], is_needed=True) is None


def test_all_else_is_malformed() -> None:
    for host in BAD_HOSTS:
        raw = host.encode("utf-8" if any(ord(one) > 255 for one in host) else "latin-1")
        assert authority(raw) is None, host
        if raw == raw.strip(b" \t"):
            assert misnamed([raw], is_needed=False) is not None, host
        assert not is_local(host), host


def test_a_head_has_one_host_and_in_http_1_0_perhaps_none() -> None:
    assert misnamed([], is_needed=False) is None
    assert misnamed([], is_needed=True) is not None
    assert misnamed([b"localhost", b"localhost"], is_needed=False) is not None
    assert misnamed([b" localhost\t"], is_needed=True) is None


@given(st.binary(max_size=30))
def test_whatever_is_in_a_host_nothing_is_raised(raw: bytes) -> None:
    authority(raw)
    is_local(raw.decode("latin-1"))


@each("host", ["localhost", "LOCALHOST.", "127.8.9.1:1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1.", "localhost:1"])
def test_names_of_this_machine(host: str) -> None:
    assert is_local(host)


@each(
    "host",
    ["", "local", "localhost.evil", "127.0.0.1.nip.io", "0.0.0.0", "[::2]", "[", "1::2::3", "127.1", "0x7f.1",
     "evil.localhost",
     "2130706433", "[::ffff:10.0.0.1]", "localhost, localhost", "localhost\u0130"],
)  # fmt: skip
def test_names_of_others(host: str) -> None:
    assert not is_local(host)


@each("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST."])
def test_loopback(address: str) -> None:
    assert is_loopback(address)


@each("address", ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"])
def test_not_loopback(address: str) -> None:
    assert not is_loopback(address)


def test_a_bearer_token_is_what_follows_the_word() -> None:
    assert bearer("Bearer  abc ") == "abc"
    assert bearer("Bearer") is None
    assert bearer("") is None

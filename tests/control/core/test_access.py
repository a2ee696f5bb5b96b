import msgspec
import pytest

from attacca.control.core.access import Caller, Door, bearer, is_local, refuse, refuse_host_network

OWNER, ROOT, OTHER = 1000, 0, 1001
LOOPBACK, OPEN = Door(OWNER, is_loopback=True), Door(OWNER, is_loopback=False)
TOKEN = "Bearer right"


def caller(peer_uid: int | None, host: str | None, origin: str | None, authorization: str | None) -> Caller:
    return Caller(peer_uid=peer_uid, host=host, origin=origin, authorization=authorization)


# door, peer, host, origin, authorization -> ok or the code and a word of the reason
TABLE = [
    (LOOPBACK, OWNER, "localhost:8080", None, None, "ok"),
    (LOOPBACK, ROOT, "localhost:8080", None, None, "ok"),
    (LOOPBACK, OWNER, None, None, None, "ok"),
    (LOOPBACK, OWNER, "127.0.0.1:8080", None, None, "ok"),
    (LOOPBACK, OWNER, "[::1]:8080", None, None, "ok"),
    (LOOPBACK, OTHER, "localhost", None, None, "unauthorized own"),
    (LOOPBACK, None, "localhost", None, None, "unauthorized which user"),
    (LOOPBACK, OWNER, "evil.example", None, None, "forbidden Host"),
    (LOOPBACK, OWNER, "localhost.evil.example:8080", None, None, "forbidden Host"),
    (LOOPBACK, ROOT, "10.0.0.1", None, None, "forbidden Host"),
    (LOOPBACK, OWNER, "localhost:8080", "http://localhost:8080", None, "forbidden page"),
    (LOOPBACK, OWNER, "localhost:8080", "http://evil.example", None, "forbidden page"),
    (LOOPBACK, OWNER, "localhost:8080", "http://localhost:3000", None, "forbidden page"),
    (LOOPBACK, OWNER, "localhost:8080", "null", None, "forbidden page"),
    (LOOPBACK, OWNER, None, "http://localhost:8080", None, "forbidden page"),
    (LOOPBACK, OTHER, "localhost", None, TOKEN, "ok"),
    (LOOPBACK, None, "evil.example", "http://evil.example", TOKEN, "ok"),
    (LOOPBACK, OWNER, "localhost", None, "Bearer wrong", "unauthorized known"),
    (LOOPBACK, OWNER, "localhost", None, "Bearer ", "unauthorized Bearer"),
    (LOOPBACK, OWNER, "localhost", None, "Basic right", "unauthorized Bearer"),
    (OPEN, OWNER, "localhost", None, None, "unauthorized other machines"),
    (OPEN, ROOT, "localhost", None, None, "unauthorized other machines"),
    (OPEN, None, "functions.example", None, TOKEN, "ok"),
    (OPEN, None, "functions.example", None, "bearer right", "ok"),
    (OPEN, None, "functions.example", None, "Bearer wrong", "unauthorized known"),
]


@pytest.mark.parametrize(("door", "peer", "host", "origin", "authorization", "expected"), TABLE)
def test_who_may_come_in(
    door: Door, peer: int | None, host: str | None, origin: str | None, authorization: str | None, expected: str
) -> None:
    refusal = refuse(door, caller(peer, host, origin, authorization), lambda token: token == "right")
    if expected == "ok":
        assert refusal is None
    else:
        assert refusal is not None
        code, _, reason = expected.partition(" ")
        assert refusal.code == code
        assert reason in refusal.message
        assert "token" in refusal.hint


# door, peer, Sec-Fetch-Site, authorization, the schema?, shared uid? -> the same
MORE = [
    (LOOPBACK, OWNER, "none", None, False, False, "ok"),
    (LOOPBACK, OWNER, "same-origin", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "same-site", None, False, False, "forbidden page"),
    (LOOPBACK, ROOT, "cross-site", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "none, none", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "", None, False, False, "forbidden page"),
    (LOOPBACK, OWNER, "same-origin", TOKEN, False, False, "ok"),
    (LOOPBACK, OWNER, "same-origin", None, True, False, "ok"),
    (LOOPBACK, OWNER, "cross-site", None, True, True, "ok"),
    (LOOPBACK, OTHER, None, None, True, True, "unauthorized own"),
    (LOOPBACK, OWNER, None, "Bearer wrong", True, False, "unauthorized known"),
    (OPEN, None, None, None, True, False, "unauthorized other machines"),
    (LOOPBACK, OWNER, None, None, False, True, "unauthorized network"),
    (LOOPBACK, ROOT, None, None, False, True, "unauthorized network"),
    (LOOPBACK, OWNER, "same-origin", None, False, True, "forbidden page"),
    (LOOPBACK, OWNER, None, TOKEN, False, True, "ok"),
    (OPEN, OWNER, None, TOKEN, False, True, "ok"),
]


@pytest.mark.parametrize(("door", "peer", "fetch_site", "authorization", "schema", "shared", "expected"), MORE)
def test_who_may_come_in_from_a_page_or_as_a_sandbox(
    door: Door, peer: int | None, fetch_site: str | None, authorization: str | None, schema: bool, shared: bool,  # noqa: FBT001
    expected: str,
) -> None:  # fmt: skip
    one = msgspec.structs.replace(
        caller(peer, "localhost", None, authorization), fetch_site=fetch_site, is_reading_schema=schema
    )
    refusal = refuse(door, one, lambda token: token == "right", is_uid_shared=shared)
    found = "ok" if refusal is None else f"{refusal.code} {refusal.message}"
    code, _, reason = expected.partition(" ")
    assert found.startswith(code)
    assert reason in found


def test_a_function_that_would_be_as_good_as_its_owner_needs_a_token_to_exist() -> None:
    assert refuse_host_network(has_token=True) is None
    refusal = refuse_host_network(has_token=False)
    assert refusal is not None
    assert "ordinary user" in refusal.message
    assert "token create" in refusal.hint


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.8.9.1:1", "[::1]", "::1"])
def test_names_of_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["", "local", "localhost.evil", "127.0.0.1.nip.io", "0.0.0.0", "[::2]", "[", "1::2::3"]
)
def test_names_of_others(host: str) -> None:
    assert not is_local(host)


def test_a_bearer_token_is_what_follows_the_word() -> None:
    assert bearer("Bearer  abc ") == "abc"
    assert bearer("Bearer") is None
    assert bearer("") is None

"""Who may administer a running server: not its functions, not pages in a browser, and on what terms its owner."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import ordinary
from tests.live.whole import Whole, running, until_nothing_is_left

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
JSON = {"content-type": "application/json"}
INSIDER = """
    import http.client

    def insider(port, method="GET", path="/api/functions", headers=None, body=""):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return {"status": answer.status, "body": answer.read().decode()}
        except OSError as error:
            return {"error": type(error).__name__}
"""
ORDERS = [
    ("GET", "/api/functions"), ("GET", "/api/info"), ("GET", "/api/tokens"), ("GET", "/metrics"),
    ("POST", "/api/tokens"), ("POST", "/api/functions"), ("DELETE", "/api/functions/bystander"),
    ("GET", "/api/functions/bystander/logs"),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole") / "state") as one:
        assert one.is_well()
        yield one
    assert one.left() == []


def ask(whole: Whole, method: str, path: str, **more: object) -> dict[str, object]:
    """What a function hears that asks this of its own server."""
    answer = whole.call("insider", {"port": whole.port, "method": method, "path": path, **more})
    assert answer.status == 200, answer
    found: dict[str, object] = answer.value
    return found


def test_a_function_without_a_network_does_not_reach_the_server(whole: Whole) -> None:
    whole.function("insider", INSIDER)
    for method, path in ORDERS:
        assert ask(whole, method, path) == {"error": "ConnectionRefusedError"}


@ONLY_ROOT
@pytest.mark.parametrize(("method", "path"), ORDERS)
def test_a_function_with_the_network_of_the_host_is_a_stranger(whole: Whole, method: str, path: str) -> None:
    whole.function("insider", INSIDER, network="host")
    for headers in ({}, {"authorization": "Bearer guess"}, {"host": "localhost", "x-forwarded-for": "127.0.0.1"}):
        assert ask(whole, method, path, headers=headers)["status"] == 401
    assert ask(whole, "POST", "/function/bystander")["status"] == 200, "what is open to everybody is open to it"
    assert whole.ask("GET", "/api/functions").status == 200, "its owner needs no token, all the same"


@pytest.mark.parametrize("site", ["same-origin", "same-site", "cross-site"])
def test_a_page_in_a_browser_administers_nothing(whole: Whole, site: str) -> None:
    """Also one that a function served: it has the same origin as the admin API."""
    page = {"sec-fetch-site": site}
    for method, path in ORDERS:
        answer = whole.ask(method, path, b"", {**page, **JSON})
        assert (answer.status, answer.code) == (403, "forbidden")
        assert "token" in answer.error["try"]
    assert whole.ask("GET", "/api/functions", b"", {"origin": f"http://127.0.0.1:{whole.port}"}).status == 403
    assert whole.ask("GET", "/api/schema", b"", page).status == 200
    assert whole.ask("GET", "/healthz", b"", page).status == 200
    assert whole.call("bystander", {"n": 1}).status == 200
    token = whole.ask("POST", "/api/tokens", json.dumps({"name": site}).encode(), JSON).value
    with_token = {**page, "authorization": f"Bearer {token['token']}"}
    assert whole.ask("GET", "/api/functions", b"", with_token).status == 200
    assert whole.ask("GET", "/metrics", b"", with_token).status == 200
    assert whole.ask("DELETE", f"/api/tokens/{token['id']}").status == 204
    assert whole.ask("GET", "/api/functions", b"", with_token).status == 401


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that others may enter, as those of tests are not."""
    with tempfile.TemporaryDirectory(prefix="attacca-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@ONLY_ROOT
def test_an_ordinary_users_server_asks_for_a_token_once_a_function_could_pass_for_its_owner(place: Path) -> None:
    python = ordinary.python()
    state = place / "state"
    state.mkdir()
    os.chown(state, ordinary.UID, ordinary.UID)
    with running(state, ordinary=python) as whole:
        assert whole.is_well()
        assert (state / "state.db").stat().st_uid == ordinary.UID
        refused = whole.deploy("insider", INSIDER, network="host")["error"]
        assert refused["code"] == "forbidden"
        assert "ordinary user" in refused["message"]
        assert "token create" in refused["try"]
        assert whole.ask("GET", "/api/functions").status == 200, "nothing has changed yet"
        whole.token = whole.ask("POST", "/api/tokens", b'{"name": "owner"}', JSON).value["token"]
        whole.function("insider", INSIDER, network="host")
        assert_insiders_are_strangers(whole)
        whole.kill()
        until_nothing_is_left(whole)
    with running(state, ordinary=python) as again:
        again.token = whole.token
        assert again.info["restored"] == 2
        assert_insiders_are_strangers(again)
        again.delete("insider")
        again.token = ""
        assert again.ask("GET", "/api/functions").status == 401, "a sandbox of it may still be there"
    until_nothing_is_left(again)
    with running(state, ordinary=python) as last:
        assert last.ask("GET", "/api/functions").status == 200


def assert_insiders_are_strangers(whole: Whole) -> None:
    for method, path in ORDERS:
        assert ask(whole, method, path)["status"] == 401
        assert whole.ask(method, path, b"", {"authorization": "Bearer guess"}).status == 401
    assert whole.ask("GET", "/api/functions").status == 200
    assert whole.ask("GET", "/metrics").status == 200
    token, whole.token = whole.token, ""
    for method, path in ORDERS:
        assert whole.ask(method, path).code == "unauthorized"
    assert whole.ask("GET", "/api/schema").status == 200
    whole.token = token

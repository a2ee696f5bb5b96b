"""The dashboard as it is served: what a browser would ask for, without one."""

import gzip
import http.client
import re
import socket
from pathlib import Path

from tests.live.whole import Whole, running, until

OWN = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
TYPED = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
ALONE_KB = 300
WATCHERS = 100


def test_pages_are_served_and_their_page_alone_may_ask_and_slow_ones_hold_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        whole.function("echo", "def echo(n=0):\n    print('<b>', n)\n    return n\n")
        key = pages(whole)
        asking(whole, key)
        sessions(whole)
        watching(whole)


def pages(whole: Whole) -> str:
    assert whole.ask("GET", "/ui").headers["location"] == "/ui/"
    first = whole.ask("GET", "/ui/", headers=TYPED)
    assert "script-src 'self'" in first.headers["content-security-policy"]
    names = re.findall(r'(?:href|src)="(/ui/-/[^"]+)"', first.body.decode())
    size = 0
    for name in [*names, *imported(whole, names)]:
        got = whole.ask("GET", name, headers={"accept-encoding": "gzip"})
        assert (got.status, got.headers["x-content-type-options"]) == (200, "nosniff")
        size += len(got.body)
    assert size < ALONE_KB << 10
    found = re.search(r'attacca-key" content="([0-9a-f]+)"', first.body.decode())
    assert found is not None
    return found[1]


def imported(whole: Whole, names: list[str]) -> list[str]:
    script = next(name for name in names if name.endswith("app.js"))
    text = gzip.decompress(whole.ask("GET", script, headers={"accept-encoding": "gzip"}).body).decode()
    places = re.findall(r'^  \["[^"]*", "[^"]+", "([^"]+)"\]', text, re.MULTILINE)
    assert len(places) == 10
    return [script.replace("app.js", f"pages/{place}.js") for place in places]


def asking(whole: Whole, key: str) -> None:
    shown = {**OWN, "x-attacca-page": key}
    assert [row["function"] for row in whole.ask("GET", "/ui/api/functions", headers=shown).value] == ["echo"]
    assert whole.ask("GET", "/ui/api/functions", headers=OWN).code == "forbidden"
    assert whole.ask("GET", "/api/functions", headers=OWN).code == "forbidden"
    called = whole.ask("POST", "/ui/function/echo", b'{"n": 7}', {**shown, "content-type": "application/json"})
    assert (called.status, called.value) == (200, 7)
    assert whole.ask("GET", f"/ui/api/explain/{called.headers['x-attacca-invocation-id']}", headers=shown).status == 200
    assert whole.ask("GET", "/ui/api/functions", headers={**shown, "host": "evil.example"}).code == "forbidden"


def sessions(whole: Whole) -> None:
    """Whoever came through a proxy is anybody, and logs in."""
    far = {**OWN, "x-forwarded-for": "10.0.0.9"}
    assert b'attacca-state" content="login"' in whole.ask("GET", "/ui/", headers={**TYPED, **far, **TYPED}).body
    made = whole.ask("POST", "/api/tokens", b'{"name": "ui"}', {"content-type": "application/json"}).value
    begun = whole.ask("POST", "/ui/session", headers={**far, "authorization": f"Bearer {made['token']}"})
    shown = {**far, "cookie": begun.headers["set-cookie"].partition(";")[0], "x-attacca-page": begun.value["key"]}
    assert whole.ask("GET", "/ui/api/info", headers=shown).status == 200
    assert whole.ask("POST", "/ui/function/echo", b"{}", shown).value == 0
    assert whole.ask("DELETE", f"/api/tokens/{made['id']}").status == 204
    until(lambda: whole.ask("GET", "/ui/api/info", headers=shown).status == 401)


def watching(whole: Whole) -> None:
    """A hundred that never read, beside one that does."""
    assert whole.get("/api/overview")["workers"][0]["name"] == "worker"
    assert whole.get("/api/history")["step_s"] == 10.0
    assert whole.ask("GET", "/api/history?function=nobody").code == "not_found"
    sockets = [socket.create_connection(("127.0.0.1", whole.port), 10) for _ in range(WATCHERS)]
    try:
        for one in sockets:
            one.sendall(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        reader = http.client.HTTPConnection("127.0.0.1", whole.port, timeout=30)
        reader.request("GET", "/api/events")
        lines = reader.getresponse()
        assert (lines.readline(), lines.readline()[:7]) == (b"event: overview\n", b"data: {")
        assert whole.call("echo", {"n": 1}).value == 1
        lines.readline()
        told = b""
        while b'"ended":3' not in told:  # a change tells of it
            told = lines.readline()
        reader.close()
    finally:
        for one in sockets:
            one.close()
    assert whole.is_well()

"""Functions that lie in a directory with `calls.toml`: how each is called, and what it answers."""

import http.client
import json
import tomllib
from pathlib import Path
from typing import Any

from attacca.io.archive import pack
from tests.live.patience import PATIENCE_S
from tests.live.whole import Whole, deployment, until

BUILD_S = 300.0  # until an index has given what a function requires


def deploy(server: Whole, name: str, place: Path, **settings: Any) -> None:
    body, kind = deployment(name, pack(place), **settings)
    answer = server.ask("POST", "/api/functions", body, kind, BUILD_S)
    last = json.loads(answer.body.splitlines()[-1])
    assert "done" in last, f"{name} was refused: {last}"


def calls(place: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((place / "calls.toml").read_text())["call"]
    return found


def call(server: Whole, name: str, told: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = dict(told.get("headers", {}))
    body: bytes | None = None
    if "json" in told:
        body = json.dumps(told["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    elif "form" in told:
        body = told["form"].encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif "body" in told:
        body = told["body"].encode()
        headers.setdefault("Content-Type", "text/plain")
    method = told.get("method", "GET" if body is None else "POST")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request(method, f"/function/{name}{told.get('path', '')}", body, headers)
        answer = connection.getresponse()
        return answer.status, [(key.lower(), value) for key, value in answer.getheaders()], answer.read()
    finally:
        connection.close()


def expect(server: Whole, name: str, told: dict[str, Any]) -> list[tuple[str, str]]:
    """It answers as it should. Returns the answer's headers."""
    status, headers, body = call(server, name, told)
    assert status == told.get("status", 200), (told, headers, body)
    for field in told.get("headers_of_answer", []):
        assert tuple(field) in headers, (told, headers)
    if "answer" in told:
        assert json.loads(body) == told["answer"], told
    if "text" in told:
        assert body.decode() == told["text"], told
    if "bytes_of_answer" in told:
        assert len(body) == told["bytes_of_answer"], told
    if told.get("differs"):
        first, second = json.loads(body), json.loads(call(server, name, told)[2])
        assert all(second[key] != value for key, value in first.items()), (first, second)
    if "logged" in told:
        until(lambda: told["logged"] in server.logs(name), told["logged"])
    return headers

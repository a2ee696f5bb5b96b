"""Every function of examples/compat, as its platform's users write it, deployed as it is and called as they would."""

import http.client
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.io.archive import pack
from tests.live.whole import PATIENCE_S, Whole, deployment, running, until

pytestmark = pytest.mark.live

PLACE = Path(__file__).parents[2] / "examples" / "compat"
NAMES = sorted(found.parent.name for found in PLACE.glob("*/calls.toml"))
BUILD_S = 300.0  # until an index has given what a function requires


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("compat") / "state") as whole:
        yield whole


def deploy(server: Whole, name: str) -> None:
    body, kind = deployment(name, pack(PLACE / name), memory_mb=256)
    answer = server.ask("POST", "/api/functions", body, kind, BUILD_S)
    last = json.loads(answer.body.splitlines()[-1])
    assert "done" in last, f"{name} was refused: {last}"


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


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_it_is(server: Whole, name: str) -> None:
    deploy(server, name)
    for told in tomllib.loads((PLACE / name / "calls.toml").read_text())["call"]:
        status, headers, body = call(server, name, told)
        assert status == told.get("status", 200), (told, headers, body)
        for field in told.get("headers_of_answer", []):
            assert tuple(field) in headers, (told, headers)
        if "answer" in told:
            assert json.loads(body) == told["answer"], told
        if "text" in told:
            assert body.decode() == told["text"], told
        if "logged" in told:
            wanted = told["logged"]
            until(lambda wanted=wanted: wanted in server.logs(name), wanted)  # type: ignore[misc]
    server.delete(name)

"""What the OpenAPI document says is what the admin API does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from attacca.control.core.tokens import is_name
from tests.fuzz.house import House

pytestmark = pytest.mark.long  # the document alone takes a while to be made
ENVELOPE = {"$ref": "#/components/schemas/ErrorLine"}
REQUESTS = ("RollbackRequest", "Scale", "PrewarmRequest", "EvictRequest", "CordonRequest", "TokenRequest")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    answer = house.ask("GET", "/api/schema")
    assert answer.status == 200
    return json.loads(answer.body)  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, item in document["paths"].items() for method, one in item.items()]


def test_every_refusal_is_described_as_it_is_sent(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        refused = {int(status): one for status, one in operation["responses"].items() if int(status) >= 400}
        assert {400, 401, 403, 500, 503} <= set(refused), (method, path)
        for status, response in refused.items():
            assert response["content"]["application/json"]["schema"] == ENVELOPE, (method, path, status)


@pytest.mark.parametrize("path", ["/api/functions/nobody", "/api/functions/nobody/prewarm", "/api/tokens/nobody"])
def test_what_is_refused_is_in_the_document(house: House, document: dict[str, Any], path: str) -> None:
    for method, pattern, operation in operations(document):
        if re.fullmatch(re.sub(r"\{\w+\}", "[a-z]+", pattern), path):
            for body in (b"", b"{", b"{}", b'{"unknown":1}', b" " * (2 << 20)):
                answer = house.ask(method.upper(), path, body, "Content-Type: application/json")
                assert str(answer.status) in operation["responses"], (method, path, body[:10], answer.body)
                stranger = house.ask(method.upper(), path, body, "Content-Type: application/json", token="attacca_x")
                assert str(stranger.status) in operation["responses"], (method, path, body[:10], stranger.body)


def test_bodies_that_are_closed_are_described_so(document: dict[str, Any]) -> None:
    for name in REQUESTS:
        assert document["components"]["schemas"][name]["additionalProperties"] is False
    bodies = [one["requestBody"]["content"] for _, _, one in operations(document) if "requestBody" in one]
    forms = [body["multipart/form-data"]["schema"] for body in bodies if "multipart/form-data" in body]
    assert [form["additionalProperties"] for form in forms] == [False, False]
    shown = {body["application/json"]["schema"]["$ref"] for body in bodies if "application/json" in body}
    assert shown == {f"#/components/schemas/{name}" for name in REQUESTS}


@pytest.mark.parametrize("name", ["", "a", "a b", "a" * 63, "a" * 64, " a", "a\n", "\n", "é", "a/b", "A.b_c@d-e", "-a"])
def test_the_pattern_of_a_tokens_name_is_what_is_taken(document: dict[str, Any], name: str) -> None:
    described = document["components"]["schemas"]["TokenRequest"]["properties"]["name"]
    is_described = re.search(described["pattern"], name) is not None and len(name) <= described["maxLength"]
    assert is_described is is_name(name)


@pytest.mark.parametrize("where", ["x", "x/y", "swagger", "redoc", "openapi.yml", "openapi.json/x", "%00", "..%2finfo"])
def test_below_the_document_there_is_nothing_in_html(house: House, where: str) -> None:
    answer = house.ask("GET", f"/api/schema/{where}")
    assert answer.status in (400, 404)
    assert {"code", "message", "try"} <= set(json.loads(answer.body)["error"])


def test_that_values_of_the_environment_are_not_shown_is_said(document: dict[str, Any]) -> None:
    settings = document["components"]["schemas"]["Settings"]["properties"]
    assert "***" in settings["env"]["description"]
    assert "attacca secret set" in settings["secrets"]["description"]


def test_a_secret_is_any_bytes(house: House, document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/secrets/{name}"]["put"]
    assert list(operation["requestBody"]["content"]) == ["application/octet-stream"]
    assert house.ask("PUT", "/api/secrets/A", bytes(range(256))).status == 200
    for name, value, status in (
        ("A", b"", 400),
        ("A.B", b"x", 400),
        ("A", b"x" * (64 << 10), 200),
        ("A", b"x" * ((64 << 10) + 1), 413),
    ):
        assert house.ask("PUT", f"/api/secrets/{name}", value).status == status
    assert house.ask("DELETE", "/api/secrets/A").status == 204
    assert house.ask("DELETE", "/api/secrets/A").status == 404


def test_bounds_of_nought_are_described(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/functions/{name}/logs"]["get"]["parameters"]
    [since] = [one for one in parameters if one["name"] == "since"]
    assert since["schema"]["minimum"] == 0

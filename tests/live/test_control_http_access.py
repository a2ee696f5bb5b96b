"""Who may use the admin API, and what it says of itself."""

import json
from pathlib import Path
from typing import Any

from tests.live.test_control_http import JSON, Page, story


def test_strangers_need_a_token(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        made = (await page.post("/api/tokens", {"name": "laptop"})).json
        bearer = {"authorization": f"Bearer {made['token']}"}
        for path in ("/api/functions", "/api/schema", "/api/info"):
            stranger = await page.ask("GET", path, peer_uid=None)
            assert (stranger.status, stranger.headers["www-authenticate"]) == (401, "Bearer")
            assert (await page.ask("GET", path, headers={"host": "evil.example"})).status == 403
            assert (await page.ask("GET", path, peer_uid=None, headers=bearer)).status == 200
        assert [row["name"] for row in (await page.ask("GET", "/api/tokens")).json] == ["laptop"]
        assert (await page.ask("DELETE", f"/api/tokens/{made['id']}")).status == 204
        assert (await page.ask("GET", "/api/info", peer_uid=None, headers=bearer)).status == 401

    story(tmp_path, play)


def test_a_page_in_a_browser_may_only_read_the_schema(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://localhost:8080"}):
            assert (await page.ask("GET", "/api/schema", headers=headers)).status == 200
            assert (await page.ask("GET", "/api/schema/openapi.json", headers=headers)).status == 200
            for path in ("/api/info", "/api/schema/../info", "/api/schemas"):
                assert (await page.ask("GET", path, headers=headers)).status in (403, 404)
            assert (await page.ask("POST", "/api/tokens", b"{}", headers={**JSON, **headers})).status == 403
        assert (await page.ask("GET", "/api/info", headers={"sec-fetch-site": "none"})).status == 200

    story(tmp_path, play)


def test_on_an_open_address_everyone_does(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        assert (await page.ask("GET", "/api/functions")).status == 401

    story(tmp_path, play, is_loopback=False)


def test_the_schema_names_every_route(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        answer = await page.ask("GET", "/api/schema")
        assert answer.status == 200
        schema = answer.json
        assert schema["info"]["title"] == "attacca"
        assert {"/api/functions", "/api/functions/{name}/logs", "/api/secrets/{name}", "/api/tokens"} <= set(
            schema["paths"]
        )
        assert "memory_mb" in json.dumps(schema["components"])

    story(tmp_path, play)


def test_a_bug_is_told_without_its_insides(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        def broken() -> dict[str, Any]:
            raise ZeroDivisionError("inside")

        page.watched.info = broken  # type: ignore[method-assign]
        answer = await page.ask("GET", "/api/info")
        assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
        assert b"inside" not in answer.body

    story(tmp_path, play)

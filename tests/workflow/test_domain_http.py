"""What whoever listens to a domain hears over HTTP: lines or events, the latter from where it was left."""

import asyncio
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.di import Provide

from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.policy.placement.random import Random
from attacca.workflow.core.pictures import Pictures
from attacca.workflow.core.state import DomainState
from attacca.workflow.domain_http import show_changes
from attacca.workflow.driver import Workflows
from tests.workflow.test_delegation import House, play
from tests.workflow.test_repr import cordon

pytestmark = pytest.mark.long  # an application is made

Event = tuple[str, str, list[Any]]  # its kind, its id, what it says


async def heard(house: House, query: str = "", **headers: str) -> tuple[str, str]:
    """The kind of an answer, and its text."""
    clock, chance = ManualClock(), Streams(1).stream("x")
    made = Workflows(
        MemoryStore(clock), clock, chance, Random(), lambda _, __: None, lambda _: None, "home", cordon, 3.0
    )
    made.delegation = house.delegation
    given = {"workflows": Provide(lambda: made, sync_to_thread=False)}
    app: Any = Litestar([show_changes], dependencies=given, openapi_config=None, logging_config=None)
    sent: list[dict[str, Any]] = []

    is_over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await is_over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message["more_body"]:
            is_over.set()

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": "/api/domain/changes", "raw_path": b"",
        "query_string": query.encode(), "root_path": "", "scheme": "http", "headers": raw, "client": None,
        "server": None, "extensions": {},
    }  # fmt: skip
    await app(scope, receive, send)
    kind = dict(sent[0]["headers"])[b"content-type"].decode()
    return kind, b"".join(one.get("body", b"") for one in sent[1:]).decode()


def events(text: str) -> list[Event]:
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        told = msgspec.json.decode(fields["data"])
        found.append((fields.get("event", ""), fields.get("id", ""), [told[key] for key in ("kind", "name") if told]))
    return found


def test_lines_are_told_unless_events_are_asked_for() -> None:
    async def story(house: House) -> None:
        kind, text = await heard(house, accept="*/*")
        assert kind.startswith("application/x-ndjson")
        assert [msgspec.json.decode(line)["kind"] for line in text.splitlines()] == ["node"] * 2 + ["component"] * 2

    play(story)


def test_events_have_an_id_from_which_they_go_on() -> None:
    async def story(house: House) -> None:
        kind, text = await heard(house, accept="text/event-stream")
        assert kind.startswith("text/event-stream")
        first, *rows = events(text)
        assert first == ("all", "", [])
        assert [row for _, _, row in rows[:2]] == [["node", "n1"], ["node", "n2"]]
        assert [bool(name) for _, name, _ in rows] == [False, False, False, True], "the last of them"
        seen = rows[-1][1]
        assert (await heard(house, accept="text/event-stream", last_event_id=seen))[1] == "", "nothing is new"
        house.stage.kill("n1")
        house.stage.lose("n1")
        later = events((await heard(house, accept="text/event-stream", last_event_id=seen))[1])
        assert ("", "", ["node", "n1"]) in later, "it is gone"
        assert later[0][0] == ""
        for strange in ("x", seen + "9", "-" + "9" * 5000, f"{seen}-", "-²"):
            again = await heard(house, accept="text/event-stream", last_event_id=strange)
            assert events(again[1])[0][0] == "all"

    play(story)


def test_some_pictures_are_kept() -> None:
    pictures = Pictures("a-b", most=2)
    shown = [DomainState(domain=str(number)) for number in range(3)]
    names = [pictures.keep(one) for one in shown]
    assert names == ["a-b-1", "a-b-2", "a-b-3"]
    assert [pictures.find(name) for name in names] == [None, *shown[1:]]
    assert [pictures.find(name) for name in ("", "a-b-0", "a-b-4", "a-b-", "b-1")] == [None] * 5
    assert repr(pictures) == "<Pictures 2 kept of 3>"

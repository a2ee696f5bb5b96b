"""Gateways that keep their calls each on its own machine: any of them, and control, shows and ends all of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.apart import Cluster, Plane, cluster
from tests.live.whole import deployment, until

JSON = {"content-type": "application/json"}
SLOW = """
import os, time
def handler(event, context):
    time.sleep(event.get("s", 0))
    if event.get("fails"):
        raise ValueError("no")
    return event["n"]
"""


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    at = tmp_path_factory.mktemp("planes")
    with cluster(at, workers=1) as made:
        for name in ("one", "two"):
            made.gateway(name, "--set", f"control.state_dir={at / name}")
        made.until_joined()
        retries = {"async": {"retries": 0}}
        assert b'"done"' in made.control.ask("POST", "/api/functions", *deployment("slow", SLOW, **retries)).body
        yield made


def ask(gateway: Plane, **event: object) -> str:
    until(lambda: gateway.call("slow", {"n": 0}).status == 200, "it is known")
    told = gateway.ask("POST", "/async-function/slow", json.dumps(event).encode(), JSON)
    assert told.status == 202, told
    return str(told.value["id"])


def test_a_call_is_found_wherever_it_is_asked_for(planes: Cluster) -> None:
    one, two = planes.gateways["one"], planes.gateways["two"]
    call = ask(one, n=5, s=0.3)
    shown = two.get(f"/calls/{call}?wait=20")
    assert (shown["status"], shown["result"]["body"]) == ("done", 5)
    assert two.ask("GET", f"/calls/{call}/result").body == b"5"
    assert call in {row["id"] for row in planes.control.get("/api/async")}
    assert planes.control.get(f"/api/async/{call}")["call"]["state"] == "done"
    assert planes.control.ask("DELETE", f"/api/async/{call}").status == 200
    assert [gateway.ask("GET", f"/calls/{call}").code for gateway in (one, two)] == ["not_found"] * 2


def test_it_is_cancelled_where_it_is(planes: Cluster) -> None:
    one, two = planes.gateways["one"], planes.gateways["two"]
    call = ask(one, n=5, s=30)
    until(lambda: two.get(f"/calls/{call}")["status"] == "running", "it runs, as the other says")
    answer = two.ask("DELETE", f"/calls/{call}")
    assert (answer.status, answer.value["status"]) == (200, "cancelled")
    assert one.get(f"/calls/{call}")["status"] == "cancelled"
    assert two.ask("DELETE", f"/calls/{call}").code == "conflict"
    assert two.ask("DELETE", f"/calls/{'0' * 32}").code == "not_found"


def test_one_that_is_dead_is_tried_anew_by_who_has_it(planes: Cluster) -> None:
    call = ask(planes.gateways["two"], n=5, fails=True)
    control = planes.control

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = control.get(f"/api/async/{call}")["call"]
        return found

    until(lambda: shown()["state"] == "dead", "it is dead, as control says")
    before = shown()["at"]
    assert control.ask("POST", f"/api/async/{call}/retry").status == 202
    until(lambda: shown()["at"] > before and shown()["state"] == "dead", "it was tried again, and failed again")
    planes.gateways["two"].kill()
    assert control.ask("GET", f"/api/async/{call}").code == "not_found", "it is away with its journal"

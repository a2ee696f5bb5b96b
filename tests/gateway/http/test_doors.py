"""Requests that are for a door of a workflow: by its host, its path, and by whom they may be asked."""

import msgspec
import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.access import Allow
from attacca.model.doors import Door, Doors
from attacca.model.function import EventShape
from attacca.model.invocation import Ok
from attacca.model.messages import Ended
from tests.gateway.core.clustered import clustered
from tests.gateway.http.stage import Stage, error

MADE = msgspec.structs.replace(clustered("demo", concurrency=2), function="w.door", event=EventShape.HTTP)
AT_HOST = Door(MADE, "worker", "w.door.1", "shop.example")
AT_PATH = Door(MADE, "worker", "w.door.1", "", "/shop")


def stage(door: Door, config: GatewayConfig | None = None, allow: Allow | None = None) -> Stage:
    here = Stage(config, allow=allow)
    here.do(here.gateway.hear, Doors((door,)))
    return here


def asked(here: Stage, host: str, path: str, *lines: str) -> str:
    """What the door's instance is told: path and host; or with which error the request is refused."""
    line, before = here.connect(), len(here.worker.dispatched)
    head = (f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", "")
    line.send("\r\n".join(head).encode())
    if len(here.worker.dispatched) == before:
        answer = line.answer()
        return error(answer).code if answer.status >= 400 else str(answer.status)
    invocation = here.worker.dispatched[-1]
    assert invocation.function == "w.door"
    here.do(here.gateway.receive, Ended(invocation.id, Ok(b"", status=200), 1.0))
    return f"{invocation.request.path} {dict(invocation.request.headers)[b'host'].decode()}"


def test_at_its_host_all_paths_are_a_doors_but_for_the_gateways_own() -> None:
    here = stage(AT_HOST)
    for path in ("/", "/a/b", "/apis"):
        assert asked(here, "Shop.example:80", path) == f"{path} Shop.example:80"
    assert asked(here, "localhost", "/a") == "not_found"
    assert asked(here, "localhost", "/function/w.door/x") == "/x localhost"
    assert asked(here, "shop.example", "/healthz") == "200"


def test_at_its_path_a_door_is_there_for_whoever_may_ask() -> None:
    here = stage(AT_PATH)
    assert asked(here, "localhost", "/shop/x") == "/shop/x localhost"
    assert asked(here, "localhost", "/shopping") == "not_found"
    assert asked(here, "evil.example", "/shop") in ("unauthorized", "forbidden")


@pytest.mark.parametrize("line", ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"])
def test_what_a_strangers_page_makes_a_browser_ask_is_refused(line: str) -> None:
    assert asked(stage(AT_HOST), "shop.example", "/", line) in ("unauthorized", "forbidden")


def test_where_everybody_needs_a_token_it_is_needed_here_too() -> None:
    here = stage(AT_HOST, GatewayConfig(host="0.0.0.0"), lambda shown: shown == b"Bearer t")
    assert asked(here, "shop.example", "/") == "unauthorized"
    assert asked(here, "shop.example", "/", "Authorization: Bearer t") == "/ shop.example"

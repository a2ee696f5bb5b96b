"""Planes that answer something else than what they are asked for send on who asks."""

from typing import Any

from attacca.errors import NotLeading, Unauthorized
from attacca.gateway.http.handler import Action, Admin, Refuse, Serve
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.plane import PlanePages, ToControl, ToLeader
from attacca.gateway.http.request import Head


class Behind:
    def handle(self, head: Head, ends: Ends) -> Action:
        return Admin("", "")


def head(url: bytes, refusal: Unauthorized | None = None) -> Head:
    return Head(
        method=b"GET", url=url, fields=[], named={}, version="1.1", keep=True, is_old=False, is_head=False,
        is_plain=True, refusal=refusal,
    )  # fmt: skip


ENDS: Any = None


def where(action: Action) -> bytes:
    assert isinstance(action, Serve)
    assert action.answer.status == 307
    return dict(action.answer.fields)[b"location"]


def test_control_sends_those_who_call_functions_to_a_gateway_and_refuses_where_there_is_none() -> None:
    urls = ["http://g:1"]
    plane: Any = None
    pages = PlanePages(plane, plane, lambda: True, lambda: urls[0], has_admin=True)
    assert where(pages.handle(head(b"/function/f?x=1"), ENDS)) == b"http://g:1/function/f?x=1"
    assert isinstance(pages.handle(head(b"/api/functions"), ENDS), Admin)
    assert isinstance(pages.handle(head(b"/v2/fn/tags/list"), ENDS), Admin)
    assert isinstance(pages.handle(head(b"/function/f", Unauthorized("not you")), ENDS), Refuse)
    urls[0] = ""
    assert isinstance(pages.handle(head(b"/function/f"), ENDS), Refuse)
    assert repr(pages) == "<PlanePages <Targets 4 known>, has_admin=True>"


def test_a_gateway_sends_those_who_ask_the_admin_api_to_control() -> None:
    urls = ["http://c:1"]
    handler = ToControl(Behind(), lambda: urls[0])
    assert where(handler.handle(head(b"/api/functions"), ENDS)) == b"http://c:1/api/functions"
    assert isinstance(handler.handle(head(b"/function/api"), ENDS), Admin)
    assert isinstance(handler.handle(head(b"/apis"), ENDS), Admin)
    urls[0] = ""
    assert isinstance(handler.handle(head(b"/api/functions"), ENDS), Refuse)
    assert repr(handler) == "<ToControl <Targets 2 known>>"


def test_a_control_that_does_not_lead_sends_on_who_asks() -> None:
    refusal: list[NotLeading | None] = [NotLeading("another leads", url="http://c2:1")]
    handler = ToLeader(Behind(), lambda: refusal[0])
    assert where(handler.handle(head(b"/api/functions"), ENDS)) == b"http://c2:1/api/functions"
    assert where(handler.handle(head(b"/v2/"), ENDS)) == b"http://c2:1/v2/"
    assert isinstance(handler.handle(head(b"/healthz"), ENDS), Admin)
    refusal[0] = NotLeading("nobody leads")
    assert isinstance(handler.handle(head(b"/api/functions"), ENDS), Refuse)
    refusal[0] = None
    assert isinstance(handler.handle(head(b"/api/functions"), ENDS), Admin)
    assert repr(handler) == "<ToLeader <Targets 3 known>>"

"""attacca's own addresses in memory: who may ask for what, from which page, through which proxy, and what is told."""

import msgspec
import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.asgi_adapter import Receive, Scope, Send
from attacca.model.function import Signature
from attacca.model.invocation import Ok, Request
from attacca.model.messages import Deployed
from tests.cases import each
from tests.fuzz.reading import Answer
from tests.gateway.http.stage import HERE, PEER, Stage, error
from tests.gateway.play import revision
from tests.gateway.wire import get, post, raw

ORIGIN = "Origin: https://app.example"
TOKEN = "Authorization: Bearer right"
EVERYWHERE = GatewayConfig(host="0.0.0.0")
OPEN = (revision("echo", cors=("https://app.example",)), revision("plain"), revision("all", cors=("*",)))


def allow(authorization: bytes | None) -> bool:
    return authorization == b"Bearer right"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def ask(request: bytes, config: GatewayConfig | None = None, *, is_ready: bool = True) -> Answer:
    return Stage(config, admin=app, allow=allow, is_ready=is_ready).connect().ask(request)


# What a function is told.


def test_a_plain_function_gets_no_headers_and_an_asgi_function_all() -> None:
    here = Stage()
    here.worker.answers["stream"] = lambda request: Ok(b"ok", "text/plain")
    line = here.connect()
    line.ask(get("/function/echo/a/b?x=%20", "X-One: 1", method="PATCH"))
    line.ask(get("/function/stream/a/b?x=%20", "X-One: 1", "X-ONE: 2", method="PROPFIND"))
    plain, asgi = (invocation.request for invocation in here.worker.dispatched)
    assert plain == Request(method="PATCH", path="/a/b", query="x=%20")
    headers = ((b"host", b"localhost"), (b"x-one", b"1"), (b"x-one", b"2"))
    client, port = PEER
    assert asgi == Request(method="PROPFIND", path="/a/b", query="x=%20", headers=headers, client=client, port=port)
    assert repr(here.server.handler) == "<Routes 1 plans, <Targets 2 known>>"


def test_a_proxy_that_is_named_says_who_asks() -> None:
    here = Stage()
    line = here.connect()
    fields = "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: site.example"
    line.send(get("/function/stream", *fields))
    told = here.worker.dispatched[-1].request
    assert (told.client, told.port, told.scheme, told.headers[0]) == ("9.9.9.9", 0, "https", (b"host", b"site.example"))


def test_a_function_that_is_deployed_anew_is_asked_in_its_new_way() -> None:
    here = Stage()
    line = here.connect()
    request = get("/function/echo", "X-One: 1")
    assert line.ask(request).status == line.ask(request).status == 200
    assert here.worker.dispatched[-1].request.headers == ()
    here.do(here.gateway.receive, Deployed(2, revision("echo", 2, signature=Signature.ASGI)))
    line.ask(request)
    assert here.worker.dispatched[-1].request.headers != ()


@each(
    "target, status",
    [
        ("http://anything:1/function/echo", 200),
        ("/function/%65cho", 200),
        ("/function/ech%", 404),
        ("/function/" + "%2e" * 500, 404),
        ("/function/", 404),
        ("//", 404),
        ("*", 404),
    ],
)
def test_targets_in_every_form(target: str, status: int) -> None:
    assert ask(get(target)).status == status


# Who may ask.


@pytest.mark.long
@pytest.mark.parametrize("path", ["/function/echo", "/function/nobody", "/healthz", "/metrics", "/api/x", "/nothing"])
@pytest.mark.parametrize(
    "hosts", [[], ["Host: a b"], ["Host:"], ["Host: localhost", "Host: localhost"], ["Host: localhost:99999999"]]
)
def test_a_request_names_one_host(path: str, hosts: list[str]) -> None:
    for config in (None, EVERYWHERE):
        answer = ask(raw(path, *hosts, TOKEN), config)
        assert (error(answer), answer.closes) == ((400, "bad_request"), True)


@each(
    "config, lines, status",
    [
        (None, ["Host: evil.example"], 403),
        (None, ["Host: evil.example", TOKEN], 200),
        (None, ["Host: localhost", "Origin: http://evil.example"], 403),
        (None, ["Host: localhost", "Via: 1.1 x"], 200),
        (GatewayConfig(proxies=()), ["Host: localhost", "Via: 1.1 x"], 401),
        (EVERYWHERE, ["Host: localhost"], 401),
        (EVERYWHERE, ["Host: localhost", TOKEN], 200),
        (EVERYWHERE, ["Host: localhost", "Authorization: Bearer wrong"], 401),
        (GatewayConfig(public=True), ["Host: evil.example", "Origin: null", "Authorization: Basic x"], 200),
    ],
)
def test_who_may_call(config: GatewayConfig | None, lines: list[str], status: int) -> None:
    here = Stage(config, allow=allow)
    line = here.connect()
    for _ in range(3):
        assert line.ask(raw("/function/echo", *lines)).status == status
    early = line.send(raw("/function/echo", *lines, "Content-Length: 9")).answers()
    assert [answer.status for answer in early] == ([] if status == 200 else [status]), "before its body has come, too"
    assert repr(here.server.access).startswith("<Access ")


# Pages of other sites.


def test_a_page_of_another_site_may_call_what_says_so() -> None:
    here = Stage(None, *OPEN)
    line = here.connect()
    for name, told in (("echo", b"https://app.example"), ("all", b"*")):
        here.worker.answers[name] = lambda request: Ok(b"x")
        answer = line.ask(get(f"/function/{name}", ORIGIN, TOKEN))
        assert answer.all(b"access-control-allow-origin") == [told]
    assert line.ask(get("/function/echo", "Origin: https://evil.example")).all(b"access-control-allow-origin") == []
    assert line.ask(get("/function/echo")).all(b"access-control-allow-origin") == []
    assert line.ask(get("/function/plain", ORIGIN)).all(b"access-control-allow-origin") == []


def test_a_refusal_too_can_be_read_by_the_page() -> None:
    answer = Stage(None, *OPEN).connect().ask(get("/function/echo", ORIGIN))
    assert (answer.status, answer.all(b"access-control-allow-origin")) == (403, [b"https://app.example"])


def test_a_streamed_answer_too() -> None:
    here = Stage(None, revision("s", signature=Signature.ASGI, cors=("*",)))
    line = here.connect().send(get("/function/s", ORIGIN, TOKEN.replace("right", "x")))
    assert line.answer().all(b"access-control-allow-origin") == [b"*"]
    here = Stage(GatewayConfig(public=True), revision("s", signature=Signature.ASGI, cors=("*",)))
    line = here.connect().send(get("/function/s", ORIGIN))
    here.start()
    here.head((b"x", b"y"))
    here.end(Ok(streamed=True))
    assert line.answer().all(b"access-control-allow-origin") == [b"*"]


@each(
    "name, lines, status, invoked",
    [
        ("echo", [ORIGIN, "Access-Control-Request-Method: PUT"], 204, 0),
        ("echo", ["Origin: https://evil.example", "Access-Control-Request-Method: PUT"], 403, 0),
        ("echo", [ORIGIN], 403, 0),
        ("echo", [], 204, 0),
        ("plain", [], 204, 0),
        ("plain", [ORIGIN, "Access-Control-Request-Method: PUT"], 403, 0),
        ("nobody", [], 404, 0),
        ("web", [], 200, 1),
        ("web", [ORIGIN, "Access-Control-Request-Method: PUT"], 204, 0),
    ],
)
def test_options(name: str, lines: list[str], status: int, invoked: int) -> None:
    here = Stage(None, *OPEN, revision("web", signature=Signature.ASGI, cors=("*",)))
    here.worker.answers["web"] = lambda request: Ok(b"x")
    line = here.connect()
    for _ in range(2):
        assert line.ask(get(f"/function/{name}", *lines, method="OPTIONS")).status == status
    assert len(here.worker.dispatched) == 2 * invoked


# Pages and the admin API.


def test_the_gateways_own_pages() -> None:
    front = ask(get("/"))
    assert msgspec.json.decode(front.body)["invoke"] == "/function/NAME"
    assert [ask(get("/healthz"), is_ready=ready).status for ready in (True, False)] == [200, 503]
    assert error(ask(get("/nothing/" + "x" * 200))) == (404, "not_found")
    assert error(ask(post("/healthz"))) == (405, "method_not_allowed")
    assert ask(get("/metrics", TOKEN)).body.startswith(b"#")
    assert error(ask(get("/metrics", "Authorization: Bearer wrong"))) == (401, "unauthorized")
    assert ask(get("/healthz", method="HEAD")).body == b""


def test_a_page_does_not_wait_for_a_body() -> None:
    line = Stage().connect().send(post("/healthz", b"abc")[:-2])
    assert error(line.answer()) == (405, "method_not_allowed")
    assert line.ask(b"bc" + get("/healthz")).status == 200
    line = Stage().connect().send(post("/nothing", bytes(70_000))[:-2])
    assert line.has_ended


def test_the_admin_api_is_handed_what_is_below_its_address() -> None:
    assert ask(get("/api/functions/%C3%A9")).body == "/api/functions/é".encode()
    assert ask(get("/api")).status == 200
    assert ask(get("/apis")).status == 404
    assert Stage().connect().ask(get("/api/x")).status == 404, "there is none"


def test_draining_is_seen_in_the_health() -> None:
    here = Stage()
    here.do(here.gateway.drain)
    answer = here.connect().ask(get("/healthz"))
    assert (answer.status, answer.body, answer.closes) == (503, b'{"status":"draining"}', True)


def test_the_ends_of_a_connection_are_asked_for_once() -> None:
    line = Stage().connect()
    ends = line.connection.exchange._ends
    assert (ends.theirs, ends.ours) == (PEER, HERE)
    ends._is_known = True
    assert repr(ends) == f"<Ends {PEER} at {HERE}, user None>"
    assert ends.user() is None

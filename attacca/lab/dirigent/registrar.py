"""The server to which InVitro's loader registers functions: each becomes a deployment over the admin API.

    POST /                 a form: name, image, port_forwarding, bounds, memory; answers where to call it
    GET  /check?name=NAME  200 or 404
    POST /patch            a form: function and its bounds, changed while it runs
    GET  /health           200

Registering a name again deploys it again, and says so with 200: the loader does that at each run.
"""

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import msgspec

from attacca.client.http import Client
from attacca.client.source import Source, deploy, find
from attacca.errors import AttaccaError, BadRequest, Forbidden, MethodNotAllowed, NotFound
from attacca.io.archive import packed
from attacca.lab.dirigent.form import Asked, read, registered, rescaled
from attacca.model.function import Scheduling

BODY_MOST, WAIT_S = 64 * 1024, 30.0
FUNCTION = Path(__file__).parent / "trace_function.py"
FORM = "application/x-www-form-urlencoded"


class Platform(Protocol):
    """Where functions are registered."""

    def deploy(self, asked: Asked) -> None: ...
    def rescale(self, function: str, bounds: Mapping[str, int]) -> None: ...
    def has(self, function: str) -> bool: ...
    def places(self) -> list[str]:
        """Where functions are called: HOST:PORT of each gateway."""


class Server:
    """A running attacca, over its admin API: one deployment after the other, as its client has one connection."""

    def __init__(self, client: Client, images: Mapping[str, Path], at: list[str]) -> None:
        """`images`: what stands for an image; every other is the function of InVitro's traces."""
        self._client, self._images, self._at = client, images, at
        self._one_at_a_time = Lock()

    def __repr__(self) -> str:
        return f"<Server {self._client!r}, {len(self._images)} images>"

    def deploy(self, asked: Asked) -> None:
        path = self._images.get(asked.image, FUNCTION)
        source = find(path, asked.flags, asked.env)
        settings = msgspec.structs.replace(source.settings, scheduling=asked.scheduling)
        if path is FUNCTION:
            settings = msgspec.structs.replace(settings, event="http")
        source = Source(path, settings)
        with self._one_at_a_time, packed(source.path) as archive:
            for _ in deploy(self._client, source, archive, allow_source_builds=False):
                pass

    def rescale(self, function: str, bounds: Mapping[str, int]) -> None:
        with self._one_at_a_time:
            self._client.json("POST", f"/api/functions/{function}/scale", dict(bounds))

    def has(self, function: str) -> bool:
        with self._one_at_a_time:
            return any(row["function"] == function for row in self._client.functions())

    def places(self) -> list[str]:
        return self._at


def answer(platform: Platform, method: str, target: str, body: Callable[[], bytes], scheduling: Scheduling) -> str:
    """What is said to a request.

    Raises:
        AttaccaError: it is refused, or could not be done.
    """
    path, _, query = target.partition("?")
    match method, path:
        case "POST", "/":
            asked = registered(read(body()), scheduling)
            platform.deploy(asked)
            return ";".join(platform.places())
        case "POST", "/patch":
            platform.rescale(*rescaled(read(body())))
            return ""
        case "GET", "/health":
            return ""
        case "GET", "/check":
            name = next(iter(read(query.encode()).get("name", ())), "")
            if not platform.has(name):
                raise NotFound(f"no function is called {name[:80]!r}", "register it first")
            return ""
        case _, "/" | "/patch" | "/check" | "/health":
            raise MethodNotAllowed(f"{method} is not for {path}", "POST / registers a function")
        case _:
            raise NotFound("nothing is there", "POST / registers a function")


class Registrar(ThreadingHTTPServer):
    """Bound when it is made, and to be served with `serve_forever`. Those who ask are answered in threads."""

    daemon_threads = True

    def __init__(self, host: str, port: int, platform: Platform, scheduling: Scheduling) -> None:
        self.platform, self.scheduling = platform, scheduling
        self.answered = 0
        super().__init__((host, port), Asking)

    def __repr__(self) -> str:
        return f"<Registrar at port {self.server_address[1]}, {self.answered} answered>"


class Asking(BaseHTTPRequestHandler):
    timeout = WAIT_S
    server_version, sys_version = "attacca", ""
    server: Registrar

    def __repr__(self) -> str:
        return f"<Asking {self.server!r}>"

    def do_GET(self) -> None:
        self._do("GET")

    def do_POST(self) -> None:
        self._do("POST")

    def _do(self, method: str) -> None:
        here = self.server
        try:
            if "Origin" in self.headers or "Sec-Fetch-Site" in self.headers:
                raise Forbidden("this is no place for a browser", "use InVitro's loader, or curl")
            status, text = 200, answer(here.platform, method, self.path, self._body, here.scheduling)
        except AttaccaError as error:
            status, text = error.status, f"{error.message} ({error.hint})"
        here.answered += 1
        said = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "")
        if self.headers.get_content_type() != FORM or not length.isdigit() or int(length) > BODY_MOST:
            raise BadRequest(f"a form of at most {BODY_MOST} bytes is wanted", f"send it as {FORM}")
        return self.rfile.read(int(length))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """What is registered is seen in `attacca list`."""

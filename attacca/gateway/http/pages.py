"""The gateway's own pages: its health, its metrics, and the way to everything else."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from attacca.errors import AttaccaError, MethodNotAllowed, NotFound
from attacca.gateway.http import response
from attacca.gateway.http.access import Access
from attacca.gateway.http.asgi_adapter import Answers
from attacca.gateway.http.delivery import Delivery
from attacca.gateway.http.handler import Deliver, Serve
from attacca.gateway.http.request import Head
from attacca.io.exposition import Form, form_of, whole
from attacca.kernel.access import PeerUid

OWN = ("/healthz", "/readyz", "/metrics")
WRITING: set["asyncio.Task[None]"] = set()  # pages: nobody else holds them
FRONT_PAGE = {
    "name": "attacca",
    "invoke": "/function/NAME",
    "dashboard": "/ui",
    "api": "/api",
    "schema": "/api/schema",
    "health": "/healthz",
    "ready": "/readyz",
    "metrics": "/metrics",
}


class Shown(Protocol):
    """A plane, as its pages show it."""

    @property
    def is_draining(self) -> bool: ...
    @property
    def has_all(self) -> bool:
        """Is there whoever it needs for its work?"""

    def metrics(self, form: Form) -> Callable[[], bytes]:
        """What writes the page for Prometheus, but for its end, in another thread."""


def page(
    gateway: Shown, access: Access, is_ready: Callable[[], bool], head: Head, path: str, peer_uid: PeerUid
) -> Serve | Deliver:
    method = head.verb
    if path != "/" and path not in OWN:
        shown = path if len(path) <= 100 else path[:97] + "..."
        hint = "functions are at /function/NAME, the API is described at /api/schema"
        return _refusal(NotFound(f"nothing is at {shown!r}", hint))
    if method not in ("GET", "HEAD"):
        return _refusal(MethodNotAllowed(f"{path} cannot be asked for with {method}", "use GET"))
    if path == "/":
        return _json(200, FRONT_PAGE)
    if path == "/healthz":
        if gateway.is_draining:
            return _json(503, {"status": "draining"})
        return _json(200, {"status": "ok"}) if is_ready() else _json(503, {"status": "starting"})
    if path == "/readyz":
        if gateway.is_draining or not is_ready():
            return _json(503, {"status": "draining" if gateway.is_draining else "starting"})
        return _json(200, {"status": "ready"}) if gateway.has_all else _json(503, {"status": "alone"})
    error = access.refuse_operator(head.fields, peer_uid)
    if error is not None:
        return _refusal(error)
    form = form_of(head.named.get(b"accept", b""))
    return Deliver("", lambda _, answers: _later(gateway.metrics(form), form, answers))


def _later(write: Callable[[], bytes], form: Form, answers: Answers) -> Delivery:
    delivery = Delivery(answers)
    task = asyncio.get_running_loop().create_task(delivery.finish(lambda: _written(write, form)))
    WRITING.add(task)
    task.add_done_callback(WRITING.discard)
    return delivery


async def _written(write: Callable[[], bytes], form: Form) -> response.Whole:
    page = whole(await asyncio.to_thread(write), form)
    return response.Whole(200, [(b"content-type", form.value), (b"vary", b"accept")], page)


def _refusal(error: AttaccaError) -> Serve:
    return Serve(response.of_error(error))


def _json(status: int, value: dict[str, str]) -> Serve:
    fields = [(b"content-type", response.JSON)]
    if status == 503:
        fields.append((b"retry-after", b"%d" % response.RETRY_SOON_S))
    return Serve(response.Whole(status, fields, msgspec.json.encode(value)))

"""The gateway's own pages: its health, its metrics, and the way to everything else."""

from collections.abc import Callable
from typing import Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from attacca.errors import AttaccaError, MethodNotAllowed, NotFound
from attacca.gateway.http import response
from attacca.gateway.http.access import Access
from attacca.gateway.http.request import Head
from attacca.kernel.access import PeerUid

OWN = ("/healthz", "/readyz", "/metrics")
PROMETHEUS = CONTENT_TYPE_LATEST.encode()
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

    def metrics(self) -> bytes:
        """Prometheus text."""


def page(
    gateway: Shown, access: Access, is_ready: Callable[[], bool], head: Head, path: str, peer_uid: PeerUid
) -> response.Whole:
    method = head.verb
    error: AttaccaError | None
    if path != "/" and path not in OWN:
        shown = path if len(path) <= 100 else path[:97] + "..."
        hint = "functions are at /function/NAME, the API is described at /api/schema"
        error = NotFound(f"nothing is at {shown!r}", hint)
        return response.of_error(error)
    if method not in ("GET", "HEAD"):
        return response.of_error(MethodNotAllowed(f"{path} cannot be asked for with {method}", "use GET"))
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
        return response.of_error(error)
    return response.Whole(200, [(b"content-type", PROMETHEUS)], gateway.metrics())


def _json(status: int, value: dict[str, str]) -> response.Whole:
    fields = [(b"content-type", response.JSON)]
    if status == 503:
        fields.append((b"retry-after", b"%d" % response.RETRY_SOON_S))
    return response.Whole(status, fields, msgspec.json.encode(value))

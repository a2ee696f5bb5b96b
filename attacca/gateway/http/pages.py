"""The gateway's own pages: its health, its metrics, and the way to everything else."""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from attacca.errors import AttaccaError, MethodNotAllowed, NotFound
from attacca.gateway.http import response
from attacca.gateway.http.access import Fields
from attacca.gateway.http.server import Front
from attacca.kernel.access import PeerUid

PROMETHEUS = CONTENT_TYPE_LATEST.encode()
FRONT_PAGE = {
    "name": "attacca",
    "invoke": "/function/NAME",
    "api": "/api",
    "schema": "/api/schema",
    "health": "/healthz",
    "metrics": "/metrics",
}


def page(front: Front, method: str, path: str, fields: Fields, peer_uid: PeerUid) -> response.Whole:
    error: AttaccaError | None
    if path not in ("/", "/healthz", "/metrics"):
        shown = path if len(path) <= 100 else path[:97] + "..."
        hint = "functions are at /function/NAME, the API is described at /api/schema"
        error = NotFound(f"nothing is at {shown!r}", hint)
        return response.of_error(error)
    if method not in ("GET", "HEAD"):
        return response.of_error(MethodNotAllowed(f"{path} cannot be asked for with {method}", "use GET"))
    if path == "/":
        return _json(200, FRONT_PAGE)
    if path == "/healthz":
        if front.gateway.is_draining:
            return _json(503, {"status": "draining"})
        return _json(200, {"status": "ok"}) if front.is_ready() else _json(503, {"status": "starting"})
    error = front.access.refuse_operator(fields, peer_uid)
    if error is not None:
        return response.of_error(error)
    return response.Whole(200, [(b"content-type", PROMETHEUS)], front.gateway.metrics())


def _json(status: int, value: dict[str, str]) -> response.Whole:
    fields = [(b"content-type", response.JSON)]
    if status == 503:
        fields.append((b"retry-after", b"%d" % response.RETRY_SOON_S))
    return response.Whole(status, fields, msgspec.json.encode(value))

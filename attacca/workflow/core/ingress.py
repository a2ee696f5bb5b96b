"""What control and gateways make of an `http-ingress`'s configuration: the settings of a function of its own."""

from collections.abc import Mapping

from attacca.errors import BadConfig
from attacca.model.function import EventShape, Scheduling, Settings
from attacca.model.workflow import Component

INGRESS = "http-ingress"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
AT_ONCE = 1000  # requests
OWN = ("api", "function", "async-function", "calls", "healthz", "readyz", "metrics")


def settings(spec: Component, workflow: str, memory_mb: int) -> Settings:
    return Settings(
        name=workflow, memory_mb=memory_mb, timeout_s=spec.timeout_s, wait_s=spec.timeout_s, concurrency=AT_ONCE,
        scheduling=Scheduling.CLUSTER,
    )  # fmt: skip


def shape(spec: Component) -> EventShape:
    return EventShape.HTTP if spec.resource == INGRESS else EventShape.PLAIN


def methods(configuration: Mapping[str, str]) -> tuple[str, ...]:
    """Those that it takes; empty: all."""
    told = configuration.get("method") or configuration.get("methods") or ""
    return tuple(one.strip().upper() for one in told.split(",") if one.strip())


def expect(configuration: Mapping[str, str]) -> None:
    """
    Raises:
        BadConfig: it can be no address of a gateway's.
    """
    unknown = next((one for one in methods(configuration) if one not in METHODS), None)
    if unknown is not None:
        raise BadConfig(f"there is no method {unknown!r}", f"method is some of {','.join(METHODS)}")
    path = configuration.get("path", "")
    if path and not path.startswith("/"):
        raise BadConfig(f"the path {path!r} does not begin with a slash", f"write /{path}")
    if path.rstrip("/") == "" and (path and not configuration.get("host")):
        raise BadConfig("the path '/' is the gateway's own", "give it another one, or a host")
    if path and path.split("/")[1] in OWN:
        raise BadConfig(f"the path {path!r} is the gateway's own", "give it another one")

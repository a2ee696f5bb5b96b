"""Which dialects a listener speaks, beside attacca's own."""

from attacca.gateway.dialects.by_host import ByHost
from attacca.gateway.http.server import HttpServer


def speak(server: HttpServer) -> None:
    """Those of its settings, each before those that were there."""
    gateway = server.gateway
    for name in server.config.dialects:
        match name:
            case "dirigent":
                server.handler = ByHost(server.handler, server.access, lambda name: gateway.find(name) is not None)

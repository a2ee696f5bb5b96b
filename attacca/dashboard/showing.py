"""Where a listener has the dashboard: before everything else that it answers."""

from attacca.dashboard.files import Files
from attacca.dashboard.handler import Dashboard
from attacca.gateway.http.access import Allow
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import Clock


def show(http: HttpServer, allow: Allow, clock: Clock) -> None:
    http.handler = Dashboard(http.handler, http.access, allow, clock, Files())

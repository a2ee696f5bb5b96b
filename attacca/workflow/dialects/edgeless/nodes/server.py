"""The orchestrator's services of the dialect, for nodes: they register, and their instances send events."""

import ipaddress
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attacca.control.driver import Control
from attacca.errors import BadConfig
from attacca.kernel.access import Door
from attacca.kernel.clock import Clock
from attacca.workflow.dialects.edgeless.listening import Listening, expect_installed
from attacca.workflow.dialects.edgeless.nodes.announced import Unusable, announced
from attacca.workflow.dialects.edgeless.nodes.bridge import Bridge
from attacca.workflow.dialects.edgeless.nodes.register import Full
from attacca.workflow.dialects.edgeless.nodes.speech import said
from attacca.workflow.dialects.edgeless.words import empty, words

REGISTRATION, SETTING = "edgeless_api.NodeRegistration", "workflows.edgeless_nodes_url"
UNUSABLE = "invalid node configuration"
CALLS_MOST = 1000  # at once


class NodeServer:
    """`url`: where it listens."""

    def __init__(self, control: Callable[[], Control], url: str, clock: Clock) -> None:
        """
        Raises:
            BadConfig: what passes could be read or said by others than those of this machine.
        """
        at = urlsplit(url)
        self._host, self._port, self._clock = at.hostname or "", at.port or 0, clock
        if not _is_loopback(self._host):
            raise BadConfig(
                f"{SETTING} is {url!r}: nodes show no token, so that they are heard on loopback only",
                "listen at 127.0.0.1, with the nodes on the same machine",
            )
        self._listening = Listening(control, Door(os.getuid(), is_loopback=True), SETTING)
        self._bridge: Bridge

    def __repr__(self) -> str:
        return f"<NodeServer {self._listening!r}>"

    async def open(self, bridge: Bridge) -> str:
        """Where it is reached.

        Raises:
            BadConfig: grpcio is not installed, or nothing can listen there.
        """
        expect_installed(SETTING)
        self._bridge, known = bridge, words()
        update = {REGISTRATION: {"UpdateNode": (self._update, known.UpdateNodeRequest)}}
        handle = {"Handle": (self._handle, known.Event)}
        await self._listening.open(self._host, self._port, update, handle, CALLS_MOST)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._listening.port}"

    async def close(self) -> None:
        await self._listening.close()

    async def _update(self, message: Any) -> Any:
        try:
            told = announced(message, self._clock.wall())
            self._bridge.refresh(told)
        except (Unusable, Full) as error:
            detail = str(error) or "there are too many nodes"
            return words().UpdateNodeResponse(response_error=words().ResponseError(summary=UNUSABLE, detail=detail))
        self._bridge.measured(told, message.performance_samples)
        return words().UpdateNodeResponse()

    async def _handle(self, message: Any) -> Any:
        self._bridge.hear(said(message))
        return empty()()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

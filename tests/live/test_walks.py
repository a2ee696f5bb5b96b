"""ARCHITECTURE.md's walks through a server, in this process, with a client in another thread."""

import asyncio
import http.client
import socket
from pathlib import Path

import uvloop

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.server import Server
from attacca.control.config import ControlConfig
from attacca.gateway.config import GatewayConfig
from attacca.worker.config import WorkerConfig
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live.whole import deployment
from tests.trail import Step, astray, trail, walks
from tests.written import as_written

JSON = {"content-type": "application/json"}


def ask(port: int, path: str, body: bytes, headers: dict[str, str]) -> int:
    """Sent in one piece on a connection that stays, so that the way is the same each time."""
    fields = {**headers, "host": "localhost", "content-length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        response.read()
        return response.status


def entered(state: Path) -> tuple[list[Step], list[Step]]:
    """By a deployment, and by an invocation of a warm sandbox."""
    config = ServerConfig(
        gateway=GatewayConfig(port=0),
        control=ControlConfig(state_dir=state),
        worker=WorkerConfig(memory_mb=1024),
        process=ProcessOptions(memory_limits="watch"),
    )

    async def story() -> tuple[list[Step], list[Step]]:
        server = Server(config)
        await server.open()
        port = int(server.url.rpartition(":")[2])
        try:
            code = deployment("hello", "def hello(n=1):\n    return n\n")
            with trail() as deploying:
                assert await asyncio.to_thread(ask, port, "/api/functions", *code) == 200
            assert await asyncio.to_thread(ask, port, "/function/hello", b"{}", JSON) == 200
            with trail() as invoking:
                assert await asyncio.to_thread(ask, port, "/function/hello", b"{}", JSON) == 200
            return deploying, invoking
        finally:
            await server.close()

    return uvloop.run(story())


@as_written
def test_a_deployment_and_an_invocation_walk_as_they_are_written(tmp_path: Path) -> None:
    deploying, invoking = entered(tmp_path / "state")
    assert astray(walks()["One deployment"], deploying) == []
    ours = [step for step in walks()["One invocation"] if step.file != "guest/serve.py"]  # that is in the sandbox
    assert astray(ours, invoking) == []

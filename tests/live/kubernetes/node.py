"""A node of a real API server: takes each pod of a namespace, and gives the server what it prints over HTTPS."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from attacca.worker.runtime.kubernetes.api import PATCH, Api
from tests.live.kubernetes.kubelet import Kubelet, Starter
from tests.live.kubernetes.real import ADMIN, NAMESPACE, ApiServer, own_address

NAME = "node"


@contextlib.asynccontextmanager
async def joined(server: ApiServer, starter: Starter, directory: Path) -> AsyncIterator[Kubelet]:
    api = Api(server.access(ADMIN))
    kubelet = Kubelet(api, NAMESPACE, starter, NAME)
    logs = Logs(kubelet)
    listening = await asyncio.start_server(logs.meet, own_address(), 0, ssl=shown(directory))
    port = listening.sockets[0].getsockname()[1]
    await api.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}})
    addresses = [{"type": "InternalIP", "address": own_address()}]
    status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    await api.ask("PATCH", f"/api/v1/nodes/{NAME}/status", {"status": status}, kind=PATCH)
    following = asyncio.create_task(kubelet.follow())
    try:
        yield kubelet
    finally:
        following.cancel()
        (told,) = await asyncio.gather(following, return_exceptions=True)
        with contextlib.suppress(OSError):
            await api.ask("DELETE", f"/api/v1/nodes/{NAME}")
        listening.close()
        await logs.close()
        await api.close()
    assert isinstance(told, asyncio.CancelledError), f"the node's own fault: {told!r}"


def shown(directory: Path) -> ssl.SSLContext:
    key, certificate = directory / "kubelet.key", directory / "kubelet.crt"
    if not key.exists():
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node", "-days", "2"]
        subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Logs:
    """GET /containerLogs/NAMESPACE/POD/CONTAINER, a connection for each."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._met: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._met:
            task.cancel()
        await asyncio.gather(*self._met, return_exceptions=True)
        await asyncio.sleep(0)  # their sockets are closed in the next turn

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._met.add(task)
        task.add_done_callback(self._met.discard)
        try:
            with contextlib.suppress(OSError, EOFError):
                head = await reader.readuntil(b"\r\n\r\n")
                parts = urlsplit(head.split(b" ")[1].decode())
                pod = parts.path.split("/")[3]
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")
                async for piece in self._kubelet.log(pod, "follow=true" in parts.query):
                    writer.write(piece)
                    await writer.drain()
                writer.close()
                await writer.wait_closed()  # TLS says goodbye, and waits for the other's
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

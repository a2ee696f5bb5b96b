"""Stores' real servers, each on a free port of loopback and in a directory of its own; and what comes in between."""

import asyncio
import contextlib
import http.client
import random
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.io.store.config import StoreConfig
from tests.live.whole import naps

_claims: dict[int, socket.socket] = {}  # as long as this process lives
PACKAGES = {"redis-server": "redis-server", "etcd": "etcd-server", "faketime": "faketime"}


def free_port() -> int:
    """Below those that the kernel gives to whoever asks for any, and given to nobody else who asks here, whichever
    process it is in, until this one ends: it may be listened on later, and again after a while."""
    while True:
        port = random.randrange(20_000, 32_000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0attacca-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims[port] = claim
        return port


def binary(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not here: scripts/debian.sh {PACKAGES[name]}")
    return found


class StoreServer:
    """`kind` is redis or etcd. What it has stays in its directory, whether it is stopped or killed."""

    def __init__(self, kind: str, directory: Path, *more: str, certificate: Path | None = None) -> None:
        """`certificate`: it speaks TLS, and shows this; the key lies beside it, as `.key`."""
        self.kind = kind
        self._certificate = certificate
        self.port = free_port()
        self.directory = directory
        self._peer_port = free_port()
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<StoreServer {self.kind} on {self.port}>"

    def url(self, port: int = 0) -> str:
        secure = "" if self._certificate is None else "s"
        return f"{self.kind}{secure}://127.0.0.1:{port or self.port}"

    def config(self, port: int = 0, timeout_s: float = 5.0) -> StoreConfig:
        return StoreConfig(url=self.url(port), timeout_s=timeout_s)

    def start(self) -> None:
        """Until it takes connections."""
        self.directory.mkdir(exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=self.directory)
        for _ in naps():
            if self._answers():
                return
            if self._process.poll() is not None:
                break
        pytest.fail(f"{self} does not come up:\n{(self.directory / 'log').read_text()[-2000:]}")

    def signal(self, number: signal.Signals) -> None:
        """Returns when one that is to stop has: its threads do so one after the other."""
        assert self._process is not None
        self._process.send_signal(number)
        if number is signal.SIGSTOP:
            tasks = Path(f"/proc/{self._process.pid}/task")
            for _ in naps(10.0):
                if all(_state(task) == "T" for task in tasks.iterdir()):
                    return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """In any state that it may be in."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def _command(self) -> list[str]:
        shown = self._certificate
        if self.kind == "redis":
            tls = ["--port", str(self.port)]
            if shown is not None:
                tls = ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", str(shown), "--tls-key-file"]
                tls += [str(shown.with_suffix(".key")), "--tls-ca-cert-file", str(shown), "--tls-auth-clients", "no"]
            return [
                binary("redis-server"), *tls, "--bind", "127.0.0.1", "--dir", str(self.directory),
                "--appendonly", "yes", "--appendfsync", "always", "--save", "", *self._more,
            ]  # fmt: skip
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self._peer_port}"
        if shown is not None:
            client = client.replace("http:", "https:")
            tls = ["--cert-file", str(shown), "--key-file", str(shown.with_suffix(".key"))]
        return [
            binary("etcd"), "--data-dir", str(self.directory / "data"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", *([] if shown is None else tls), *self._more,
        ]  # fmt: skip

    def _answers(self) -> bool:
        """An etcd listens before it has a leader; its log says when it has."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return self.kind == "redis" or self._is_etcd_healthy()
        except OSError:
            return False

    def _is_etcd_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        if self._certificate is not None:
            trusting = ssl.create_default_context(cafile=self._certificate)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=1, context=trusting)
        try:
            connection.request("GET", "/health")
            return b"true" in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@contextlib.contextmanager
def running(kind: str, directory: Path, *more: str, certificate: Path | None = None) -> Iterator[StoreServer]:
    server = StoreServer(kind, directory, *more, certificate=certificate)
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Proxy:
    """TCP, passed on; slowly, not at all, or cut off. `is_deaf`: what is said is taken, and nothing comes of it."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.is_deaf = False
        self.swallows_answers = False  # what is said arrives, and what is answered does not
        self._to = to
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Proxy {self.port} to {self._to}: {len(self._writers)} connections>"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """All connections there are; new ones are taken."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.add(back)
            await asyncio.gather(self._pass(reader, back, answers=False), self._pass(there, writer, answers=True))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for one in (writer, *([back] if "back" in locals() else [])):
                self._writers.discard(one)
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(1 << 16):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.is_deaf or (answers and self.swallows_answers):
                continue
            writer.write(data)
            await writer.drain()
        writer.close()


def _state(task: Path) -> str:
    return (task / "stat").read_text().rpartition(")")[2].split()[0]

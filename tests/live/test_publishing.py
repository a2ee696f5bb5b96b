"""A port of the machine's leads to containers of the function that publishes it, and is gone with the last of them."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.io.archive import pack
from tests.live import needed, python_image
from tests.live.whole import Whole, deployment, running, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
PORT = 5000
SERVES = f"""
import os, socket, threading
server = socket.create_server(("", {PORT}))
def serve():
    while True:
        client = server.accept()[0]
        with client, client.makefile("rb") as asked:
            client.sendall(b"hello " + asked.readline() + asked.read())
threading.Thread(target=serve, daemon=True).start()
said = "serves"
"""
ECHOES = f"""
import os, socket, threading
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", {PORT}))
def serve():
    while True:
        data, client = server.recvfrom(65535)
        server.sendto(b"hello " + data, client)
threading.Thread(target=serve, daemon=True).start()
said = "echoes"
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed.expect("crun")
    return python_image.laid_out(tmp_path_factory.mktemp("image"), "python")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    needed.expect("crun")
    with running(tmp_path_factory.mktemp("server") / "state") as whole:
        yield whole


def deploy(server: Whole, layout: Path, name: str, **settings: Any) -> str:
    return server.ask("POST", "/api/functions", *deployment(name, pack(layout), **settings)).body.decode()


def free() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def is_free_of_datagrams(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def greeted(port: int) -> bytes:
    """Empty: nobody is there."""
    with socket.socket() as sock:
        sock.settimeout(10)
        try:
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"you\nand all ")
            sock.sendall(b"of yours")
            sock.shutdown(socket.SHUT_WR)
            with sock.makefile("rb") as answer:
                return answer.read()
        except ConnectionError:
            return b""


def test_a_published_port_leads_to_its_containers_and_to_no_others(server: Whole, layout: Path) -> None:
    port = free()
    said = deploy(server, layout, "db", publish=[f"{port}:{PORT}"], min_sandboxes=1, max_sandboxes=1)
    assert '"error"' not in said, said
    assert server.ask("POST", "/function/db", SERVES.encode()).body == b"'serves'"
    for _ in range(3):
        assert greeted(port) == b"hello you\nand all of yours"
    said = deploy(server, layout, "other", publish=[f"{port}:80"])
    assert f"port {port} of 127.0.0.1 is that of the function db" in said, said[-600:]
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        taken = theirs.getsockname()[1]
        assert f"port {taken} of 127.0.0.1 is taken" in deploy(server, layout, "other", publish=[f"{taken}:80"])
    assert server.ask("DELETE", "/api/functions/db").status == 204
    until(lambda: is_free(port))


def test_datagrams_come_to_a_container_and_its_answers_back(server: Whole, layout: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("127.0.0.1", 0))
        port = theirs.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is taken (UDP)" in deploy(server, layout, "dns", publish=[f"{port}:53/udp"])
    said = deploy(server, layout, "dns", publish=[f"{port}:{PORT}/udp", f"{port}:80"], min_sandboxes=1, max_sandboxes=1)
    assert '"error"' not in said, said
    assert server.ask("POST", "/function/dns", ECHOES.encode()).body == b"'echoes'"
    with contextlib.ExitStack() as ends:
        for number in range(3):
            guest = ends.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            guest.settimeout(10)
            guest.connect(("127.0.0.1", port))
            for size in (1, 30_000):
                guest.send(b"%d" % number * size)
                assert guest.recv(65_535) == b"hello " + b"%d" % number * size
        assert server.ask("DELETE", "/api/functions/dns").status == 204
        until(lambda: is_free_of_datagrams(port))


def test_what_is_no_container_publishes_nothing(server: Whole, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def handler(): pass\n")
    said = server.ask("POST", "/api/functions", *deployment("plain", pack(tmp_path), publish=["8099:80"])).body.decode()
    assert "publish is of containers" in said

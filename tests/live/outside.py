"""A machine of one's own with a world around it, for what leads out of sandboxes: two network namespaces with a cable
between them, so that nothing is sent or left anywhere else."""

import contextlib
import errno
import ipaddress
import os
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator

from attacca.worker.host import netlink, network
from attacca.worker.host.nat import claims
from attacca.worker.host.nftables import Nftables
from tests.live import needed

MACHINE, WORLD = "203.0.113.1", "203.0.113.2"
ELSEWHERE = ("192.0.2.7", "192.0.2.8", "10.1.2.3", "169.254.169.254")  # addresses of the world, too
NAMES = {"api.example.com": "192.0.2.7", "other.example.com": "192.0.2.8", "inner.example.com": "10.1.2.3"}
PORT, DNS = 8000, 5353
HEARD: list[bytes] = []  # questions for names that came to the world


class Greet(socketserver.BaseRequestHandler):
    """Says who called, and goes on with as many bytes as a line asks for, or, told `swallow`, takes them."""

    def handle(self) -> None:
        self.request.sendall(f"from {self.client_address[0]}\n".encode())
        order = self.request.makefile("rb").readline().strip()
        with contextlib.suppress(OSError):
            if order == b"swallow":
                while self.request.recv(1 << 16):
                    pass
            else:
                self.request.sendall(bytes(int(order or 0)))


class Greeter(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class Resolve(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        HEARD.append(data)
        sock.sendto(answer(data), self.client_address)


class World:
    """Where the machine's cable leads. Its servers are threads of ours."""

    def __init__(self) -> None:
        self.servers: list[socketserver.BaseServer] = []

    def serve(self, server: socketserver.BaseServer) -> None:
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def outside() -> Iterator[World]:
    """This thread, and whoever is started by it, is on the machine; the world's servers greet on PORT."""
    before = network.home()
    world = World()
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, before)
        machine, away = network.made(), network.made()
        undo.callback(os.close, machine)
        undo.callback(os.close, away)
        with network.enter(machine, before):
            _ip("link", "set", "lo", "up")
            _ip(
                "link",
                "add",
                "up0",
                "type",
                "veth",
                "peer",
                "name",
                "world0",
                "netns",
                f"/proc/{os.getpid()}/fd/{away}",
            )
            _ip("addr", "add", f"{MACHINE}/24", "dev", "up0")
            _ip("link", "set", "up0", "up")
            claims.FORWARDING.write_text("0")  # whatever the one that tests run on does
        with network.enter(away, before):
            _ip("link", "set", "lo", "up")
            for one in (f"{WORLD}/24", *(f"{one}/32" for one in ELSEWHERE)):
                _ip("addr", "add", one, "dev", "world0")
            _ip("link", "set", "world0", "up")
            world.serve(Greeter(("", PORT), Greet))
            undo.callback(world.close)
            world.serve(socketserver.ThreadingUDPServer(("", DNS), Resolve))
        undo.enter_context(network.enter(machine, before))
        _ip("route", "add", "default", "via", WORLD)
        yield world


def answer(data: bytes) -> bytes:
    """Of a server that knows NAMES."""
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    asked = data[12 : at + 5]
    found = NAMES.get(".".join(labels))
    is_found = found is not None and asked[-4:-2] == b"\0\1"
    head = data[:2] + struct.pack("!5H", 0x8180 if found else 0x8183, 1, int(is_found), 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4)
    return head + asked + (record + ipaddress.IPv4Address(found).packed if found is not None and is_found else b"")


def host_service() -> Greeter:
    """Of the machine itself, at all its addresses."""
    server = Greeter(("", PORT), Greet)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@contextlib.contextmanager
def served() -> Iterator[World]:
    """`outside`, and on the machine a service that nobody in a sandbox is to reach."""
    needed.expect("nft")
    with outside() as world:
        server = host_service()
        try:
            yield world
        finally:
            server.shutdown()
            server.server_close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Sandbox:
    """Nothing but a network with a way out, to be used from within by who may do anything there."""

    def __init__(self) -> None:
        self._home = network.home()
        self.namespace = network.made()
        with self.within():
            _ip("link", "set", "lo", "up")

    def within(self) -> contextlib.AbstractContextManager[None]:
        return network.enter(self.namespace, self._home)

    def called(self, address: str, port: int = PORT, seconds: float = 5.0, source: str = "") -> str:
        """What a server there says, or what became of the connection."""
        try:
            with self.socket() as sock:
                sock.settimeout(seconds)
                if source:
                    sock.bind((source, 0))
                sock.connect((address, port))
                return sock.makefile().readline().strip()
        except TimeoutError:
            return "no answer"
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))

    def socket(self) -> socket.socket:
        with self.within():
            return socket.socket()

    def close(self) -> None:
        os.close(self.namespace)
        os.close(self._home)


def left() -> list[str]:
    """Of ways out, on the machine; cables go a moment after their sandboxes."""
    cables = [link for link in netlink.links() if link.startswith("attacca")]
    if needed.is_left_out("nft"):
        return cables
    nftables = Nftables()
    try:
        return [*claims.tables(nftables), *cables]
    finally:
        nftables.close()

"""The least that a gateway and a sandbox in Python could cost, for everything else to be compared with.

python bench/floors.py echo PORT              an HTTP echo on httptools and uvloop, nothing behind it
python bench/floors.py relay PORT [SANDBOXES] the same, each body handed over a Unix socket to a waiting Python process
                                              that decodes the JSON, calls a function and encodes what it returns
python bench/floors.py fork [MODULE ...]      import the modules, then fork into new namespaces again and again; prints
                                              {"imports_ms", "p50_ms", "p99_ms", "per_s"}
python bench/floors.py forks AT_ONCE          the same without modules, so many on their way at once; prints {"per_s"}
python bench/floors.py pair COUNT             frames of 128 bytes over a Unix socket pair to another Python process and
                                              back, one after the other; prints {"p50_us", "per_s"}: round trips, and
                                              frames per second
"""

import asyncio
import ctypes
import gc
import importlib
import json
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import cast

SIZE = struct.Struct("<I")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
NAMESPACES = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000  # mount, uts, ipc, pid, net
USER_NAMESPACE = 0x10000000
FORKS, MANY_FORKS = 300, 1000
LIBC = ctypes.CDLL(None, use_errno=True)
FRAME = 128  # bytes

Reply = Callable[[bytes], None]
Handle = Callable[[bytes, Reply], None]


def _front(handle: Handle) -> type[asyncio.Protocol]:
    import httptools

    class Front(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)
            self.parser = httptools.HttpRequestParser(self)
            self.body = b""

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            body, self.body = self.body, b""
            handle(body, self.reply)

        def reply(self, body: bytes) -> None:
            if not self.transport.is_closing():
                self.transport.write(ANSWER % (len(body), body))

    return Front


async def _listen(port: int, handle: Handle) -> None:
    await asyncio.get_running_loop().create_server(_front(handle), "127.0.0.1", port)
    await asyncio.Event().wait()


def echo(port: int) -> None:
    import uvloop

    uvloop.run(_listen(port, lambda body, reply: reply(body)))


def _waiting_process(sock: socket.socket) -> None:
    """What a sandbox cannot do without: read, decode, call, encode, write."""
    stream = sock.makefile("rb", buffering=65536)
    while head := stream.read(SIZE.size):
        result = json.loads(stream.read(SIZE.unpack(head)[0]) or b"{}")
        body = json.dumps(result).encode()
        sock.sendall(SIZE.pack(len(body)) + body)


class Relay:
    """Gives each body to an idle process, or queues it."""

    def __init__(self) -> None:
        self.idle: deque[Waiting] = deque()
        self.queue: deque[tuple[bytes, Reply]] = deque()

    def handle(self, body: bytes, reply: Reply) -> None:
        if self.idle:
            self.idle.pop().run(body, reply)
        else:
            self.queue.append((body, reply))


class Waiting(asyncio.Protocol):
    """The relay's end of one process."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.rest = relay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.relay.idle.append(self)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if len(data) < SIZE.size or len(data) < SIZE.size + (size := SIZE.unpack_from(data)[0]):
            self.rest = data
            return
        self.rest, reply = b"", self.answer_to
        if self.relay.queue:
            self.run(*self.relay.queue.popleft())
        else:
            self.relay.idle.append(self)
        reply(data[SIZE.size : SIZE.size + size])

    def run(self, body: bytes, reply: Reply) -> None:
        self.answer_to = reply
        self.transport.write(SIZE.pack(len(body)) + body)


def _fork_waiting_process() -> socket.socket:
    mine, theirs = socket.socketpair()
    if os.fork() == 0:
        mine.close()
        _waiting_process(theirs)
        os._exit(0)
    theirs.close()
    return mine


def relay(port: int, sandboxes: int) -> None:
    import uvloop

    socks, between = [_fork_waiting_process() for _ in range(sandboxes)], Relay()

    async def main() -> None:
        for sock in socks:
            await asyncio.get_running_loop().create_unix_connection(lambda: Waiting(between), sock=sock)
        await _listen(port, between.handle)

    uvloop.run(main())


def fork(modules: list[str]) -> dict[str, float]:
    """A process that has imported the modules forks, and the child answers one byte from namespaces of its own."""
    began = time.perf_counter()
    for name in modules:
        importlib.import_module(name)
    imports_s = time.perf_counter() - began
    gc.collect()
    gc.freeze()
    took, first = [], time.perf_counter()
    for _ in range(FORKS):
        at = time.perf_counter()
        mine, pid = _isolated()
        _hear(mine)
        took.append((time.perf_counter() - at) * 1e3)
        mine.close()
        os.waitpid(pid, 0)
    total_s = time.perf_counter() - first
    took.sort()
    return {
        "imports_ms": imports_s * 1e3,
        "p50_ms": took[FORKS // 2],
        "p99_ms": took[int(FORKS * 0.99)],
        "per_s": FORKS / total_s,
    }


def _isolated() -> tuple[socket.socket, int]:
    """A child in namespaces of its own, which is asked to answer one byte."""
    mine, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        if LIBC.unshare(NAMESPACES | (USER_NAMESPACE if os.geteuid() != 0 else 0)) != 0:
            os._exit(1)
        inner = os.fork()  # only its children are in the new pid namespace
        if inner:
            os.waitpid(inner, 0)
            os._exit(0)
        theirs.sendall(theirs.recv(1))
        os._exit(0)
    theirs.close()
    mine.sendall(b"x")
    return mine, pid


def _hear(mine: socket.socket) -> None:
    if mine.recv(1) != b"x":
        sys.exit("this machine gives no namespaces to this user")


def forks(at_once: int) -> dict[str, float]:
    """Who has answered makes room for the next, and is waited for when it has ended."""
    gc.collect()
    gc.freeze()
    under_way, heard, alive, first = select.poll(), 0, 0, time.perf_counter()
    socks: dict[int, socket.socket] = {}
    while heard < MANY_FORKS:
        while len(socks) < at_once:
            mine, _ = _isolated()
            socks[mine.fileno()] = mine
            under_way.register(mine, select.POLLIN)
            alive += 1
        for descriptor, _ in under_way.poll():
            under_way.unregister(descriptor)
            with socks.pop(descriptor) as mine:
                _hear(mine)
            heard += 1
        while alive and os.waitpid(-1, os.WNOHANG)[0]:
            alive -= 1
    per_s = heard / (time.perf_counter() - first)
    for mine in socks.values():
        mine.close()
    for _ in range(alive):
        os.wait()
    return {"per_s": per_s}


def pair(count: int) -> dict[str, float]:
    mine, theirs = socket.socketpair()
    if os.fork() == 0:
        mine.close()
        stream = theirs.makefile("rb", buffering=65536)
        while head := stream.read(SIZE.size):
            body = stream.read(SIZE.unpack(head)[0])
            theirs.sendall(SIZE.pack(len(body)) + body)
        os._exit(0)
    theirs.close()
    stream, body = mine.makefile("rb", buffering=65536), b"x" * FRAME
    took, first = [], time.perf_counter()
    for _ in range(count):
        began = time.perf_counter()
        mine.sendall(SIZE.pack(len(body)) + body)
        stream.read(SIZE.unpack(stream.read(SIZE.size))[0])
        took.append(time.perf_counter() - began)
    total_s = time.perf_counter() - first
    stream.close()
    mine.close()
    os.wait()
    took.sort()
    return {"p50_us": took[count // 2] * 1e6, "per_s": 2 * count / total_s}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["echo", port]:
            echo(int(port))
        case ["relay", port, *rest]:
            relay(int(port), int(rest[0]) if rest else 2)
        case ["fork", *names]:
            print(json.dumps(fork(names)))
        case ["forks", at_once]:
            print(json.dumps(forks(int(at_once))))
        case ["pair", count]:
            print(json.dumps(pair(int(count))))
        case _:
            sys.exit(__doc__)

"""A store that is there and does not do what it should: it has no room for a write, or takes its time for all."""

import http.client
import json
import signal
import socket
import threading
from collections.abc import Callable

STOPPED_S, GOES_ON_S = 0.25, 0.02  # by turns


def fill(kind: str, host: str, port: int) -> None:
    """It refuses what would be written, and answers what is read."""
    _tell_redis(host, port, "1") if kind == "redis" else _tell_etcd(host, port, "ACTIVATE")


def empty(kind: str, host: str, port: int) -> None:
    """There is room again."""
    _tell_redis(host, port, "0") if kind == "redis" else _tell_etcd(host, port, "DEACTIVATE")


class Slow(threading.Thread):
    """`send` sends its process a signal."""

    def __init__(self, send: Callable[[signal.Signals], None]) -> None:
        super().__init__(daemon=True)
        self._send = send
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(GOES_ON_S):
            self._send(signal.SIGSTOP)
            self._is_over.wait(STOPPED_S)
            self._send(signal.SIGCONT)

    def end(self) -> None:
        self._is_over.set()
        self.join()


def _tell_redis(host: str, port: int, maxmemory: str) -> None:
    with socket.create_connection((host, port), 5) as said:
        said.sendall(f"CONFIG SET maxmemory {maxmemory}\r\n".encode())
        assert said.recv(100) == b"+OK\r\n"


def _tell_etcd(host: str, port: int, action: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("POST", "/v3/maintenance/alarm", json.dumps({"action": action, "alarm": "NOSPACE"}))
        assert connection.getresponse().status == 200
    finally:
        connection.close()

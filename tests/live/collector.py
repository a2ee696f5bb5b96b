"""Somebody who takes what is posted, as an OpenTelemetry collector or a database does, or behaves as it is told to."""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Taker(ThreadingHTTPServer):
    """`status` is what it answers with; `lies` is sent in place of any answer."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes, dict[str, str]]] = []
        self.status, self.lies = 200, b""
        self.holds = threading.Event()  # set: it takes requests and never answers
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone: that is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def until(self, is_so: Callable[[], bool], wait_s: float = 20.0) -> None:
        with self.changed:
            assert self.changed.wait_for(is_so, wait_s), [path for path, _, _ in self.got]

    def told(self, signal: str) -> list[dict[str, Any]]:
        return [json.loads(body) for path, body, _ in list(self.got) if path == f"/v1/{signal}"]

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for told in self.told("traces")
            for resource in told["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class Handler(BaseHTTPRequestHandler):
    server: Taker

    def do_POST(self) -> None:
        taker = self.server
        if taker.holds.is_set():
            self.connection.settimeout(30)
            self.rfile.read()  # until the other side has had enough
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        if taker.lies:
            self.wfile.write(taker.lies)
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        with taker.changed:
            if taker.status < 300:
                taker.got.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            taker.changed.notify_all()
        self.send_response(taker.status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...

"""The documentation of a module of Python's library as a page, from the image's own Python: a server on $PORT."""

import importlib
import os
import pydoc
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME_BYTES = 100


def page(name: str) -> tuple[int, str]:
    """Status and text."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return 404, f"{name!r} is no module of Python's library\n"
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        return 404, f"{name!r} cannot be imported: {error}\n"
    return 200, pydoc.HTMLDoc().page(f"{name} {sys.version.split()[0]}", pydoc.HTMLDoc().docmodule(module))


class Documents(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """The body is a module's name."""
        size = min(int(self.headers.get("content-length", 0)), NAME_BYTES)
        status, text = page(self.rfile.read(size).decode(errors="replace").strip())
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8" if status == 200 else "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ["PORT"])), Documents).serve_forever()

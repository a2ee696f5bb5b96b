"""The client of a running attacca: JSON calls, streams of JSON lines, and invocations, over one kept connection."""

import http.client
import json
import select
import socket
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn, Self

import attacca.errors as known
from attacca.errors import AttaccaError, BadConfig, NotLeading, Unreachable

CLASSES: dict[str, type[AttaccaError]] = {
    kind.code: kind
    for kind in vars(known).values()
    if isinstance(kind, type) and issubclass(kind, AttaccaError) and kind is not AttaccaError
}


NOT_LEADING, SHOWN = f'"{NotLeading.code}"'.encode(), 256
APART, ELSEWHERE = ("/function/", "/async-function/", "/calls/", "/api/"), 307


class ServerFailed(AttaccaError):
    """The server answered with an error that is not one of its own."""

    code, status = "server_failed", 500


class Answer(NamedTuple):
    """What the server said, whatever its status."""

    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes


class Client:
    """A client speaks to one server over a connection that it keeps; it is not for several threads at once.

        with Client("http://127.0.0.1:8080") as client:
            names = [row["function"] for row in client.functions()]
            answer = client.request("POST", "/function/hello", b'{"name": "bob"}', {"content-type": "application/json"})

    What goes wrong is an AttaccaError: of the class that the server's error has, Unreachable where nobody answers, or
    ServerFailed where what answers is no attacca.
    """

    def __init__(self, url: str, token: str = "", connect_s: float = 5.0, read_s: float | None = None) -> None:
        """The connection is opened by the first request. `url`: several, with commas between them, are of one cluster's
        controls, and the first that answers is spoken to. `read_s`: so long it waits for each piece of an answer.

        Raises:
            BadConfig: the address is none.
        """
        self._places = [_place(one.strip()) for one in url.split(",")]
        self._connect_s, self._read_s = connect_s, read_s
        self._made_of = (url, token, connect_s, read_s)
        self._apart: dict[str, Client] = {}  # who answers paths of a kind, where this server is a plane that does not
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._go_to(0)

    def __repr__(self) -> str:
        return f"<Client of {self.url}, connected={self._is_connected()}>"

    def another(self) -> "Client":
        """A client of its own for the same server: one more connection."""
        return Client(*self._made_of)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        for kind in list(self._apart):
            self._leave(kind)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """The server's answer with its body still to be read, whatever its status. In a cluster control sends those who
        call a function to a gateway, and a gateway those who ask the API to control; they go there, with a `body` that
        can be gone through once more.

        Raises:
            Unreachable: nobody answers.
        """
        kind = next((prefix for prefix in APART if path.startswith(prefix)), "")
        known = self._ask_known(kind, method, path, body, headers)
        if known is not None:
            return known
        for others in reversed(range(len(self._places))):
            answer = self._send(method, path, body, headers)
            if others and self._is_passed_on(answer, body):
                self._turn()
                continue
            where = urllib.parse.urlsplit(answer.headers.get("location", ""))
            if answer.status != ELSEWHERE or not kind or not where.netloc:
                break
            answer.read()
            self._apart[kind] = peer = Client(f"{where.scheme}://{where.netloc}", *self._made_of[1:])
            try:
                return peer.send(method, path, body, headers)
            except Unreachable:
                self._leave(kind)  # who is asked does not know yet that it is gone; another may
                if not others or not isinstance(body, bytes | None):
                    raise
                self._turn()
        return answer

    def _ask_known(
        self, kind: str, method: str, path: str, body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> http.client.HTTPResponse | None:  # fmt: skip
        """The one that this was sent to before; None: it was not, or there may be another now."""
        peer = self._apart.get(kind)
        if peer is None:
            return None
        try:
            answer = peer.send(method, path, body, headers)
        except Unreachable:
            if not isinstance(body, bytes | None):
                raise
        else:
            if not self._is_passed_on(answer, body):
                return answer
        self._leave(kind)
        return None

    def _is_passed_on(self, answer: http.client.HTTPResponse, body: object) -> bool:
        """Of several controls one does not lead, nor know yet who does: another may."""
        if len(self._places) == 1 or answer.status != NotLeading.status or not isinstance(body, bytes | None):
            return False
        if NOT_LEADING not in answer.peek(SHOWN):
            return False
        answer.read()
        return True

    def _go_to(self, index: int) -> None:
        self._at = index
        parts = self._places[index]
        self._prefix = parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(str(parts.hostname), parts.port, timeout=self._connect_s)

    def _turn(self) -> None:
        self._connection.close()
        self._go_to((self._at + 1) % len(self._places))

    def _leave(self, kind: str) -> None:
        peer = self._apart.pop(kind, None)
        if peer is not None:
            peer.close()

    def _send(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str] | None
    ) -> http.client.HTTPResponse:
        if self._is_left():
            self._connection.close()
        again = self._is_connected()  # what was kept may be closed in the very moment in which it is used
        while True:
            try:
                self._connect()
                self._connection.request(method, self._prefix + path, body, {**self._headers, **(headers or {})})
                return self._connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
                self._connection.close()
                if not again or method not in ("GET", "HEAD"):
                    raise self._lost(error) from None
                again = False
            except TimeoutError as error:
                self._connection.close()
                raise self._lost(error) from None
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise self._unreachable(error) from None

    def _connect(self) -> None:
        if not self._is_connected():
            for others in reversed(range(len(self._places))):
                try:
                    self._connection.connect()
                    break
                except OSError:
                    if not others:
                        raise
                    self._turn()
            self._connection.sock.settimeout(self._read_s)
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _is_connected(self) -> bool:
        return self._connection.sock is not None

    def _is_left(self) -> bool:
        """The other end has closed a connection that was kept, as servers do after a while, or has said something that
        nobody asked for. A request that must not be sent twice would be lost on it."""
        sock = self._connection.sock
        if sock is None:
            return False
        looking = select.poll()
        looking.register(sock, select.POLLIN)
        return bool(looking.poll(0))

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The server's whole answer, whatever its status.

        Raises:
            Unreachable: nobody answers, or not to the end.
        """
        response = self.send(method, path, body, headers)
        try:
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self._lost(error) from None
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def json(self, method: str, path: str, payload: object = None) -> Any:
        """What the admin API says, decoded; `payload` goes as JSON.

        Raises:
            AttaccaError: what the server refused with, or Unreachable.
        """
        body = None if payload is None else json.dumps(payload).encode()
        return self._asked(method, path, body, "application/json")

    def put(self, path: str, value: bytes) -> Any:
        """What the admin API says to bytes that are no JSON.

        Raises:
            AttaccaError: as `json` does.
        """
        return self._asked("PUT", path, value, "application/octet-stream")

    def _asked(self, method: str, path: str, body: bytes | None, kind: str) -> Any:
        headers = {} if body is None else {"content-type": kind}
        answer = self.request(method, path, body, headers)
        if answer.status >= 400:
            self.fail(answer.status, answer.body, method, path)
        return self._understood(answer.body) if answer.body else None

    def lines(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The lines of a stream of JSON, each as it comes.

        Raises:
            AttaccaError: what the server refused with, or Unreachable, also in the middle of the stream.
        """
        response = self.send(method, path, body, headers)
        if response.status >= 400:
            self.fail(response.status, response.read(), method, path)
        try:
            while line := response.readline():
                if line.strip():
                    yield self._understood(line)
            response.read()  # nothing more, which is what lets the connection be used again
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        finally:
            if not response.isclosed():  # it was not read to its end, from whoever it came
                for one in (self, *self._apart.values()):
                    one._connection.close()

    def function_at(self, name: str) -> str:
        """Where it is called: in a cluster that is at a gateway, not at control; or at the server that was asked, where
        it does not say."""
        try:
            gateways = self.json("GET", "/api/info").get("gateways") or {}
        except AttaccaError:
            gateways = {}
        return f"{next(filter(None, gateways.values()), self.url)}/function/{name}"

    def functions(self) -> list[dict[str, Any]]:
        """The deployed functions, a row for each.

        Raises:
            AttaccaError: as `json` does.
        """
        rows: list[dict[str, Any]] = self.json("GET", "/api/functions")
        return rows

    def fail(self, status: int, body: bytes, method: str, path: str) -> NoReturn:
        """The error that an answer stands for is raised, with a note of what was asked."""
        error = failure(status, body)
        error.add_note(f"at {method} {self.url}{self._prefix}{path}")
        raise error

    def _understood(self, text: bytes) -> Any:
        try:
            return decoded(text)
        except ValueError as error:
            raise ServerFailed(
                f"what {self.url} answers is no JSON ({error})", "see whether it is attacca that listens there"
            ) from None

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(
            f"no attacca server answers at {self.url} ({reason})",
            "attacca up, or point --url or ATTACCA_URL at a running server",
        )

    def _lost(self, error: Exception) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(
            f"the server at {self.url} broke off without an answer ({reason})",
            "see whether it still runs: attacca list",
        )


def _place(url: str) -> urllib.parse.SplitResult:
    """
    Raises:
        BadConfig: it is no address.
    """
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise BadConfig(f"{url!r} is not the address of a server", "--url http://127.0.0.1:8080, or set ATTACCA_URL")
    return parts


def failure(status: int, body: bytes) -> AttaccaError:
    """The error that an answer stands for; a traceback goes along as a note."""
    try:
        said = decoded(body)["error"]
        code, message = str(said["code"]), str(said["message"])
        hint, traceback = str(said.get("try", "")), str(said.get("traceback", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body.decode(errors="replace").strip()[:500]
        return ServerFailed(f"the server answered {status}{': ' + text if text else ''}", "attacca up --verbose")
    return from_words(code, message, hint, traceback)


def decoded(text: str | bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        ValueError: it is no JSON, or too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def from_words(code: str, message: str, hint: str = "", traceback: str = "") -> AttaccaError:
    """The error of the class that has this code; an unknown one is the server's."""
    kind = CLASSES.get(code)
    error = kind(message, hint) if kind else ServerFailed(f"{message} ({code})", hint)
    if traceback:
        error.add_note(traceback)
    return error


def quoted(name: str) -> str:
    """A name as a part of a path."""
    return urllib.parse.quote(name, safe="")

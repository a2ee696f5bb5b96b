"""The commands against a server that says what it is told to say."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from attacca.cli.app import app
from attacca.client.http import Client

DONE = {
    "function": "hello", "revision": 1, "handler": "main:hello", "signature": "named", "imports_ms": 1.5,
    "replaced": None, "changes": [],
}  # fmt: skip
REFUSED = {"code": "not_found", "message": "no function is called 'helo'", "try": "attacca list; did you mean hello?"}
HEADS = {"x-attacca-start": "warm", "x-attacca-invocation-id": "i-1", "server-timing": "queued;dur=0.1, run;dur=2"}


class Twin(ThreadingHTTPServer):
    """Answers from a dict of "METHOD /path" to status, headers and body; remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.hangs_up = False  # after each answer, without having said so
        self.hung_up = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.hung_up.set()

    def says(self, request: str, body: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        kind = {} if isinstance(body, bytes) else {"content-type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[request] = status, {**kind, **(headers or {})}, content


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Twin

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}, body))
        missing: tuple[int, dict[str, str], bytes] = 404, {}, json.dumps({"error": REFUSED}).encode()
        status, headers, content = self.server.answers.get(f"{self.command} {self.path}", missing)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.server.hangs_up

    do_GET = do_POST = do_DELETE = do_PUT = answer  # noqa: N815 - as http.server wants them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""


@pytest.fixture
def twin() -> Iterator[Twin]:
    yield from serving()


@pytest.fixture
def another() -> Iterator[Twin]:
    yield from serving()


def serving() -> Iterator[Twin]:
    server = Twin()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def attacca(twin: Twin, *words: str, stdin: bytes | None = None) -> Result:
    return CliRunner(env={"ATTACCA_URL": twin.url, "ATTACCA_TOKEN": "t0ken"}).invoke(app, words, input=stdin)


def ndjson(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_an_answer_passes_byte_for_byte(twin: Twin) -> None:
    twin.says("POST /function/hello", bytes(range(256)), headers={"content-type": "image/png", **HEADS})
    shown = attacca(twin, "invoke", "hello", "-a", "name=bob")
    assert (shown.exit_code, shown.stdout_bytes) == (0, bytes(range(256)))
    _, headers, body = twin.seen[0]
    assert json.loads(body) == {"name": "bob"}
    assert (headers["authorization"], headers["content-type"]) == ("Bearer t0ken", "application/json")


def test_a_stream_of_known_length_leaves_the_connection_to_who_asks_next(twin: Twin, another: Twin) -> None:
    twin.says("POST /api/code", b"", 307, {"location": f"{another.url}/api/code"})
    another.says("POST /api/code", ndjson({"digest": "a"}))
    with Client(twin.url) as client:
        assert [list(client.lines("POST", "/api/code", b"")) for _ in range(2)] == [[{"digest": "a"}]] * 2


def test_a_kept_connection_that_the_server_has_closed_is_not_used(twin: Twin) -> None:
    twin.says("POST /function/hello", b"{}")
    twin.hangs_up = True
    with Client(twin.url) as client:
        for _ in range(2):
            assert client.request("POST", "/function/hello", b"once").status == 200
            assert twin.hung_up.wait(10)
            twin.hung_up.clear()
    assert [body for _, _, body in twin.seen] == [b"once"] * 2


def test_any_method_path_and_query_reach_the_function(twin: Twin) -> None:
    twin.says("PUT /function/shop/items/7?lang=en", {"ok": True})
    shown = attacca(
        twin, "invoke", "shop", "-X", "PUT", "--path", "/items/7", "--query", "lang=en", "-f", "-", stdin=b"\x00\xff"
    )
    assert json.loads(shown.stdout) == {"ok": True}
    assert twin.seen[0][2] == b"\x00\xff"


def test_headers_and_timing_stand_on_stderr(twin: Twin) -> None:
    twin.says("POST /function/hello", {"a": 1}, headers=HEADS)
    shown = attacca(twin, "invoke", "hello", "-i")
    assert json.loads(shown.stdout) == {"a": 1}
    assert "x-attacca-invocation-id: i-1" in shown.stderr
    assert "queued 0.10 · run 2.00 ms" in shown.stderr


def test_an_invocation_as_json(twin: Twin) -> None:
    twin.says("POST /function/hello", {"a": 1}, headers=HEADS)
    said = json.loads(attacca(twin, "invoke", "hello", "--json").stdout)
    assert said["body"] == {"a": 1}
    assert (said["id"], said["status"], said["start"], said["timing_ms"]["run"]) == ("i-1", 200, "warm", 2.0)


def test_a_refusal_says_what_where_and_what_to_try(twin: Twin) -> None:
    shown = attacca(twin, "invoke", "helo")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "Error: no function is called 'helo'" in shown.stderr
    assert "Try: attacca list; did you mean hello?" in shown.stderr
    shown = attacca(twin, "describe", "helo")
    assert f"at GET {twin.url}/api/functions/helo" in shown.stderr


def test_a_function_that_raised_shows_its_traceback(twin: Twin) -> None:
    error = {
        "code": "function_error",
        "message": "boom",
        "try": "",
        "type": "ValueError",
        "traceback": "Traceback\n  File x",
    }
    twin.says("POST /function/hello", {"error": error}, 500)
    shown = attacca(twin, "invoke", "hello")
    assert shown.exit_code == 1
    assert "File x" in shown.stderr


def test_an_applications_own_refusal_is_its_answer(twin: Twin) -> None:
    twin.says("GET /function/shop/nothing", {"detail": "Not Found"}, 404)
    shown = attacca(twin, "invoke", "shop", "-X", "GET", "--path", "/nothing")
    assert (shown.exit_code, json.loads(shown.stdout)) == (1, {"detail": "Not Found"})
    assert "The function answered 404." in shown.stderr


def test_many_invocations_are_summed_up(twin: Twin) -> None:
    twin.says("POST /function/hello", {"a": 1}, headers=HEADS)
    said = json.loads(attacca(twin, "invoke", "hello", "-n", "20", "-c", "4", "--json").stdout)
    assert (said["invocations"], said["ok"], said["starts"], said["errors"]) == (20, 20, {"warm": 20}, {})
    assert len(twin.seen) == 20
    shown = attacca(twin, "invoke", "helo", "-n", "5")
    assert shown.exit_code == 1
    assert "5 not_found" in shown.stdout


@pytest.mark.parametrize(
    "words", [["list"], ["invoke", "x"], ["invoke", "x", "-n", "9", "-c", "3"], ["logs", "x"], ["top"]]
)
def test_without_a_server_every_command_says_how_to_start_one(words: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shown = CliRunner(env={"ATTACCA_URL": f"http://127.0.0.1:{free.getsockname()[1]}"}).invoke(app, words)
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "Try: attacca up" in shown.stderr


def test_deploy_sends_code_and_settings_and_shows_the_steps(twin: Twin, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("def hello(): ...")
    steps: list[dict[str, Any]] = [
        {"step": "unpack", "text": "1 files"},
        {"step": "check", "text": "importing"},
        {"done": DONE},
    ]
    twin.says("POST /api/functions", ndjson(*steps))
    shown = attacca(twin, "deploy", str(tmp_path / "hello.py"), "--memory", "64", "--env", "A=1=2")
    assert shown.exit_code == 0, shown.output
    assert "unpack 1 files" in shown.stderr
    assert "✓ hello revision 1" in shown.stdout
    assert f"{twin.url}/function/hello" in shown.stdout
    body = twin.seen[0][2]
    assert b'{"name":"hello","handler":null,' in body
    assert b'"memory_mb":64' in body
    assert b'"A":"1=2"' in body
    said = json.loads(attacca(twin, "deploy", str(tmp_path / "hello.py"), "--json").stdout)
    assert said == {**DONE, "url": f"{twin.url}/function/hello"}


def test_a_refused_deployment_shows_the_users_own_lines(twin: Twin, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("import nonsense")
    traceback = """Traceback (most recent call last):
  File "/x/attacca/y.py", line 1
    z
  File "main.py", line 3
    import n"""
    error = {
        "code": "bad_function",
        "message": "the import raised",
        "try": "add it to requirements.txt",
        "traceback": traceback,
    }
    twin.says("POST /api/functions", ndjson({"step": "check", "text": "importing"}, {"error": error}))
    shown = attacca(twin, "deploy", str(tmp_path / "hello.py"))
    assert shown.exit_code == 1
    assert "attacca/y.py" not in shown.stderr
    assert 'File "main.py", line 3' in shown.stderr
    assert "Try: add it to requirements.txt" in shown.stderr


def test_logs_come_line_by_line(twin: Twin) -> None:
    line = {"at": 1.0, "revision": 1, "sandbox": "s", "invocation": "i-1", "stream": "stdout", "text": "hi"}
    twin.says("GET /api/functions/hello/logs?since=600", ndjson(line, line))
    shown = attacca(twin, "logs", "hello", "--since", "10m")
    assert [row.split()[1:] for row in shown.stdout.splitlines()] == [["i-1", "stdout", "hi"]] * 2
    shown = attacca(twin, "logs", "hello", "--since", "10m", "--json")
    assert [json.loads(row) for row in shown.stdout.splitlines()] == [line, line]


def test_orders_reach_the_server(twin: Twin) -> None:
    twin.says("DELETE /api/functions/hello", b"", 204)
    twin.says("POST /api/functions/hello/prewarm", None)
    twin.says("POST /api/functions/hello/evict", None)
    twin.says(
        "POST /api/functions/hello/rollback", {"function": "hello", "revision": 1, "handler": "m:h", "replaced": 2}
    )
    scale = {"scheduling": "worker", "min_sandboxes": 0, "max_sandboxes": 7, "scaling": {}, "placement": ""}
    twin.says("POST /api/functions/hello/scale", {"function": "hello", "revision": 1, **scale})
    for words in (["delete", "hello", "--yes"], ["prewarm", "hello", "-n", "3"], ["evict", "hello", "--templates"]):
        assert attacca(twin, *words).exit_code == 0
        assert json.loads(attacca(twin, *words, "--json").stdout)
    assert json.loads(attacca(twin, "rollback", "hello", "--to", "1", "--json").stdout)["replaced"] == 2
    assert "7 at most" in attacca(twin, "scale", "hello", "--max", "7").stderr
    sent = [json.loads(body) for request, _, body in twin.seen if body]
    assert sent == [{"count": 3}] * 2 + [{"templates": True}] * 2 + [{"to": 1}, {"max_sandboxes": 7}]


def test_a_server_that_hangs_up_is_no_riddle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        shown = CliRunner(env={"ATTACCA_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}).invoke(
            app, ["invoke", "x"]
        )
        thread.join()
    assert shown.exit_code == 3
    assert "broke off without an answer" in shown.stderr


def test_a_secret_is_read_and_never_said(twin: Twin, tmp_path: Path) -> None:
    key = tmp_path / "key"
    twin.says("PUT /api/secrets/A%20B", {"name": "A B", "set_at": 1.0, "functions": ["shop"]})
    given = {b"s3cret\n": b"s3cret", b"s3cret\r\n": b"s3cret", b"s3cret\n\n": b"s3cret\n", b"\xff\0": b"\xff\0"}
    for stdin, sent in given.items():
        shown = attacca(twin, "secret", "set", "A B", stdin=stdin)
        assert (shown.exit_code, twin.seen.pop()[2]) == (0, sent), shown.output
        key.write_bytes(stdin)
        assert attacca(twin, "secret", "set", "A B", "--file", str(key)).exit_code == 0
        assert twin.seen.pop()[2] == stdin, "a file is taken to its last byte"
        assert "shop" in shown.output
        assert "s3cret" not in shown.output
    for stdin in (b"", b"\n", b"s3cret" * 20_000):
        shown = attacca(twin, "secret", "set", "A B", "--json", stdin=stdin)
        assert (shown.exit_code != 0, twin.seen) == (True, []), "nothing was sent"
        assert "s3cret" not in shown.output
    assert attacca(twin, "secret", "set", "A B", "--file", str(tmp_path / "none")).exit_code != 0
    assert attacca(twin, "secret", "set", "A B", "s3cret").exit_code != 0, "it is no argument"


ID = "124bbd9f53a679c513994487370f6258"


def test_a_call_is_made_and_nobody_waits(twin: Twin) -> None:
    twin.says("POST /async-function/hello/a?b=c", {"id": ID, "function": "hello", "status": "waiting"}, 202)
    words = ("invoke", "hello", "--async", "-a", "n=1", "--path", "a", "--query", "b=c", "--key", "k")
    shown = attacca(twin, *words, "--callback", "https://x.example/")
    assert (shown.exit_code, shown.stdout) == (0, f"{ID}\n")
    _, headers, body = twin.seen.pop()
    assert (headers["idempotency-key"], headers["x-attacca-callback-url"]) == ("k", "https://x.example/")
    assert json.loads(body) == {"n": 1}
    assert json.loads(attacca(twin, *words, "--json").stdout)["id"] == ID
    assert attacca(twin, "invoke", "helo", "--async").exit_code == 1


def test_a_call_is_waited_for(twin: Twin) -> None:
    running = {"id": ID, "status": "running", "attempts": 0, "tries": []}
    done = {**running, "status": "done", "attempts": 1, "result": {"status": 200, "body": 1}}
    twin.says(f"GET /calls/{ID}", running)
    twin.says(f"GET /calls/{ID}?wait=20", done)
    twin.says(f"GET /calls/{ID}/result", b"\xffbytes")
    shown = attacca(twin, "call", "wait", ID)
    assert (shown.exit_code, shown.stdout_bytes) == (0, b"\xffbytes")
    assert json.loads(attacca(twin, "call", "wait", ID, "--json").stdout) == done
    twin.says(f"GET /calls/{ID}?wait=5", {**running, "why": "no"})
    late = attacca(twin, "call", "wait", ID, "--timeout", "5")
    assert late.exit_code == 1
    assert "is running: no" in late.stderr


def test_dead_calls_are_tried_anew_one_by_one_or_all(twin: Twin) -> None:
    twin.says("GET /api/async?function=hello&state=dead&limit=10000", [{"id": "a"}, {"id": "b"}])
    for call in "ab":
        twin.says(f"POST /api/async/{call}/retry", {"count": 1}, 202)
        twin.says(f"DELETE /api/async/{call}", {"count": 1})
    assert json.loads(attacca(twin, "dead", "retry", "--all", "hello", "--json").stdout) == ["a", "b"]
    assert json.loads(attacca(twin, "dead", "delete", "b", "a", "--json").stdout) == ["b", "a"]
    assert attacca(twin, "dead", "retry").exit_code == 2
    assert attacca(twin, "dead", "delete", "a", "--all", "hello").exit_code == 2
    assert attacca(twin, "dead", "delete", "c").exit_code == 1
    twin.says("GET /api/async?state=dead&limit=50", [])
    assert "No call is dead." in attacca(twin, "dead", "list").stderr


def test_calls_and_schedules_are_listed(twin: Twin) -> None:
    twin.says("GET /api/async?function=hello&state=done&limit=7", [])
    assert "There is no such call." in attacca(twin, "call", "list", "hello", "--state", "done", "-n", "7").stderr
    twin.says("GET /api/schedules", [])
    assert "No function has a schedule." in attacca(twin, "schedule", "list").stderr
    assert json.loads(attacca(twin, "schedule", "list", "--json").stdout) == []
    twin.says(f"DELETE /calls/{ID}", {"id": ID, "status": "cancelled"})
    assert "is cancelled" in attacca(twin, "call", "cancel", ID).stderr

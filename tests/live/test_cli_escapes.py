"""Whatever a server, a function or a file says: on a terminal it is text. Every verb is shown the same bad word."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

EVIL = (
    "\x1b]0;TITLE\x07\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b[8mhidden\x9b31m\x90q\x7f\x08\rFORGED\u202eright\u2066\u200bzero"
    "\u2028line\x85\x0b[link=http://evil.example]here[/link][/][bold red]Error[/]"
)
LETTERS = ("x1b]0;TITLE", "u202eright")  # so that it is known to have been shown at all
ALLOWED = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|\?1049[lh]|2K|1A|H)|\r+\n|\r(?=\x1b\[|$|⠋|Dep)")
ROW = {
    "function": EVIL, "revision": 1, "handler": EVIL, "signature": EVIL, "memory_mb": 1, "timeout_s": 1.0,
    "concurrency": 1, "network": EVIL, "deployed_at": 0.0,
}  # fmt: skip
SETTINGS = {
    "memory_mb": 1, "timeout_s": 1.0, "first_byte_s": None, "wait_s": 1.0, "concurrency": 1, "min_sandboxes": 0,
    "max_sandboxes": None, "cpus": None, "queue": 1, "network": EVIL, "idempotent": False, "env": {EVIL: EVIL},
    "scheduling": "cluster", "scaling": {EVIL: EVIL, "policy": EVIL}, "placement": EVIL,
}  # fmt: skip
SUMMARY = dict.fromkeys(("count", "mean", "ewma", "p50", "p95", "p99", "max"), 1)
LOAD = {
    "cpu_share": 0.5, "load_1m": 1.0, "memory_free_mb": 1, "disk_free_mb": 1, "received_mb_s": 0.0, "sent_mb_s": 0.0,
}  # fmt: skip
FUNCTION = {
    "function": EVIL, **dict.fromkeys(("queued", "running", "idle", "templates", "invocations", "errors"), 1),
    **dict.fromkeys(("cold", "template", "prewarmed", "warm"), 1),
    **dict.fromkeys(("exec_ms", "cold_ms", "warm_ms", "gap_s"), SUMMARY),
}  # fmt: skip
SANDBOX = {
    "id": EVIL, "revision": EVIL, "phase": EVIL, "memory_mb": 1, "busy": 1, "served": 1, "age_s": 1.0, "idle_s": 1.0,
}  # fmt: skip
WORKER = {
    "name": EVIL, "memory_mb": 10, "used_mb": 1, "queued": 0, "running": 1, "limit": 1, "draining": False,
    "functions": [FUNCTION], "sandboxes": [SANDBOX], "load": LOAD,
}  # fmt: skip
CALL = {
    "id": EVIL, "function": EVIL, "revision": 1, "at": 0.0, "status": 500, "outcome": EVIL, "start": EVIL, "why": EVIL,
    "sandbox": EVIL, "timing": {"run": 1.0}, "total_ms": 2.0,
}  # fmt: skip
DETAIL = {
    **ROW, "settings": SETTINGS, "has_requirements": True, "statistics": FUNCTION,
    "revisions": [{**ROW, "is_current": True, "changes": [EVIL]}],
}  # fmt: skip
LOG = {"at": 1.0, "revision": 1, "sandbox": EVIL, "invocation": EVIL, "stream": EVIL, "text": EVIL}
ERROR = {"error": {"code": EVIL, "message": EVIL, "try": EVIL, "traceback": f"Traceback\n  File {EVIL}\n{EVIL}"}}
DONE = {"done": {**ROW, "imports_ms": 1.0, "replaced": 1, "changes": [EVIL]}}
STEPS = [{"step": EVIL, "text": EVIL}, {"step": "log", "text": EVIL}]


class Liar(BaseHTTPRequestHandler):
    """A server, or a function, that says the bad word wherever there is a text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        if path == "/function/text":
            self._say(EVIL.encode(), "text/plain")
        elif path == "/function/json":
            self._say(json.dumps({EVIL: EVIL}, ensure_ascii=False).encode())
        elif path == "/function/raised":
            self._say(json.dumps(ERROR).encode(), status=500)
        elif path == "/function/refused":
            self._say(EVIL.encode(), "text/plain", 500)
        elif path == "/api/functions/bad/logs" or self.path.startswith("/api/functions/broken"):
            self._say(json.dumps(ERROR).encode(), status=404)
        else:
            self._say(b"\n".join(json.dumps(one).encode() for one in self._answer(path)))

    do_POST = do_DELETE = do_GET  # noqa: N815 - as it is called

    def _answer(self, path: str) -> list[Any]:
        match path.removeprefix("/api/").split("/"):
            case ["functions"] if self.command == "GET":
                return [[ROW]]
            case ["functions"]:
                return [*STEPS, self.server.last]  # type: ignore[attr-defined]
            case ["functions", _, "logs"]:
                return [LOG, {**LOG, "stream": "stderr"}]
            case ["functions", _]:
                return [DETAIL]
            case ["functions", _, "rollback"]:
                return [{"function": EVIL, "revision": 1, "handler": EVIL, "replaced": 2}]
            case ["calls"]:
                return [[CALL]]
            case ["workers"]:
                return [[WORKER]]
            case ["info"]:
                return [{"gateways": {EVIL: EVIL}}]
            case _:
                return [{}]

    def _say(self, body: bytes, kind: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-attacca-start", "\x9b31mwarm")
        self.send_header("server-timing", "total;dur=2, run;dur=1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def liar() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.last = DONE  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def on_terminal(words: list[str], url: str, *, until: str = "", **more: str) -> str:
    """What the command writes to a terminal. `until`: once this has been seen, it is interrupted."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environ |= {"TERM": "xterm", "ATTACCA_URL": url, "LC_ALL": "C.UTF-8", "COLUMNS": "2000", **more}
    with subprocess.Popen(
        [sys.executable, "-m", "attacca.cli.app", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    ) as process:
        os.close(theirs)
        written, deadline = b"", time.monotonic() + 30
        with contextlib.suppress(OSError):  # the other end is closed
            while time.monotonic() < deadline:
                if select.select([ours], [], [], 0.1)[0]:
                    written += os.read(ours, 65536)
                if until and until in written.decode(errors="replace"):
                    process.send_signal(signal.SIGINT)
                    until = ""
        process.kill()
        os.close(ours)
    return written.decode("utf-8", "surrogateescape")


def expect_text_alone(written: str, *, letters: tuple[str, ...] = LETTERS) -> None:
    for part in letters:
        assert part in written, written
    assert "\x1b]" not in written
    assert "\rFORGED" not in written
    assert "Traceback (most recent call last)" not in written, written
    left = ALLOWED.sub("", written)
    bad = {sign for sign in left if not (sign.isprintable() or sign in "\n\t")}
    assert bad == set(), (bad, written)


VERBS = [
    "logs x", "logs bad", "invoke text", "invoke text -i", "invoke json", "invoke raised", "invoke refused", "calls",
    "calls x", "list", "describe x", "describe broken", "top --once", "rollback x", "invoke raised -n 2 -c 1",
]  # fmt: skip


@pytest.mark.parametrize("words", VERBS)
def test_a_verb_shows_what_it_is_told_as_text(words: str, liar: ThreadingHTTPServer) -> None:
    letters = ("1b]0;TITLE", "202eright")  # JSON spells them \\u001b
    expect_text_alone(on_terminal(words.split(), f"http://127.0.0.1:{liar.server_port}"), letters=letters)


@pytest.mark.parametrize("words", ["logs x", "calls", "list", "describe x", "invoke json", "logs bad", "top"])
def test_json_stays_json_and_text_alone(words: str, liar: ThreadingHTTPServer) -> None:
    written = on_terminal([*words.split(), "--json"], f"http://127.0.0.1:{liar.server_port}")
    expect_text_alone(written, letters=("TITLE",))
    value, _ = json.JSONDecoder().raw_decode(written.replace("\r\n", "\n"))
    assert _has(value)


def _has(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(_has(one) for one in value)
    return isinstance(value, str) and EVIL in value


@pytest.mark.parametrize("last", [DONE, ERROR])
@pytest.mark.parametrize("words", ["deploy", "deploy --json"])
def test_a_deployment_shows_what_it_is_told_as_text(
    last: dict[str, Any], words: str, liar: ThreadingHTTPServer, tmp_path: Path
) -> None:
    liar.last = last  # type: ignore[attr-defined]
    (tmp_path / "main.py").write_text("")
    written = on_terminal([*words.split(), str(tmp_path), "--name", "x"], f"http://127.0.0.1:{liar.server_port}")
    expect_text_alone(written, letters=("TITLE",))


def test_dev_shows_what_it_is_told_as_text(liar: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    written = on_terminal(
        ["dev", str(tmp_path), "--name", "x"], f"http://127.0.0.1:{liar.server_port}", until="Watching"
    )
    expect_text_alone(written)


def test_names_of_files_and_settings_are_text_too(tmp_path: Path) -> None:
    evil = EVIL.replace("/", "|")
    (tmp_path / evil).mkdir()
    for words in (["deploy", evil], ["invoke", "x", "-f", f"{evil}/y"], ["report", evil], ["config", "--check", evil]):
        expect_text_alone(on_terminal(words, "http://127.0.0.1:1"), letters=("TITLE",))
    for words in (["doctor"], ["config"]):
        written = on_terminal(words, "http://127.0.0.1:1", ATTACCA_CONTROL__STATE_DIR=f"/tmp/{evil}")
        expect_text_alone(written, letters=("TITLE",))


def test_tables_of_the_laboratory_show_names_as_text(tmp_path: Path) -> None:
    evil = EVIL.replace("\r", "").replace("\u2028", "").replace("\x85", "").replace("\x0b", "")
    trace = tmp_path / "trace.csv"
    rows = "".join(f"{evil},{evil}{number % 3},{number}.0,0.5\n" for number in range(1, 60))
    trace.write_text(f"app,func,end_timestamp,duration\n{rows}", newline="")
    expect_text_alone(on_terminal(["trace", "info", str(trace)], "http://127.0.0.1:1"), letters=("x1b]0;",))
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        f"name = 'evil'\nseed = 1\n[workload.trace]\npath = '{trace}'\nformat = 'azure2021'\nminutes = 1\n"
        "[system]\nmemory_mb = 1000\n"
    )
    expect_text_alone(on_terminal(["scenario", "check", str(scenario)], "http://127.0.0.1:1"), letters=("title",))
    run = str(tmp_path / "run")
    expect_text_alone(on_terminal(["sim", "run", str(scenario), "--out", run], "http://127.0.0.1:1"), letters=("evil",))
    expect_text_alone(on_terminal(["report", run], "http://127.0.0.1:1"), letters=("evil",))


def test_who_is_no_terminal_gets_the_bytes(liar: ThreadingHTTPServer) -> None:
    environ = {**os.environ, "ATTACCA_URL": f"http://127.0.0.1:{liar.server_port}", "LC_ALL": "C.UTF-8"}
    for words, wanted in ((["invoke", "text"], EVIL.encode()), (["logs", "x"], EVIL.encode())):
        done = subprocess.run(
            [sys.executable, "-m", "attacca.cli.app", *words], env=environ, capture_output=True, check=True, timeout=30
        )
        assert wanted in done.stdout

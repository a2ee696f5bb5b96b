"""`attacca dev`: deploys on every save, streams the logs, and goes on whatever happens."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.functions.deploy import CodePath, Env, Handler, NewName, Secret, SourceBuilds, read_env, read_secrets
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import joined, milliseconds, paint, put, say, show_error
from attacca.cli.watch.logs import address, rendered, show_raw
from attacca.client.http import Client
from attacca.client.program import ourselves
from attacca.errors import AttaccaError, Unreachable

EXAMPLES = """
attacca dev hello
attacca dev shop --env DEBUG=1
attacca dev hello.py --url http://127.0.0.1:9000  # on a server that runs there
attacca dev hello --json | jq .text  # a line for each deployment, and for each thing it writes
"""
READY_S = 30.0  # for a server that we start ourselves
SETTLE_MS = 60  # an editor saves in several steps
AGAIN_MS = 500  # after which we look whether the directory is still the one that is watched
SKIPPED = ("__pycache__", ".git", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache")


def run(
    path: CodePath,
    *,
    name: NewName = None,
    handler: Handler = None,
    env: Env = None,
    secret: Secret = None,
    allow_source_builds: SourceBuilds = False,
    no_up: Annotated[bool, typer.Option("--no-up", help="Do not start a server when none answers.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Deploy a function now and on every save, and stream what it writes; until Ctrl-C.

    Uses the server at --url, or starts one for as long as this runs.
    """
    code = Path(path)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed must not leave our server behind
        signal.signal(number, signal.default_int_handler)
    server = None if _answers(url, token) else _start(url, may_start=not no_up)
    changes = _changes(code)
    flags: dict[str, object] = {"name": name, "handler": handler}
    given = read_env(env or []), read_secrets(secret or [])
    session = Session(code, flags, given, url, token, as_json=as_json)
    try:
        session.deploy(allow_source_builds=allow_source_builds)
        say(paint(f"Watching {code}; Ctrl-C ends.", "dim", sys.stderr))
        for changed in changes:
            say(paint(f"{', '.join(changed)} changed", "dim", sys.stderr))
            session.deploy(allow_source_builds=allow_source_builds)
    except KeyboardInterrupt:
        say("")
    finally:
        if server is not None:
            _stop(server)


class Session:
    """One function under development. Errors are shown; the last revision that worked stays in force."""

    def __init__(
        self,
        code: Path,
        flags: dict[str, object],
        given: tuple[dict[str, str], dict[str, str]],
        url: str,
        token: str,
        *,
        as_json: bool,
    ) -> None:
        """`given`: its environment, and how it is given its secrets."""
        self._code = code
        self._flags = flags
        self._given = given
        self._url = url
        self._token = token
        self._as_json = as_json
        self._followed = ""

    def __repr__(self) -> str:
        return f"<Session of {self._code} at {self._url}>"

    def deploy(self, *, allow_source_builds: bool) -> None:
        from attacca.client.source import deploy, example, find
        from attacca.io.archive import packed

        began = time.monotonic()  # noqa: TID251 - shown to a person
        try:
            source = find(self._code, self._flags, *self._given)
            with Client(self._url, self._token) as client, packed(source.path) as archive:
                for line in deploy(client, source, archive, allow_source_builds=allow_source_builds):
                    if "done" in line:
                        took_ms = (time.monotonic() - began) * 1000  # noqa: TID251 - it is told to a person
                        self._tell(line["done"], example(line["done"]), took_ms)
                        self._listen(line["done"]["function"])
                    elif line["step"] in ("build", "log"):
                        say(paint(f"  {line['text'].rstrip()}", "dim", sys.stderr))
        except AttaccaError as error:
            show_error(error, as_json=self._as_json)

    def _tell(self, done: dict[str, Any], example: str, took_ms: float) -> None:
        if self._as_json:
            show_raw(done)
            return
        name = done["function"]
        mark = paint("✓", "bold green", sys.stderr)
        said = f" revision {done['revision']} in {milliseconds(took_ms)} ms"
        tried = [] if self._followed else ["   ", paint(example, "bold", sys.stderr)]
        say(joined(mark, " ", paint(name, "bold cyan", sys.stderr), said, *tried))

    def _listen(self, name: str) -> None:
        if self._followed != name:
            self._followed = name
            threading.Thread(target=self._follow, args=(name,), daemon=True).start()

    def _follow(self, name: str) -> None:
        """In a thread of its own, for as long as the function exists."""
        try:
            with Client(self._url, self._token) as client:
                for line in client.lines("GET", address(name, since_s=0, follow=True)):
                    if self._as_json:
                        show_raw(line)
                    else:
                        put(rendered(line, sys.stdout))
        except AttaccaError as error:
            if not isinstance(error, Unreachable):
                show_error(error, as_json=self._as_json)
        self._followed = ""


def _changes(code: Path) -> Iterator[list[str]]:
    """Names of what was saved, each time something was. What is there now is taken as seen."""
    root = code.resolve()
    base = root if root.is_dir() else root.parent
    return _watch(root, base, _identity(base))


def _watch(root: Path, base: Path, place: tuple[int, int] | None) -> Iterator[list[str]]:
    """A directory that is moved away, and another that comes in its place, does not tell: we look now and then."""
    import watchfiles

    def is_wanted(_: watchfiles.Change, name: str) -> bool:
        path = Path(name)
        if root.is_file():
            return path == root
        parts = path.relative_to(base).parts if path.is_relative_to(base) else ()
        return not any(part in SKIPPED for part in parts) and not path.name.endswith(
            ("~", ".swp", ".swx", ".pyc", ".tmp")
        )

    is_new = False
    while True:
        watched = watchfiles.watch(
            base,
            watch_filter=is_wanted,
            debounce=SETTLE_MS * 4,
            step=SETTLE_MS,
            recursive=root.is_dir(),
            raise_interrupt=True,
            rust_timeout=AGAIN_MS,
            yield_on_timeout=True,
        )
        for changes in watched:
            now = _identity(base)
            if now not in (place, None):
                place, is_new = now, True
                break  # and told once it is watched, so that no save is missed
            if not changes and not is_new:
                continue
            is_new = False
            named = {str(Path(name).relative_to(base)): Path(name).exists() for _, name in changes}
            named.pop(".", None)
            there = sorted(name for name in named if named[name])  # not what an editor made on the way
            yield there or sorted(named) or [base.name]


def _identity(path: Path) -> tuple[int, int] | None:
    """Which directory it is, whatever it is called; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _answers(url: str, token: str) -> bool:
    try:
        with Client(url, token, connect_s=1.0, read_s=2.0) as client:
            return client.request("GET", "/healthz").status == 200
    except Unreachable:
        return False


def _start(url: str, *, may_start: bool) -> subprocess.Popen[bytes]:
    """`attacca up` as a child; it ends with us, however we end: it holds the other end of a pipe of ours.

    Raises:
        Unreachable: it is not ours to start, or it did not come up.
    """
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    if not may_start or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Unreachable(f"no attacca server answers at {url}", "start one there with attacca up")
    say(paint(f"No server answers at {url}; starting one.", "dim", sys.stderr))
    command = [
        *ourselves(),
        "up",
        "--quiet",
        "--lifeline",
        "--host",
        parts.hostname,
        "--port",
        str(parts.port or 80),
        "--memory-limits",
        "watch",
    ]
    environ = {name: value for name, value in os.environ.items() if name not in ("ATTACCA_URL", "ATTACCA_TOKEN")}
    server = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, process_group=0)
    until = time.monotonic() + READY_S  # noqa: TID251 - a person waits
    while time.monotonic() < until and server.poll() is None:  # noqa: TID251 - a person waits
        if _answers(url, ""):
            return server
        time.sleep(0.05)  # noqa: TID251 - a person waits
    _stop(server)
    raise Unreachable("the server did not come up; what it said stands above", "attacca up --verbose")


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(timeout=40)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        server.kill()
        server.wait()

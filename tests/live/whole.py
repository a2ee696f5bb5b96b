"""A whole `attacca up` in its own process, a client that speaks to it by the letter, and eyes for what it leaves."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from attacca.worker.runtime.process.lineage import children, household
from tests.live.ordinary import command as as_ordinary
from tests.live.ordinary import environment
from tests.live.patience import ASK_S, IMPORT_S, NAP_S, PATIENCE_S, Later

ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}
JOIN = os.environ.get("JOIN", "memory")  # JOIN=tcp: the planes of every server are joined over TCP
CGROUPS = Path("/sys/fs/cgroup")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        """The envelope, which every error has."""
        assert self.status >= 400, self
        found: dict[str, str] = self.value["error"]
        assert {"code", "message", "try"} <= set(found), self
        return found

    @property
    def code(self) -> str:
        return self.error["code"]


def command(
    state: Path, *options: str, ordinary: str = "", groups: Sequence[Path] = (), verb: Sequence[str] = ("up",)
) -> list[str]:
    words = [*verb, "--port", "0", "--json", "--memory", "2048", "--memory-limits", "watch"]
    words += ["--state-dir", str(state), "--set", f"wire.join={JOIN}"]
    words += ["--set", f"process.start_timeout_s={IMPORT_S:g}", *options]
    enter = ["sh", "-c", "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups) + 'exec "$0" "$@"']
    python = as_ordinary(ordinary) if ordinary else [sys.executable]
    return [*(enter if groups else []), *python, "-m", "attacca.cli.app", *words]


class Onlooker:
    """Sees the processes and cgroups of a server from outside."""

    def __init__(self, pid: int, state: Path) -> None:
        self.pid, self.state = pid, state
        self._family: dict[int, str] = {}

    def family(self) -> dict[int, str]:
        """Every process that belongs to it now, and when each began; remembered for `left`. Zygotes see where its code
        lies; who stands between them and the server may not, nor do sandboxes: they are known by whose children they
        and others are."""
        mark = f"{self.state.resolve()}/code"
        pids = [pid for pid in _pids() if pid != self.pid]
        ours = {pid for pid, began in self._family.items() if _began(pid) == began}
        for pid in pids:
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{pid}/mountinfo").read_text().replace("\\040", " "):
                    ours.add(pid)
        parents = {pid: _parent(pid) for pid in pids}
        for pid in tuple(ours):
            between = []
            while (pid := parents.get(pid, 0)) in parents:
                between.append(pid)
            ours.update(between if pid == self.pid else ())
        while more := {pid for pid, parent in parents.items() if parent in ours and pid not in ours}:
            ours |= more
        found = {pid: began for pid in ours if (began := _began(pid))}  # it may end between the two looks
        self._family.update(found)
        return found

    def keeper(self) -> int:
        return next(pid for pid in self.family() if _parent(pid) == self.pid)

    def zygote(self) -> int:
        keeper = self.keeper()
        return next(pid for pid in self.family() if _parent(pid) == keeper)

    def guests(self) -> list[int]:
        """Templates and sandboxes made by the zygote itself."""
        zygote = self.zygote()
        return [pid for pid in self.family() if _parent(pid) == zygote]

    def forked_from(self, minder: int) -> list[int]:
        """Sandboxes of the template that this one minds."""
        return children(household(minder)[-1])

    def left(self) -> list[str]:
        """What is still there of it, when nothing should be."""
        self.family()
        alive = [f"process {pid} {_doing(pid)}" for pid, began in self._family.items() if _began(pid) == began]
        return alive + [str(path) for path in self.cgroups()]

    def cgroups(self) -> list[Path]:
        """Wherever they are: beside our own group, or at the top."""
        mark = f"attacca-{self.pid}-"
        return [Path(at, name) for at, inside, _ in os.walk(CGROUPS) for name in inside if name.startswith(mark)]


class Whole(Onlooker):
    def __init__(
        self,
        state: Path,
        *options: str,
        ordinary: str = "",
        groups: Sequence[Path] = (),
        verb: Sequence[str] = ("up",),
        at: Path | None = None,
    ) -> None:
        """`ordinary`: an interpreter for a user who is not root. `groups`: cgroups it is in, `at` a directory."""
        self.token = ""
        log = state.with_name(f"{state.name}-{time.monotonic_ns()}.log")
        self._said = open(log, "w+")  # noqa: SIM115 - as long as we live
        self.process = subprocess.Popen(
            command(state, *options, ordinary=ordinary, groups=groups, verb=verb),
            env=environment() if ordinary else ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            process_group=0,
            cwd=at,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            pytest.fail(f"it did not start: {self.said}")
        self.info: dict[str, Any] = json.loads(line)
        super().__init__(self.process.pid, state)
        self.port = int(self.info["url"].rpartition(":")[2])

    @property
    def said(self) -> str:
        return Path(self._said.name).read_text()

    # As a client.

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait_s: float = ASK_S
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait_s)
        try:
            bearer = {"authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, body, {**bearer, **(headers or {})})
            return _read(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.value

    def call(self, name: str, payload: object = None, wait_s: float = ASK_S) -> Answer:
        body = b"" if payload is None else json.dumps(payload).encode()
        return self.ask("POST", f"/function/{name}", body, {"content-type": "application/json"}, wait_s)

    def deploy(self, name: str, source: str, **settings: object) -> dict[str, Any]:
        """The last line of the answer: `done` or `error`."""
        answer = self.ask("POST", "/api/functions", *deployment(name, source, **settings))
        assert answer.status == 200, answer
        last: dict[str, Any] = json.loads(answer.body.splitlines()[-1])
        return last

    def function(self, name: str, source: str, **settings: object) -> None:
        told = self.deploy(name, source, **settings)
        assert "done" in told, told

    def delete(self, name: str) -> None:
        assert self.ask("DELETE", f"/api/functions/{name}").status == 204

    def logs(self, name: str) -> str:
        lines = self.ask("GET", f"/api/functions/{name}/logs").body.splitlines()
        return "\n".join(str(json.loads(line)["text"]) for line in lines)

    def worker(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.get("/api/workers")[0])

    def sandboxes(self, function: str) -> list[dict[str, Any]]:
        return [one for one in self.worker()["sandboxes"] if one["revision"].startswith(function + "@")]

    def metrics(self) -> dict[str, float]:
        """Of each sample its value, under the name and labels that stand before it."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def is_well(self) -> bool:
        """Does it answer, and does a function of no interest get its turn?"""
        if self.ask("GET", "/healthz").status != 200:
            return False
        if self.ask("GET", "/api/functions/bystander").status == 404:
            self.function("bystander", "def bystander(n=1):\n    return n + 1\n")
        return bool(self.call("bystander", {"n": 41}).value == 42)

    # Its end.

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """As an out-of-memory killer would."""
        self.process.kill()
        self.end()

    def end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._said.close()
        return code

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.end()


@contextlib.contextmanager
def running(state: Path, *options: str, **more: Any) -> Iterator[Whole]:
    """`more`: as a `Whole` takes it."""
    whole = Whole(state, *options, **more)
    try:
        yield whole
    finally:
        whole.stop()


def naps(seconds: float = PATIENCE_S) -> Iterator[None]:
    """Until patience has run out. A machine that is paused, for however long, is so for a second."""
    spent, before = 0.0, time.monotonic()
    while spent < seconds:
        yield
        time.sleep(NAP_S)
        now = time.monotonic()
        spent, before = spent + min(now - before, 1.0), now


def until(is_so: Callable[[], object], what: str = "", seconds: float = PATIENCE_S) -> None:
    for _ in naps(seconds):
        if is_so():
            return
    assert is_so(), f"it did not come to pass: {what}"


def until_nothing_is_left(whole: Onlooker, of: str = "") -> None:
    left: list[str] = []
    for _ in naps():
        left = [one for one in whole.left() if one.startswith(of)]
        if not left:
            return
    raise AssertionError(left)


def meanwhile(work: Later, ask: Callable[[], object]) -> int:
    """How often something was done before another had ended."""
    times = 0
    while work.is_alive():
        assert ask()
        times += work.is_alive()
    return times


def tarball(source: str) -> bytes:
    """The archive of a function that is one file."""
    buffer, code = io.BytesIO(), textwrap.dedent(source).encode()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("main.py")
        info.size = len(code)
        archive.addfile(info, io.BytesIO(code))
    return buffer.getvalue()


def deployment(name: str, source: str | bytes, **settings: object) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request that deploys it; `source` is a file's text, or a packed directory."""
    said = json.dumps({"name": name, **settings}).encode()
    disposition = b"--frontier\r\nContent-Disposition: form-data; name="
    body = b"".join(
        (disposition, b'"settings"\r\n\r\n', said, b"\r\n", disposition, b'"code"; filename="code.tar.gz"\r\n\r\n',
         source if isinstance(source, bytes) else tarball(source), b"\r\n--frontier--\r\n")
    )  # fmt: skip
    return body, {"content-type": "multipart/form-data; boundary=frontier"}


def post(path: str, body: bytes = b"", *fields: str) -> bytes:
    """A request that is the last of its connection."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def at_once(whole: Whole, requests: Sequence[bytes]) -> list[Answer]:
    """One connection each; all are open before the first byte is sent."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
        writer.write(request)
        raw = await reader.read()
        writer.close()
        return parse(raw)

    async def main() -> list[Answer]:
        connections = [await asyncio.open_connection("127.0.0.1", whole.port) for _ in requests]
        async with asyncio.timeout(3 * PATIENCE_S):
            pairs = zip(connections, requests, strict=True)
            return await asyncio.gather(*(one(*connection, request) for connection, request in pairs))

    return asyncio.run(main())


def parse(raw: bytes) -> Answer:
    class Socket:
        def makefile(self, _: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(cast(socket.socket, Socket()))
    response.begin()
    return _read(response)


def _read(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", "0"] + [""] * 20


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _began(pid: int) -> str:
    """Empty when it is no more; a zombie is no more."""
    stat = _stat(pid)
    return "" if stat[0] in "XZ" else stat[19]


def _doing(pid: int) -> str:
    """For whoever has to find out why it is still there."""
    try:
        return f"({_stat(pid)[0]} in {Path(f'/proc/{pid}/wchan').read_text()}, child of {_parent(pid)})"
    except OSError:
        return ""


def resident_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

"""`attacca up` and the commands on it, as a person would use them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.whole import JOIN, until

ATTACCA = [sys.executable, "-m", "attacca.cli.app"]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}
SLOW = """
import time

def slow(seconds: float = 1.0):
    print("begun", flush=True)
    time.sleep(seconds)
    return {"slept": seconds}
"""


class Server:
    """One `attacca up` in its own process."""

    def __init__(self, state_dir: Path, *options: str) -> None:
        self.lines: list[str] = []
        command = [*ATTACCA, "up", "--port", "0", "--memory", "1024", "--memory-limits", "watch"]
        command += ["--state-dir", str(state_dir), "--set", f"wire.join={JOIN}", *options]
        self.process = subprocess.Popen(
            command, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            process_group=0,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self.said("is up at") or self.process.poll() is not None)
        found = re.search(r"is up at (\S+)", self.text)
        assert found, self.text
        self.url = found[1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def said(self, what: str) -> bool:
        return what in self.text

    def run(self, *words: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        done = attacca(*words, env={"ATTACCA_URL": self.url, **(env or {})})
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}\n{self.text}"
        return done.stdout if code == 0 else done.stderr

    def json(self, *words: str) -> object:
        return json.loads(self.run(*words, "--json"))

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        code = self.process.wait(20)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.end()
        if self.process.poll() is None:
            self.process.kill()
            self.end()


def attacca(*words: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*ATTACCA, *words], env={**ENVIRON, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=40, check=False,
    )  # fmt: skip


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("state"), "--verbose")
    yield running
    running.stop()


@pytest.mark.parametrize("template", ["named", "handler", "main", "asgi"])
def test_what_init_writes_can_be_deployed_and_invoked(server: Server, tmp_path: Path, template: str) -> None:
    folder = tmp_path / f"hi-{template}"
    server.run("init", str(folder), "--template", template)
    done = server.json("deploy", str(folder))
    assert isinstance(done, dict)
    assert (done["function"], done["revision"], done["replaced"]) == (f"hi-{template}", 1, None)
    words = ["-X", "GET", "--path", "/"] if template == "asgi" else ["-a", "name=bob"]
    answer = json.loads(server.run("invoke", f"hi-{template}", *words))
    assert answer["greeting"].startswith("hello")
    calls = server.json("calls", f"hi-{template}")
    assert isinstance(calls, list)
    assert (calls[0]["status"], calls[0]["outcome"]) == (200, "ok")
    server.run("calls", f"hi-{template}")
    assert "1 invocation ·" in server.run("describe", f"hi-{template}")
    assert f"hi-{template}" in server.run("list")
    assert server.said(f"deployed hi-{template}@1")


def test_revisions_go_forth_and_back(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "turn.py"
    for number in (1, 2):
        file.write_text(f"def turn():\n    return {number}\n")
        server.run("deploy", str(file))
    assert json.loads(server.run("invoke", "turn")) == 2
    server.run("rollback", "turn")
    assert json.loads(server.run("invoke", "turn")) == 1
    server.run("delete", "turn", "--yes")
    assert "Try:" in server.run("invoke", "turn", code=1)


def test_a_deployment_that_cannot_work_is_refused_with_the_users_own_lines(server: Server, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import json\nimport nonsense\n")
    said = server.run("deploy", str(tmp_path / "broken.py"), code=1)
    assert "No module named 'nonsense'" in said
    assert "line 2" in said
    assert "importlib" not in said
    assert "broken" not in server.run("list")


def test_what_a_function_writes_can_be_read(server: Server, tmp_path: Path) -> None:
    (tmp_path / "talk.py").write_text("import logging\ndef talk():\n    print('out')\n    logging.warning('oh')\n")
    server.run("deploy", str(tmp_path / "talk.py"))
    server.run("invoke", "talk")
    until(lambda: "oh" in server.run("logs", "talk"))
    rows = [json.loads(line) for line in server.run("logs", "talk", "--json").splitlines()]
    assert [row["text"] for row in rows if row["stream"] == "stdout"] == ["out"]
    assert len({row["invocation"] for row in rows if row["invocation"]}) == 1


def test_bursts_prewarming_eviction_and_pictures(server: Server, tmp_path: Path) -> None:
    (tmp_path / "quick.py").write_text("def quick():\n    return 1\n")
    server.run("deploy", str(tmp_path / "quick.py"))
    server.run("prewarm", "quick", "-n", "2")
    until(lambda: "quick@1" in server.run("top", "--once"))
    said = server.json("invoke", "quick", "-n", "30", "-c", "3")
    assert isinstance(said, dict)
    assert (said["ok"], said["errors"]) == (30, {})
    assert "invocations of quick" in server.run("invoke", "quick", "-n", "5")
    server.run("evict", "quick", "--templates")
    until(lambda: "quick@1" not in server.run("top", "--once"))
    one = server.json("invoke", "quick")
    assert isinstance(one, dict)
    assert one["start"] == "cold"


def test_dev_deploys_on_every_save_and_survives_errors(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "shifting.py"
    file.write_text("def shifting():\n    print('one', flush=True)\n    return 1\n")
    command = [*ATTACCA, "dev", str(file)]
    seen: list[str] = []
    with subprocess.Popen(
        command, env={**ENVIRON, "ATTACCA_URL": server.url}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as dev:  # fmt: skip
        assert dev.stdout is not None
        reader = threading.Thread(target=lambda: seen.extend(dev.stdout or ()), daemon=True)
        reader.start()
        until(lambda: any("Watching" in line for line in seen))
        server.run("invoke", "shifting")
        until(lambda: any(line.endswith(" one\n") for line in seen))
        file.write_text("def shifting():\n    return 2\n")
        until(lambda: any("revision 2" in line for line in seen))
        file.write_text("def shifting(:\n")
        until(lambda: any("SyntaxError" in line for line in seen))
        assert json.loads(server.run("invoke", "shifting")) == 2
        file.write_text("def shifting():\n    return 3\n")
        until(lambda: any("revision" in line for line in seen[seen_at(seen, "SyntaxError") :]))
        assert json.loads(server.run("invoke", "shifting")) == 3
        dev.send_signal(signal.SIGINT)
        assert dev.wait(30) == 0
        reader.join()


def test_dev_sees_a_directory_that_comes_in_the_place_of_another(server: Server, tmp_path: Path) -> None:
    code, other = tmp_path / "placed", tmp_path / "other"
    for folder in (code, other):
        folder.mkdir()
        (folder / "main.py").write_text("def main(args):\n    return {'n': 1}\n")
    seen: list[str] = []
    with subprocess.Popen(
        [*ATTACCA, "dev", str(code)], env={**ENVIRON, "ATTACCA_URL": server.url}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as dev:  # fmt: skip
        reader = threading.Thread(target=lambda: seen.extend(dev.stderr or ()), daemon=True)
        reader.start()
        until(lambda: any("Watching" in line for line in seen))
        code.rename(tmp_path / "away")
        other.rename(code)
        until(lambda: any("revision 2" in line for line in seen))
        (code / "main.py").write_text("def main(args):\n    return {'n': 3}\n")
        until(lambda: any("revision 3" in line for line in seen))
        dev.send_signal(signal.SIGINT)
        assert dev.wait(30) == 0
        reader.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_dev_takes_the_server_that_it_started_with_it(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "hello.py").write_text("def hello():\n    return 1\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    environ = {**ENVIRON, "ATTACCA_URL": url, "XDG_STATE_HOME": str(tmp_path)}
    command = [*ATTACCA, "dev", str(tmp_path / "hello.py"), "--json"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as dev:
        assert dev.stdout is not None
        done = json.loads(dev.stdout.readline())
        assert (done["function"], done["revision"]) == ("hello", 1)
        servers = children(dev.pid)
        dev.send_signal(number)
        assert dev.wait(20) == (-number if number is signal.SIGKILL else 0)
    assert len(servers) == 1
    until(lambda: not Path(f"/proc/{servers[0]}").exists())


def seen_at(lines: list[str], what: str) -> int:
    return next(index for index, line in enumerate(lines) if what in line)


def test_functions_survive_a_restart_and_a_kill(tmp_path: Path) -> None:
    (tmp_path / "stay.py").write_text("def stay():\n    return 'here'\n")
    first = Server(tmp_path / "state")
    try:
        first.run("deploy", str(tmp_path / "stay.py"))
    finally:
        first.signal(signal.SIGKILL)
        first.end()
    second = Server(tmp_path / "state")
    try:
        assert second.said("1 function restored")
        assert second.run("invoke", "stay") == "here"
    finally:
        second.stop()
    assert second.process.returncode == 0


def test_the_first_signal_drains_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    server = Server(tmp_path / "state")
    try:
        server.run("deploy", str(tmp_path / "slow.py"))
        answers: list[str] = []
        caller = threading.Thread(target=lambda: answers.append(server.run("invoke", "slow", "-a", "seconds=1")))
        caller.start()
        until(lambda: "begun" in server.run("logs", "slow"))
        sandboxes = children(server.process.pid)
        assert sandboxes
        followed: list[int] = []
        follower = threading.Thread(
            target=lambda: followed.append(attacca("logs", "slow", "-f", "--url", server.url).returncode)
        )
        follower.start()
        server.signal(signal.SIGTERM)
        caller.join()
        follower.join()
        assert json.loads(answers[0]) == {"slept": 1}
        assert len(followed) == 1, "whoever follows a log does not hold up the end"
        assert server.end() == 0
        assert [pid for pid in sandboxes if Path(f"/proc/{pid}").exists()] == []
        assert server.said("Stopped")
    finally:
        server.stop()


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    server = Server(tmp_path / "state")
    try:
        server.run("deploy", str(tmp_path / "slow.py"))
        caller = threading.Thread(target=lambda: attacca("invoke", "slow", "-a", "seconds=25", "--url", server.url))
        caller.start()
        until(lambda: "begun" in server.run("logs", "slow"))
        server.signal()
        until(lambda: server.said("Draining"))
        server.signal()
        assert server.end() == 130  # which would not wait for so long an invocation
        caller.join()
    finally:
        server.stop()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = attacca("up", "--port", str(port), "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert f"attacca up --port {port + 1}" in done.stderr
    assert not (tmp_path / "state").exists()


def test_one_server_at_a_time_in_a_state_directory(server: Server, tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    first = Server(state_dir)
    try:
        done = attacca("up", "--port", "0", "--state-dir", str(state_dir))
        assert done.returncode == 2
        assert str(first.process.pid) in done.stderr
    finally:
        first.stop()


def test_other_machines_need_a_token(tmp_path: Path) -> None:
    state_dir = str(tmp_path / "state")
    done = attacca("up", "--host", "0.0.0.0", "--port", "0", "--state-dir", state_dir)
    assert done.returncode == 2
    assert "there is no API token" in done.stderr
    assert f"attacca token create --state-dir {state_dir}" in done.stderr
    made = json.loads(attacca("token", "create", "--state-dir", state_dir, "--json").stdout)
    server = Server(tmp_path / "state", "--host", "0.0.0.0")
    try:
        assert "token" in server.run("list", code=1)
        server.run("list", env={"ATTACCA_TOKEN": made["token"]})
        attacca("token", "revoke", made["id"], "--state-dir", state_dir)
        until(lambda: attacca("list", "--url", server.url, "--token", made["token"]).returncode == 1)
    finally:
        server.stop()


def test_a_damaged_database_is_told_and_left_alone(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    (state_dir / "state.db").write_bytes(b"this is no database, and it is long enough to be looked at" * 50)
    done = attacca("up", "--port", "0", "--state-dir", str(state_dir))
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert (state_dir / "state.db").read_bytes().startswith(b"this is no database")


def test_a_program_that_starts_it_is_told_where_it_is(tmp_path: Path) -> None:
    command = [*ATTACCA, "up", "--port", "0", "--json", "--state-dir", str(tmp_path / "state"), "--keepalive", "lru"]
    command += ["--memory-limits", "watch"]
    with subprocess.Popen(command, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        assert said["policies"]["keepalive"] == "lru"
        assert attacca("list", "--json", "--url", said["url"]).stdout == "[]\n"
        server.terminate()
        assert server.wait(20) == 0
        assert server.stdout.read() == ""


def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    done = attacca("up", "--keepalive", "nothing", "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 2
    assert "no keepalive policy is called 'nothing'" in done.stderr

"""Three controls, two gateways, two workers and a store, each on a machine of its own, over mutual TLS."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from attacca.client.http import Client
from attacca.errors import AttaccaError
from tests.chaos.net import Net, net
from tests.chaos.spoil import Slow, empty, fill

CONTROLS, GATEWAYS, WORKERS, STORE, CLIENT = ("c1", "c2", "c3"), ("g1", "g2"), ("w1", "w2"), "store", "client"
START_S, PATIENCE_S = 60.0, 60.0
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}
Signal = signal.Signals


class Cluster:
    def __init__(self, at: Path, network: Net, kind: str) -> None:
        self.net, self._at, self._kind = network, at, kind
        self.address = {name: network.add(name) for name in (*CONTROLS, *GATEWAYS, *WORKERS, STORE, CLIENT)}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._logs: list[IO[str]] = []
        self._slow: Slow | None = None
        self._config = at / "attacca.toml"
        self._port = port = {"redis": 6379, "etcd": 2379}[kind]
        links = [f"{self.address[name]}:7700" for name in CONTROLS]
        self._config.write_text(
            f'[store]\nurl = "{kind}://{self.address[STORE]}:{port}"\n[cluster]\ncontrol = {json.dumps(links)}\n'
        )
        self.urls = [f"http://{self.address[name]}:7780" for name in CONTROLS]
        self.token = ""

    def __repr__(self) -> str:
        return f"<Cluster {len(self._processes)} processes over {self._kind}>"

    def open(self) -> None:
        self._attacca("certs", "init", "--state-dir", str(self._at / "ca"))
        for name in (*GATEWAYS, *WORKERS):
            verb = "gateway" if name in GATEWAYS else "worker"
            self._attacca(
                "certs", verb, name, "--state-dir", str(self._at / "ca"), "--out", str(self._at / f"{name}-certs")
            )
        self._attacca("certs", "control", "--state-dir", str(self._at / "ca"), "--out", str(self._at / "control-certs"))
        self.begin(STORE)
        self.net.enter(CLIENT)
        until(self._has_token, "the store answers")
        for name in (*CONTROLS, *WORKERS, *GATEWAYS):
            self.begin(name)
        until(lambda: len(self.ask("GET", "/api/workers")) == len(WORKERS), "workers have joined")
        self.deploy()

    def begin(self, name: str) -> None:
        """Its process, until it says that it is ready; anew, if it was killed."""
        if name == STORE:
            self._spawn(name, self._store())
            return
        words = [sys.executable, "-m", "attacca.cli.app", self._verb(name), "--json", "--config", str(self._config)]
        self._spawn(name, words + self._words(name))

    def signal(self, name: str, number: Signal) -> None:
        self._processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def fill(self) -> None:
        fill(self._kind, self.address[STORE], self._port)

    def empty(self) -> None:
        empty(self._kind, self.address[STORE], self._port)

    def slow_down(self) -> None:
        self._slow = Slow(self._processes[STORE].send_signal)
        self._slow.start()

    def speed_up(self) -> None:
        if self._slow is not None:
            self._slow.end()
            self._slow = None

    def leader(self) -> str:
        return str(self.ask("GET", "/api/info")["leader"])

    def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        """Of whichever control answers.

        Raises:
            AttaccaError: none does, or it refuses.
        """
        with Client(",".join(self.urls), self.token, connect_s=0.5, read_s=3.0) as client:
            headers = {"content-type": "application/json"} if body else {}
            answer = client.request(method, path, body or None, headers)
            if answer.status >= 400:
                client.fail(answer.status, answer.body, method, path)
            return json.loads(answer.body or b"null")

    def acts(self) -> bool:
        """Control leads, and a worker answers it."""
        with contextlib.suppress(AttaccaError, ValueError):
            return bool(self.ask("GET", "/api/workers"))
        return False

    def deploy(self) -> None:
        directory = self._at / "echo"
        directory.mkdir()
        (directory / "main.py").write_text("def main():\n    return 1\n")
        (directory / "function.toml").write_text("idempotent = true\nmin_sandboxes = 1\n")
        environ = {"ATTACCA_URL": ",".join(self.urls), "ATTACCA_TOKEN": self.token}
        self._attacca("deploy", str(directory), environ=environ)

    def close(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(Signal.SIGCONT)
                process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
        for log in self._logs:
            log.close()

    def _verb(self, name: str) -> str:
        return "control" if name in CONTROLS else "gateway" if name in GATEWAYS else "worker"

    def _words(self, name: str) -> list[str]:
        at = self.address[name]
        certs = self._at / f"{'control' if name in CONTROLS else name}-certs"
        words = ["--name", name, "--set", f"control.state_dir={self._at / name}", "--certs", str(certs)]
        if name in CONTROLS:
            return [*words, "--listen", f"{at}:7700", "--host", at, "--port", "7780"]
        if name in GATEWAYS:
            return [*words, "--host", at, "--port", "8080", "--public"]
        return [*words, "--listen", f"{at}:7701", "--memory", "512", "--memory-limits", "watch", "--cores", "2"]

    def _store(self) -> list[str]:
        at, directory = self.address[STORE], self._at / STORE
        directory.mkdir(exist_ok=True)
        if self._kind == "redis":
            durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no"]
            return ["redis-server", "--bind", at, "--dir", str(directory), *durable]
        client, peer = f"http://{at}:2379", f"http://{at}:2380"
        return [
            "etcd", "--data-dir", str(directory / "data"), "--listen-client-urls", client, "--advertise-client-urls",
            client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
            f"default={peer}",
        ]  # fmt: skip

    def _has_token(self) -> bool:
        made = self._attacca("token", "create", "--config", str(self._config), is_tried=True)
        self.token = made.strip()
        join = self._attacca("token", "join", "--config", str(self._config), is_tried=True) if made else ""
        self._join = join.strip()
        return bool(self._join)

    def _spawn(self, name: str, words: list[str]) -> None:
        log = (self._at / f"{name}.log").open("a")
        self._logs.append(log)
        out = subprocess.DEVNULL if name == STORE else subprocess.PIPE
        environ = {**ENVIRON, **({} if name == STORE else {"ATTACCA_JOIN_TOKEN": self._join})}
        process = self._processes[name] = subprocess.Popen(
            [*self.net.inside(name), *words], env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
        if process.stdout is not None and not process.stdout.readline():
            raise RuntimeError(f"{name} did not start: {(self._at / f'{name}.log').read_text()[-2000:]}")

    def _attacca(self, *words: str, environ: dict[str, str] | None = None, is_tried: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "attacca.cli.app", *words], env={**ENVIRON, **(environ or {})}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode and not is_tried:
            raise RuntimeError(f"attacca {' '.join(words)}: {done.stderr}")
        return "" if done.returncode else done.stdout


@contextlib.contextmanager
def cluster(at: Path, kind: str) -> Iterator[Cluster]:
    with net() as network:
        made = Cluster(at, network, kind)
        try:
            made.open()
            yield made
        finally:
            made.close()


def until(is_so: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"it did not come to pass: {what}")
        time.sleep(0.05)

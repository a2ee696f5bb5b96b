"""A cluster of real processes on this machine: control, gateways and workers, each of which can be killed."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.io.certificates import make_authority, make_plane
from tests.live.patience import IMPORT_S
from tests.live.whole import ENVIRON, Onlooker, Whole, until

WORKER = (
    "--memory",
    "1024",
    "--memory-limits",
    "watch",
    "--cores",
    "2",
    "--set",
    f"process.start_timeout_s={IMPORT_S:g}",
)


class Plane(Whole):
    """One `attacca control`, `attacca gateway` or `attacca worker` in its own process."""

    def __init__(self, verb: str, directory: Path, *words: str, token: str = "") -> None:
        self.verb, self.words, self.token = verb, words, ""
        directory.mkdir(parents=True, exist_ok=True)
        self._said = open(directory / f"{verb}-{time.monotonic_ns()}.log", "w+")  # noqa: SIM115 - as long as we live
        self.process = subprocess.Popen(
            [sys.executable, "-m", "attacca.cli.app", verb, "--json", *words],
            env={**ENVIRON, **({"ATTACCA_JOIN_TOKEN": token} if token else {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            process_group=0,
        )
        self._directory = directory
        self.info: dict[str, Any] = {}
        self.port = 0

    def until_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            pytest.fail(f"{self.verb} did not start: {self.said}")
        self.info = json.loads(line)
        Onlooker.__init__(self, self.process.pid, self._directory)
        self.port = int(self.info.get("url", ":0").rpartition(":")[2])


class Cluster:
    """`at` is the directory of all of them. What is started with it is stopped with it."""

    def __init__(self, at: Path, *words: str, with_certs: bool = False) -> None:
        """`words`: more of what control is told."""
        self.at = at
        self.with_certs = with_certs
        if with_certs:
            make_authority(at / "control" / "certs", time.time())
        own = ("--listen", "127.0.0.1:0", "--port", "0", "--state-dir", str(at / "control"))
        self.control = self.start("control", *own, *self.certs("control", "control"), *words)
        self.token = (at / "control" / "join_token").read_text().strip()
        self.workers: dict[str, Plane] = {}
        self.gateways: dict[str, Plane] = {}

    def start(self, verb: str, *words: str, token: str = "") -> Plane:
        plane = Plane(verb, self.at / "logs", *words, token=token)
        plane.until_ready()
        return plane

    def worker(self, name: str, *words: str) -> Plane:
        at = ("--control", self.control.info["join"], "--state-dir", str(self.at / name), "--name", name)
        certs = self.certs("worker", name)
        plane = self.workers[name] = self.start("worker", *at, *certs, *WORKER, *words, token=self.token)
        return plane

    def gateway(self, name: str, *words: str) -> Plane:
        beside = f"control.state_dir={self.at / 'control'}"
        at = ("--control", self.control.info["join"], "--port", "0", "--name", name, "--set", beside)
        certs = self.certs("gateway", name)
        plane = self.gateways[name] = self.start("gateway", *at, *certs, *words, token=self.token)
        return plane

    def certs(self, plane: str, name: str) -> tuple[str, ...]:
        if not self.with_certs:
            return ()
        made = make_plane(self.at / "control" / "certs", plane, name, self.at / f"certs-{plane}-{name}", time.time())
        return ("--certs", str(made))

    def until_joined(self) -> None:
        """Each gateway is linked to each worker."""
        until(lambda: {one["name"] for one in self.control.get("/api/workers")} == set(self.workers), "workers join")
        until(lambda: set(self.control.get("/api/info")["gateways"]) == set(self.gateways), "gateways join")
        for gateway in self.gateways.values():
            until(lambda gateway=gateway: gateway.ask("GET", "/readyz").status == 200, "it has workers")  # type: ignore[misc]

    def stop(self) -> None:
        for plane in (*self.gateways.values(), *self.workers.values(), self.control):
            plane.stop()


@contextlib.contextmanager
def cluster(
    at: Path, workers: int = 1, gateways: int = 1, *, with_certs: bool = False, words: tuple[str, ...] = ()
) -> Iterator[Cluster]:
    made = Cluster(at, *words, with_certs=with_certs)
    try:
        for number in range(1, workers + 1):
            made.worker(f"w{number}")
        for number in range(1, gateways + 1):
            made.gateway(f"g{number}")
        made.until_joined()
        yield made
    finally:
        made.stop()

"""Machines of one's own: network namespaces on a bridge, each with an address and a home; cables can be cut."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.patience import PATIENCE_S
from tests.live.whole import ENVIRON, until

NET = "10.0.0"
SERVES = ("control", "gateway", "worker", "up")
ASKS = ("drain", "cordon", "uncordon", "--help")


class Machine:
    """`number` is the last part of its address. What is started on it goes on until it is ended."""

    def __init__(self, home: Path, prefix: str, number: int) -> None:
        self.home, self.number = home, number
        self.namespace = f"{prefix}-{number}"
        self.address = f"{NET}.{number}"
        self.servers: list[subprocess.Popen[str]] = []
        self._shared: dict[str, str] = {}
        self.home.mkdir()

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{self.home.parent / 'bin'}:{os.environ['PATH']}"
        return {**ENVIRON, "HOME": str(self.home), "PATH": path, "PYTHONPATH": os.getcwd(), **self._shared, **more}

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *words]

    def run(self, script: str) -> str:
        """A terminal's worth of commands; what was exported is there for the next ones."""
        if is_server(script):
            self.serve(script)
            return ""
        done = subprocess.run(
            self.inside("bash", "-euc", f"{script}\nenv | grep ^ATTACCA_ > .exported || true"),
            cwd=self.home, env=self.environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        lines = (self.home / ".exported").read_text().splitlines()
        self._shared |= dict(line.split("=", 1) for line in lines)
        return done.stdout

    def serve(self, command: str) -> "subprocess.Popen[str]":
        """Until it is ready: it says so on its first line."""
        said = self.home / f"log-{len(self.servers)}"
        with said.open("w") as log:
            server = subprocess.Popen(
                self.inside("bash", "-c", f"exec {command}"), cwd=self.home, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True, process_group=0,
            )  # fmt: skip
        self.servers.append(server)
        until(lambda: "is up" in said.read_text() or "has joined" in said.read_text() or server.poll() is not None)
        assert server.poll() is None, said.read_text()
        return server

    def end(self) -> None:
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            try:
                server.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def is_server(script: str) -> bool:
    words = script.split()
    return words[:1] == ["attacca"] and words[1] in SERVES and not (len(words) > 2 and words[2] in ASKS)


class Machines:
    def __init__(self, at: Path, count: int) -> None:
        self._prefix = f"attacca{os.getpid()}"
        self.switch = f"{self._prefix}-s"
        _ip("netns", "add", self.switch)
        _ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "br0", "up")
        self.by_address: dict[str, Machine] = {}
        binaries = at / "bin"
        binaries.mkdir()
        _script(binaries / "attacca", f'exec {sys.executable} -m attacca.cli.app "$@"')
        _script(binaries / "scp", f'cp -r "${{@:2:$#-2}}" "{at}/${{@: -1:1}}/"'.replace(":/", "/"))
        for number in range(1, count + 1):
            machine = Machine(at / f"{NET}.{number}:", self._prefix, number)
            self.by_address[machine.address] = machine
            self._plug(machine)

    def _plug(self, machine: Machine) -> None:
        name, port = machine.namespace, f"p{machine.number}"
        _ip("netns", "add", name)
        _ip("-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
        _ip("-n", name, "addr", "add", f"{machine.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def cut(self, machine: Machine) -> None:
        """Its cable is out: nothing comes, nothing goes, and nobody is told."""
        _ip("-n", self.switch, "link", "set", f"p{machine.number}", "down")

    def mend(self, machine: Machine) -> None:
        _ip("-n", self.switch, "link", "set", f"p{machine.number}", "up")

    def close(self) -> None:
        for machine in reversed(self.by_address.values()):
            machine.end()
        for machine in self.by_address.values():
            _ip("netns", "del", machine.namespace)
        _ip("netns", "del", self.switch)


@contextmanager
def machines(at: Path, count: int) -> Iterator[Machines]:
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    made = Machines(at, count)
    try:
        yield made
    finally:
        made.close()


def waited(began: float) -> float:
    return time.monotonic() - began


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)

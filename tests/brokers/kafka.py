"""A broker of Kafka that is its own controller, of jars in a directory: on loopback, with two ports of its own."""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.brokers import Served
from tests.live.stores import free_port

CLUSTER = "AAAAAAAAAAAAAAAAAAAAAA"  # any 16 bytes
ONE_OF = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")  # what it would keep thrice


class Kafka(Served):
    """`start` makes its files, the first time. `said`: as which host it has itself called."""

    ends_by = signal.SIGKILL  # it would take leave of itself for long
    patience_s = 180.0

    def __init__(self, directory: Path, jars: Path, said: str = "127.0.0.1") -> None:
        super().__init__(directory)
        self._jars, self._controller, self._said = jars, free_port(), said

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        file = self.directory / "server.properties"
        if not file.exists():
            file.write_text(self._settings())
            format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(file)]
            subprocess.run(self._java(*format_), check=True, cwd=self.directory, stdout=subprocess.DEVNULL)
        return self._java("kafka.Kafka", str(file))

    def _java(self, *words: str) -> list[str]:
        java = shutil.which("java")
        if java is None:
            pytest.fail("java is not here: scripts/debian.sh openjdk-17-jre-headless")
        return [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", *words]

    def _settings(self) -> str:
        told = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self._said}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            **{f"{name}.replication.factor": "1" for name in ONE_OF},
            "transaction.state.log.min.isr": "1",
        }
        return "".join(f"{key}={value}\n" for key, value in told.items())

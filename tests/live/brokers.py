"""Servers that resources of workflows speak to, each on a free port of loopback and in a directory of its own."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.patience import PATIENCE_S
from tests.live.stores import free_port
from tests.live.whole import naps

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
NOBODY = "nobody"


class Served:
    """A program that listens on `port`. Who is root has it run as nobody, as some want it."""

    ends_by = signal.SIGTERM
    patience_s = PATIENCE_S

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Served on {self.port}>"

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.directory)
        for _ in naps(self.patience_s):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                if self._process.poll() is not None:
                    break
        pytest.fail(f"{self} does not come up:\n{(self.directory / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.ends_by)
            self._process.wait(10)


class Mosquitto(Served):
    def command(self) -> Sequence[str]:
        found = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if found is None:
            pytest.fail("mosquitto is not here: scripts/debian.sh mosquitto")
        file = self.directory / "mosquitto.conf"
        file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        return [found, "-c", str(file)]


class Postgres(Served):
    """`start` makes its files, the first time."""

    ends_by = signal.SIGINT  # it waits for nobody who is connected

    def command(self) -> Sequence[str]:
        if not POSTGRES:
            pytest.fail("PostgreSQL is not here: scripts/debian.sh postgresql")
        data = self.directory / "data"
        if os.geteuid() == 0:
            shutil.chown(self.directory, NOBODY)
        if not data.exists():
            made = [*self._as_nobody(), str(POSTGRES[-1] / "initdb"), "-D", str(data), "-U", "me", "-A", "trust"]
            subprocess.run([*made, "--no-sync", "--no-locale", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL)
        options = ["-p", str(self.port), "-k", "", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
        return [*self._as_nobody(), str(POSTGRES[-1] / "postgres"), "-D", str(data), "-h", "127.0.0.1", *options]

    def _as_nobody(self) -> list[str]:
        return ["setpriv", f"--reuid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []

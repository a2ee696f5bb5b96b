"""containerd and dockerd of a test's own: on private directories and sockets, and in a network of their own."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.worker.runtime.process.lineage import children
from tests.live import needed

PATIENCE_S, NAP_S = 30.0, 0.02
OFF = ("cri", "btrfs", "zfs", "devmapper", "aufs")
CONFIG = """
version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = [{1}]
[grpc]
address = "{0}/containerd.sock"
"""


class Daemon:
    """`kind` is containerd or docker, which has a containerd of its own beside it."""

    def __init__(self, kind: str, directory: Path, *, is_here: bool = False) -> None:
        """`is_here`: in our network, and not in one of its own."""
        self.kind, self.directory, self._is_here = kind, directory, is_here
        self.below = Daemon("containerd", directory / "below") if kind == "docker" else None
        self.socket = str(directory / f"{kind}.sock")
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"<Daemon {self.kind} in {self.directory}>"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _command(self) -> list[str]:
        at = self.directory
        if self.below is None:
            names = ", ".join(f'"io.containerd.{"grpc.v1" if one == "cri" else "snapshotter.v1"}.{one}"' for one in OFF)
            (at / "config.toml").write_text(CONFIG.format(at, names))
            return ["containerd", "-c", str(at / "config.toml")]
        words = ["dockerd", "--data-root", f"{at}/data", "--exec-root", f"{at}/exec", "-p", f"{at}/pid"]
        words += ["-H", f"unix://{self.socket}", "--group", "root", "--containerd", self.below.socket]
        return [*words, "--bridge", "none", "--iptables=false", "--exec-opt", "native.cgroupdriver=cgroupfs"]

    def start(self) -> None:
        needed.expect("containerd" if self.below is None else "dockerd")
        if self.below is not None and self.below._process is None:
            self.below.start()
        apart = [] if self._is_here else ["unshare", "--net"]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*apart, *self._command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{self.kind} does not begin: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(NAP_S)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.connect(self.socket)
            return True
        return False

    def end(self, number: int = signal.SIGKILL) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE_S)

    def close(self) -> None:
        self.end(signal.SIGTERM)
        if self.below is not None:
            self.below.close()

    def living(self) -> list[int]:
        """Shims that it has left behind."""
        mark = str(self.directory).encode()
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{name}/cmdline").read_bytes()
                if b"containerd-shim" in words and mark in words:
                    found.append(int(name))
        return found


@contextlib.contextmanager
def running(kind: str, directory: Path, *, is_here: bool = False) -> Iterator[Daemon]:
    """Nothing of it is there afterwards."""
    before = set(children(os.getpid()))
    daemon = Daemon(kind, directory, is_here=is_here)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()
        for pid in daemon.living():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in sorted((one for one in mounts if one.startswith(str(directory))), reverse=True):
            subprocess.run(["umount", "-l", place], check=False)
        assert set(children(os.getpid())) <= before

"""Functions on accelerators, in a server that finds them by a stand-in of nvidia-smi, against a stand-in of a device
that counts who uses it."""

import os
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live import whole
from tests.live.stand_ins import programs
from tests.live.whole import Whole, at_once, post, running, until

BURNS_S = 0.05
SMI = 'case "$*" in *uuid*) cat "{at}";; *) exit 1;; esac'
CODE = """
import os, socket

def handler(port: int = 0, mb: int = 100):
    name = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if port:
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(f"{name} {mb}\\n".encode())
            link.recv(10)
    return {"device": name, "share": os.environ.get("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "")}
"""
FILES = """
import os, stat

def handler():
    found = {}
    for name in sorted(os.listdir("/dev")):
        if name.startswith("nvidia"):
            try:
                with open(f"/dev/{name}", "rb") as file:
                    found[name] = stat.S_ISCHR(os.fstat(file.fileno()).st_mode) and len(file.read(1))
            except OSError as error:
                found[name] = error.strerror
    return found
"""


class StandIn(socketserver.ThreadingTCPServer):
    """Devices that compute for a while for whoever asks, and count who does at once and what memory that takes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Computation)
        self.lock = threading.Lock()
        self.using, self.holding_mb = Counter[str](), Counter[str]()
        self.most, self.most_mb = Counter[str](), Counter[str]()


class Computation(socketserver.StreamRequestHandler):
    server: StandIn

    def handle(self) -> None:
        name, mb = self.rfile.readline().decode().split()
        self._count(name, 1, int(mb))
        time.sleep(BURNS_S)
        self._count(name, -1, -int(mb))
        self.wfile.write(b"done\n")

    def _count(self, name: str, users: int, mb: int) -> None:
        of = self.server
        with of.lock:
            of.using[name] += users
            of.holding_mb[name] += mb
            of.most[name] = max(of.most[name], of.using[name])
            of.most_mb[name] = max(of.most_mb[name], of.holding_mb[name])


@contextmanager
def computing() -> Iterator[tuple[StandIn, int]]:
    with StandIn() as device:
        thread = threading.Thread(target=device.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield device, device.server_address[1]
        finally:
            device.shutdown()
            thread.join()


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in of nvidia-smi says."""
    at = tmp_path / "listed"
    at.write_text("0, GPU-aaaa, 1000, Stand-in\n1, GPU-bbbb, 1000, Stand-in\n")
    path = programs(tmp_path / "bin", **{"nvidia-smi": SMI.format(at=at)})
    monkeypatch.setitem(whole.ENVIRON, "PATH", f"{path}:{os.environ['PATH']}")
    return at


def put(at: Path, text: str) -> None:
    at.with_name("new").write_text(text)
    at.with_name("new").rename(at)


def devices(of: Whole) -> dict[str, Any]:
    return {one["name"]: one for one in of.worker()["devices"]}


def test_one_device_serves_one_at_a_time_and_a_share_is_a_share(listed: Path, tmp_path: Path) -> None:
    with computing() as (device, port), running(tmp_path / "state") as server:
        server.function("whole", CODE, gpu=1, network="host")
        server.function("part", CODE, gpu=0.25, gpu_memory_mb=200, network="host")
        requests = [post(f"/function/whole?port={port}") for _ in range(6)]
        answers = at_once(server, requests)
        assert {answer.status for answer in answers} == {200}
        assert {answer.value["device"] for answer in answers} == {"GPU-aaaa", "GPU-bbbb"}
        assert set(device.most.values()) == {1}
        assert sum(one["share"] for one in devices(server).values()) == 2
        part = server.call("part", {"port": port, "mb": 200})
        assert part.value["share"] == "25"
        assert sorted(one["share"] for one in devices(server).values()) == [0.25, 1]
        assert device.most_mb[part.value["device"]] <= 1000
        assert server.metrics()['attacca_device_there{device="GPU-aaaa"}'] == 1
        refused = server.deploy("many", CODE, gpu=3)["error"]
        assert refused["message"] == "'many' asks for 3 gpu, and the whole worker has 2 gpu"
        assert "attacca doctor" in refused["try"]


def test_one_that_disappears_is_nobody_elses_trouble(listed: Path, tmp_path: Path) -> None:
    every = ("--set", "worker.accelerators.look_s=0.1")
    with running(tmp_path / "state", *every) as server:
        server.function("ant", CODE, gpu=1)
        server.function("bee", CODE)
        assert server.call("ant").value["device"] == "GPU-aaaa"
        put(listed, "1, GPU-bbbb, 1000, Stand-in\nUnable to determine the device handle for GPU0\n")
        until(lambda: devices(server)["GPU-aaaa"].get("is_gone"), "it is missed")
        assert server.call("ant").value["device"] == "GPU-bbbb"
        put(listed, "No devices were found\n")
        until(lambda: devices(server)["GPU-bbbb"].get("is_gone"), "both are missed")
        assert server.call("ant").code == "no_capacity"
        assert server.call("bee").value["device"] == ""
        put(listed, "0, GPU-aaaa, 1000, Stand-in\n")
        until(lambda: not devices(server)["GPU-aaaa"].get("is_gone"), "it is back")
        assert server.call("ant").value["device"] == "GPU-aaaa"


@pytest.mark.skipif(os.geteuid() != 0, reason="files of devices are made by root")
def test_the_files_of_a_device_are_for_those_that_asked_for_it(listed: Path, tmp_path: Path) -> None:
    of_device, of_all = Path("/dev/nvidia1000"), Path("/dev/nvidia-stand-in")
    put(listed, "1000, GPU-aaaa, 1000, Stand-in\n")
    try:
        for path, minor in ((of_device, 5), (of_all, 3)):  # as /dev/zero and /dev/null
            os.mknod(path, 0o020666, os.makedev(1, minor))
            path.chmod(0o666)
        with running(tmp_path / "state") as server:
            server.function("ant", FILES, gpu=1)
            server.function("bee", FILES)
            assert server.call("ant").value == {"nvidia-stand-in": 0, "nvidia1000": 1}
            denied = "Permission denied"
            assert server.call("bee").value == {"nvidia-stand-in": denied, "nvidia1000": denied}
    finally:
        of_device.unlink(missing_ok=True)
        of_all.unlink(missing_ok=True)


def test_one_that_may_do_without_runs_where_the_policy_says(listed: Path, tmp_path: Path) -> None:
    policy = ("--set", "worker.accelerators.dispatch=always")
    with running(tmp_path / "state", *policy, "--set", "worker.accelerators.look_s=0.1") as server:
        server.function("ant", CODE, gpu=1, compute=["cpu", "gpu"])
        assert server.call("ant").value["device"] == "GPU-aaaa"
        counted = {one["function"]: one["invocations"] for one in server.worker()["functions"]}
        assert counted == {"ant": 0, "ant/gpu": 1}
        put(listed, "No devices were found\n")
        until(lambda: all(one.get("is_gone") for one in devices(server).values()), "both are missed")
        assert server.call("ant").value["device"] == ""

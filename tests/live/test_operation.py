"""A cluster in operation: status, drain and cordon, rolling restarts, pages of planes, workers that fall silent."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.apart import Cluster, cluster
from tests.live.test_planes import attacca
from tests.live.whole import until

WORK = """
    import time

    def work(s=0.02):
        time.sleep(s)
        return s
"""


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, workers=2) as made:
        made.control.function("work", WORK)
        yield made


class Caller(threading.Thread):
    """One after the other, until it is told to stop; whatever is not answered well is kept."""

    def __init__(self, planes: Cluster, pace_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._gateway = planes.gateways["g1"]
        self._pace_s = pace_s
        self._ending = threading.Event()
        self.calls: list[tuple[float, float]] = []  # when each began, and how long it took
        self.failed: list[object] = []
        self.start()

    def run(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                answer = self._gateway.call("work")
            except OSError as error:
                self.failed.append(error)
                continue
            self.calls.append((began, time.monotonic() - began))
            if answer.status != 200:
                self.failed.append(answer)
            self._ending.wait(self._pace_s)

    def end(self) -> None:
        self._ending.set()
        self.join(30)


def served(planes: Cluster, worker: str) -> int:
    views = {one["name"]: one for one in planes.control.get("/api/workers")}
    return sum(one["invocations"] for one in views[worker]["functions"]) if worker in views else 0


def test_workers_are_ended_one_after_the_other_and_no_request_fails(planes: Cluster) -> None:
    callers = [Caller(planes) for _ in range(4)]
    for name in ("w1", "w2"):
        drained = attacca(planes, "worker", "drain", name)
        assert drained.returncode == 0, drained.stderr
        assert "can be ended" in drained.stderr
        planes.workers.pop(name).stop()
        planes.worker(name)
        planes.until_joined()
        uncordoned = attacca(planes, "worker", "uncordon", name)
        assert uncordoned.returncode == 0, uncordoned.stderr
        until(lambda name=name: served(planes, name) > 0, "it has its part again")  # type: ignore[misc]
    for caller in callers:
        caller.end()
    assert [one for caller in callers for one in caller.failed] == []
    assert sum(len(caller.calls) for caller in callers) > 50


def test_one_that_is_ended_without_a_word_before_fails_no_request_either(planes: Cluster) -> None:
    callers = [Caller(planes) for _ in range(4)]
    until(lambda: served(planes, "w1") > 0 and served(planes, "w2") > 0, "both have work")
    planes.workers.pop("w1").stop()
    for caller in callers:
        caller.end()
    assert [one for caller in callers for one in caller.failed] == []


def drains(shown: str) -> dict[str, bool]:
    """What `attacca status` says of each of two workers; they have a line in other tables too."""
    lines = [line for line in shown.splitlines() if line[:2] in ("w1", "w2")]
    return {name: any("draining" in line for line in lines if line.startswith(name)) for name in ("w1", "w2")}


def test_who_is_cordoned_gets_nothing_until_it_is_taken_back(planes: Cluster) -> None:
    assert attacca(planes, "worker", "cordon", "w1").returncode == 0
    shown = attacca(planes, "status")
    assert shown.returncode == 0, shown.stderr
    assert drains(shown.stdout) == {"w1": True, "w2": False}
    until(lambda: planes.gateways["g1"].call("work").status == 200, "it is answered")
    before = served(planes, "w1")
    for _ in range(20):
        assert planes.gateways["g1"].call("work").status == 200
    assert served(planes, "w1") == before
    planes.workers.pop("w1").stop()
    planes.worker("w1")
    planes.until_joined()
    for _ in range(20):
        assert planes.gateways["g1"].call("work").status == 200
    assert served(planes, "w1") == 0
    assert drains(attacca(planes, "status").stdout) == {"w1": True, "w2": False}
    assert attacca(planes, "worker", "uncordon", "w1").returncode == 0
    assert "draining" not in attacca(planes, "status").stdout
    assert attacca(planes, "worker", "cordon", "nobody").returncode == 1


def test_a_worker_that_hangs_is_missed_within_seconds_and_comes_back(planes: Cluster) -> None:
    """SIGSTOP: its kernel still acknowledges what it is sent, so that only its silence tells."""
    stopped = planes.workers["w1"]
    until(lambda: planes.gateways["g1"].call("work").status == 200, "it works")
    stopped.signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        until(lambda: planes.control.get("/api/cluster")["workers"][0]["silent"], "control misses it")
        waiting = [time.monotonic() - began]
        until(lambda: "worker 'w1' was not heard of" in planes.gateways["g1"].said, "the gateway misses it")
        for _ in range(10):
            assert planes.gateways["g1"].call("work").status == 200
        shown = attacca(planes, "status")
        assert "silent" in shown.stdout
        assert waiting[0] < 15, "three heartbeats, and what a crowded machine adds"
    finally:
        stopped.signal(signal.SIGCONT)
    until(lambda: not planes.control.get("/api/cluster")["workers"][0]["silent"], "it is heard of again")


def test_every_plane_shows_its_health_and_its_metrics(planes: Cluster) -> None:
    for plane, metric in (
        (planes.control, "attacca_control_workers"),
        (planes.gateways["g1"], "faas_in_flight"),
        (planes.workers["w1"], "attacca_machine_memory_free_mb"),
    ):
        assert [plane.ask("GET", path).status for path in ("/healthz", "/readyz")] == [200, 200]
        page = plane.ask("GET", "/metrics")
        assert page.status == 200
        assert metric in page.body.decode()
    until(lambda: planes.control.get("/api/workers")[0]["load"]["cpu_share"] > 0, "the machine is busy")
    top = attacca(planes, "top", "--once").stdout
    assert "cpu" in top

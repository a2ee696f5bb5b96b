"""Functions that control scales, over real processes: two gateways share a sandbox, and a worker that is killed is made
good."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.live.apart import Cluster, cluster
from tests.live.whole import until

SLEEPS = """
    import os, time

    def sleeps(s=0.0):
        time.sleep(s)
        return os.getpid()
"""


def scaled(planes: Cluster, name: str, **settings: object) -> None:
    planes.control.function(name, SLEEPS.replace("sleeps", name), scheduling="cluster", **settings)


def test_gateways_and_workers_do_what_control_has_decided(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=2, gateways=2) as planes:
        one, other = planes.gateways.values()
        scaled(planes, "alone", max_sandboxes=1)
        first = one.call("alone")
        assert first.headers["x-attacca-start"] in ("cold", "template"), "somebody waited for it"
        assert other.call("alone").value == first.value, "both gateways know of the one sandbox"
        _share_a_slot(planes)
        scaled(planes, "pair", scaling={"policy": "fixed", "count": 4}, idempotent=True)
        until(lambda: _spread(planes) == 4, "four are up")
        _lose_a_worker(planes)


def _share_a_slot(planes: Cluster) -> None:
    """It takes one at a time: whoever is refused waits, and is told when the slot is free."""
    gateways = list(planes.gateways.values())
    with ThreadPoolExecutor(12) as threads:
        began = time.monotonic()
        answers = list(threads.map(lambda n: gateways[n % 2].call("alone", {"s": 0.05}), range(12)))
        took_s = time.monotonic() - began
    assert [answer.status for answer in answers] == [200] * 12
    assert len({answer.value for answer in answers}) == 1
    assert took_s >= 12 * 0.05, "never two at once"


def _spread(planes: Cluster) -> int:
    views = planes.control.get("/api/workers")
    return sum(one["revision"].startswith("pair@") for view in views for one in view["sandboxes"])


def _lose_a_worker(planes: Cluster) -> None:
    gateways = list(planes.gateways.values())
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(gateways[n % 2].call, "pair", {"s": 0.02}) for n in range(40)]
        planes.workers.pop("w1").kill()
        calls += [threads.submit(gateways[n % 2].call, "pair", {"s": 0.02}) for n in range(80)]
        assert [one.result().status for one in calls] == [200] * 120
    until(lambda: _spread(planes) == 4, "all four are on the other one")

"""Functions that control scales, over real processes: two gateways share a sandbox, and a worker that is killed is made
good."""

import json
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
    return sum(one["revision"].startswith("pair@") for one in _sandboxes(planes))


def _lose_a_worker(planes: Cluster) -> None:
    gateways = list(planes.gateways.values())
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(gateways[n % 2].call, "pair", {"s": 0.02}) for n in range(40)]
        planes.workers.pop("w1").kill()
        calls += [threads.submit(gateways[n % 2].call, "pair", {"s": 0.02}) for n in range(80)]
        assert [one.result().status for one in calls] == [200] * 120
    until(lambda: _spread(planes) == 4, "all four are on the other one")


def test_control_dies_and_what_it_has_had_made_goes_on_and_is_kept(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=1, gateways=1) as planes:
        [gateway] = planes.gateways.values()
        scaled(planes, "kept", scaling={"policy": "fixed", "count": 1})
        before = gateway.call("kept").value
        words = ("--listen", planes.control.info["join"], "--port", "0", "--state-dir", str(planes.at / "control"))
        planes.control.kill()
        assert gateway.call("kept").value == before, "the gateway knows where it is"
        planes.control = planes.start("control", *words)
        planes.until_joined()
        _wait_for_all(planes)
        assert gateway.call("kept").value == before, "neither stopped nor made anew"
        scaled(planes, "later")
        assert gateway.call("later").status == 200


def _wait_for_all(planes: Cluster) -> None:
    """Until control is sure that it has heard of all: then it has made what was missing."""
    scaled(planes, "last", scaling={"policy": "fixed", "count": 1})
    until(lambda: any(one["revision"].startswith("last@") for one in _sandboxes(planes)), "it makes what is missing")


def _sandboxes(planes: Cluster) -> list[dict[str, str]]:
    return [one for view in planes.control.get("/api/workers") for one in view["sandboxes"]]


def test_an_id_is_followed_through_the_logs_of_all_planes(tmp_path: Path) -> None:
    words = ("--verbose", "--set", "log=json")
    planes = Cluster(tmp_path, *words)
    try:
        planes.worker("w1", *words)
        planes.gateway("g1", *words)
        planes.until_joined()
        scaled(planes, "one")
        invocation = planes.gateways["g1"].call("one").headers["x-attacca-invocation-id"]
        ours = {"control": planes.control, "g1": planes.gateways["g1"], "w1": planes.workers["w1"]}
        until(lambda: "answered" in ours["g1"].said, "the gateway has logged its end")
        lines = [json.loads(line) for plane in ours.values() for line in plane.said.splitlines() if line[0] == "{"]
        assert {line["plane"] for line in lines} == set(ours)
        of_it = [line for line in lines if invocation in line.get("ids", ())]
        assert {line["plane"] for line in of_it} == {"g1", "w1"}, "control is not on its road"
        [sandbox] = {name for line in of_it for name in line["ids"]} - {invocation}
        assert {line["plane"] for line in lines if sandbox in line.get("ids", ())} == set(ours)
        creations = "/api/creations?function=one&limit=1"
        until(lambda: planes.control.get(creations)[0]["propagation"], "the gateway has said that it knows")
    finally:
        planes.stop()

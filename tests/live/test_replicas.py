"""Several controls over a shared store: one leads, and when it goes another does, with all that was deployed."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.client.http import Client
from attacca.errors import AttaccaError
from tests.chaos.load import Load, failed
from tests.chaos.spoil import empty, fill
from tests.live.replicas import Replicas, leads, replicas
from tests.live.stores import StoreServer, binary, free_port
from tests.live.whole import ENVIRON, until

ECHO = "def echo(n=0):\n    return n\n"


@pytest.fixture(params=["redis", "etcd"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Replicas, StoreServer]]:
    with replicas(tmp_path, request.param) as made:
        yield made


def test_the_death_of_the_leader_costs_no_invocation(cluster: tuple[Replicas, StoreServer]) -> None:
    made, _ = cluster
    made.deploy("echo", ECHO)
    gateway = made.gateways["g1"]
    until(lambda: gateway.call("echo", {"n": 1}).status == 200, "it is warm")
    load = Load([f"127.0.0.1:{gateway.port}"], "echo", 100)
    load.start()
    before = made.leader()
    term = made.told("/api/info")["term"]
    before.process.kill()
    after = made.leader()
    assert after is not before
    until(lambda: len(made.told("/api/workers")) == 2, "workers have come")
    made.deploy("other", ECHO)  # a worker has checked it
    until(lambda: gateway.call("other", {"n": 2}).status == 200, "it has reached the gateway")
    load.end()
    assert failed(load.told) == 0, [one for one in load.told if one.status != 200][:5]
    assert made.told("/api/info")["term"] > term
    assert {row["function"] for row in made.told("/api/functions")} == {"echo", "other"}
    made.worker("w3")  # its code comes from a control on which nobody has deployed it
    for name in ("w1", "w2"):
        made.workers.pop(name).stop()
    until(lambda: gateway.call("echo", {"n": 3}).status == 200, "the new worker has the code")


def test_a_follower_sends_everybody_on(cluster: tuple[Replicas, StoreServer]) -> None:
    made, _ = cluster
    leader = made.leader()
    follower = next(plane for plane in made.controls.values() if plane is not leader)
    there = f"{leader.info['url']}/api/functions"
    until(lambda: follower.ask("GET", "/api/functions").headers.get("location") == there, "it knows who leads")
    assert follower.ask("GET", "/healthz").status == 200
    gone = f"http://127.0.0.1:{free_port()}"
    for urls in ([gone, follower.info["url"]], [follower.info["url"], leader.info["url"], gone]):
        until(lambda urls=urls: lists(urls), "the client finds the leader")  # type: ignore[misc]
    leader.process.kill()
    others = [plane.info["url"] for plane in made.controls.values() if plane is not leader]
    until(lambda: lists([leader.info["url"], *others]), "and the next")


def lists(urls: list[str]) -> bool:
    with contextlib.suppress(AttaccaError), Client(",".join(urls), connect_s=2.0) as client:
        return client.functions() == []
    return False


def test_a_leader_that_was_stopped_commands_nobody_when_it_goes_on(cluster: tuple[Replicas, StoreServer]) -> None:
    made, _ = cluster
    before = made.leader()
    made.deploy("echo", ECHO)
    before.process.send_signal(signal.SIGSTOP)
    others = [plane for plane in made.controls.values() if plane is not before]
    until(lambda: any(leads(plane) for plane in others), "another leads")
    until(lambda: len(made.told("/api/workers")) == 2, "workers have left the one that says nothing")
    before.process.send_signal(signal.SIGCONT)
    until(lambda: before.ask("GET", "/api/functions").status == 307, "it knows that it does not lead")
    made.deploy("echo", "def echo(n=0):\n    return -n\n")
    gateway = made.gateways["g1"]
    until(lambda: gateway.call("echo", {"n": 1}).value == -1, "the new leader's word counts")
    assert len(made.told("/api/workers")) == 2


def has_workers(made: Replicas) -> bool:
    return len(made.told("/api/workers")) == 2


@pytest.mark.parametrize("fault", ["gone", "full"])
def test_without_the_store_invocations_go_on_and_then_all_is_as_it_was(
    cluster: tuple[Replicas, StoreServer], fault: str
) -> None:
    made, store = cluster
    made.deploy("echo", ECHO)
    gateway = made.gateways["g1"]
    until(lambda: gateway.call("echo", {"n": 1}).status == 200, "it is warm")
    load = Load([f"127.0.0.1:{gateway.port}"], "echo", 50)
    load.start()
    if fault == "gone":
        store.kill()
        until(lambda: not any(leads(plane) for plane in made.controls.values()), "nobody leads any more")
        store.start()
    else:
        leader = made.leader()
        fill(store.kind, "127.0.0.1", store.port)
        with pytest.raises(AssertionError):  # it is refused, and not lost
            leader.function("other", ECHO)
        empty(store.kind, "127.0.0.1", store.port)
    until(lambda: has_workers(made), "workers have come back")
    made.deploy("other", ECHO)
    load.end()
    assert failed(load.told) == 0


def test_a_control_started_on_a_store_that_is_there_serves_without_a_deployment(tmp_path: Path) -> None:
    with replicas(tmp_path, "redis", controls=1, workers=1) as (made, _):
        made.deploy("echo", ECHO)
        made.controls["c1"].stop()
        (tmp_path / "c1").rename(tmp_path / "gone")  # another machine
        made.begin("c1")
        made.leader()
        made.worker("w2")
        until(lambda: len(made.told("/api/workers")) == 2, "both workers have joined")
        made.workers.pop("w1").stop()
        until(lambda: made.gateways["g1"].call("echo", {"n": 4}).status == 200, "it serves")


def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary("faketime")
    with replicas(tmp_path, "redis", controls=2) as (made, _):
        made.deploy("echo", ECHO)
        made.controls["c1"].stop()
        right = made.leader()
        with monkeypatch.context() as wrong:
            (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
            for name, value in (("LD_PRELOAD", library), ("FAKETIME", "+1h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")):
                wrong.setitem(ENVIRON, name, str(value))
            ahead = made.begin("c1")
        assert ahead.info["at"] - right.get("/api/info")["at"] > 3000, "it is ahead"
        assert made.leader() is right, "and has taken nothing"
        term = right.get("/api/info")["term"]
        right.process.kill()
        until(lambda: leads(ahead), "it takes over")
        back = made.begin("c2")
        until(lambda: back.ask("GET", "/api/functions").status == 307, "the other follows")
        assert ahead.get("/api/info")["term"] > term
        made.deploy("other", ECHO)
        until(lambda: made.gateways["g1"].call("other", {"n": 1}).status == 200, "it commands")
        ahead.process.kill()
        until(lambda: leads(back), "and is followed")

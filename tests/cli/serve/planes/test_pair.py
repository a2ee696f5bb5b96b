"""A gateway and a worker of one process: how they are joined, and what the gateway of the two is told."""

import asyncio
from pathlib import Path
from typing import Any

from attacca.cli.serve.configuration import load
from attacca.cli.serve.planes.gateway import GatewayPlane
from attacca.cli.serve.planes.pair import Pair, Within, of_gateway
from attacca.cli.serve.planes.worker import WorkerPlane
from attacca.io.wire.peers import Peers
from attacca.io.wire.types import Hello, Limits


class Side:
    """A plane's links, and what it heard of them."""

    def __init__(self, plane: str, name: str) -> None:
        self.name, self.peers, self.hello = name, Peers[Any](), Hello(plane, name)
        self.heard: list[str] = []
        self.peers.bind(self._join, lambda _: self.heard.append, lambda peer, _: self.heard.append(f"{peer} left"))

    def _join(self, peer: str) -> None:
        self.heard.append(f"{peer} joined")

    def end(self) -> tuple[Peers[Any], Hello]:
        return self.peers, self.hello


def test_the_link_is_made_when_control_names_the_worker_and_anew_when_it_breaks() -> None:
    async def scene() -> None:
        worker, gateway = Side("worker", "w1"), Side("gateway", "g1")
        within = Within(worker, gateway.peers, gateway.hello, Limits())

        def lose(peer: str, _: str) -> None:
            gateway.heard.append(f"{peer} left")
            within.lose()

        gateway.peers._lose = lose
        assert repr(within) == "<Within to w1: no link>"
        within.dial()
        within.dial()
        gateway.peers.send("w1", "hello")
        assert (worker.heard, gateway.heard) == (["g1 joined", "hello"], ["w1 joined"])
        worker.peers.cut("g1")
        within.dial()
        await gateway.peers.until("w1")
        within.hang_up("it is over")
        assert (gateway.peers.names(), worker.peers.names()) == ([], [])
        assert gateway.heard == ["w1 joined", "w1 left", "w1 joined", "w1 left"]

    asyncio.run(scene())


def test_its_gateway_prefers_its_worker_unless_another_policy_is_wanted(tmp_path: Path) -> None:
    flags = {"control.state_dir": (str(tmp_path / "worker-1"), "--state-dir"), "cluster.name": ("worker-1", "--name")}
    told = of_gateway(load({}, "", flags, ["gateway.calls_kept=7"], "worker").value, "gateway-1")
    assert (told.cluster.name, told.control.state_dir, told.gateway.calls_kept) == ("gateway-1", tmp_path, 7)
    assert (told.gateway.balancing.policy, told.gateway.balancing.options) == ("own_first", {"worker": "worker-1"})
    told = of_gateway(load({}, "", flags, ["balancing=two_choices"], "worker").value, "gateway-1")
    assert told.gateway.balancing.policy == "two_choices"
    told.control.state_dir.mkdir(exist_ok=True)
    worker, gateway = WorkerPlane(told), GatewayPlane(told)
    assert repr(Pair(worker, gateway)) == f"<Pair {gateway!r}, {worker!r}>"

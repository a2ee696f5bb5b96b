"""Planes that run apart say with how many others they are joined."""

from pathlib import Path

from attacca.cli.serve.configuration import load
from attacca.cli.serve.planes.control import ControlPlane
from attacca.cli.serve.planes.gateway import GatewayPlane
from attacca.cli.serve.planes.worker import WorkerPlane


def test_before_they_are_open_they_are_joined_with_none(tmp_path: Path) -> None:
    config = load({}, "", {"control.state_dir": (str(tmp_path), "--state-dir")}).value
    control, gateway, worker = ControlPlane(config), GatewayPlane(config), WorkerPlane(config)
    control.link_address, worker.name = "127.0.0.1:7700", "w1"
    assert repr(control) == "<ControlPlane 127.0.0.1:7700: 0 peers>"
    assert repr(gateway) == f"<GatewayPlane {gateway.name}: 0 peers>"
    assert repr(worker) == "<WorkerPlane w1: 0 peers>"

from pathlib import Path

import pytest

from attacca.cli.serve.configuration import load
from attacca.cli.serve.planes.supervisor import Child, Supervisor, for_all
from attacca.errors import BadConfig


def test_what_is_said_for_all_is_passed_on_and_what_each_is_told_by_itself_is_not() -> None:
    said = ["keepalive=lru", "port=9000", "worker.drain_s=1", "state_dir=/x", "cluster.name=a", "gateway.calls_kept=5"]
    assert for_all(said) == ["--set", "keepalive=lru", "--set", "worker.drain_s=1", "--set", "gateway.calls_kept=5"]
    with pytest.raises(BadConfig, match="KEY=VALUE"):
        for_all(["nonsense"])


def test_it_says_how_many_are_up(tmp_path: Path) -> None:
    config = load({}, "", {"control.state_dir": (str(tmp_path), "--state-dir")}).value
    assert repr(Supervisor(config, 1, 1)) == "<Supervisor 0 of 0 planes up>"
    assert repr(Child(["worker-1"], ["worker"], {})) == "<Child worker-1: 0 starts, down>"

"""A policy is written in the same ways in a scenario and in a server's settings."""

from pathlib import Path

import pytest

from attacca.cli.serve.configuration import load
from attacca.errors import BadConfig
from attacca.kernel.registry import Choice
from attacca.load.workload.choices import choice
from attacca.load.workload.scenario import read

SCENARIO = 'name = "x"\n[workload]\nduration_s = 1\n[[functions]]\nname = "f"\n[system]\nkeepalive = {}\n'
WAYS = {
    '"lru"': Choice(policy="lru"),
    '"ttl:idle_s=60"': Choice(policy="ttl", options={"idle_s": 60}),
    '{ policy = "lru" }': Choice(policy="lru"),
    '{ policy = "ttl", idle_s = 60 }': Choice(policy="ttl", options={"idle_s": 60}),
    '{ policy = "ttl", options = { idle_s = 60 } }': Choice(policy="ttl", options={"idle_s": 60}),
}


@pytest.mark.parametrize("spelt", WAYS)
def test_both_files_take_each_way(tmp_path: Path, spelt: str) -> None:
    (tmp_path / "scenario.toml").write_text(SCENARIO.format(spelt))
    (tmp_path / "server.toml").write_text(f"keepalive = {spelt}\n")
    found = read(tmp_path / "scenario.toml").system.keepalive
    there = load({"HOME": str(tmp_path)}, str(tmp_path / "server.toml")).value.worker.keepalive
    assert (found.policy, found.options) == (there.policy, there.options)
    assert there == WAYS[spelt]


@pytest.mark.parametrize("spelt", ["7", "[1]", "{ idle_s = 60 }", '{ policy = "ttl", options = 7 }'])
def test_what_is_no_policy_is_refused_by_both(tmp_path: Path, spelt: str) -> None:
    (tmp_path / "scenario.toml").write_text(SCENARIO.format(spelt))
    (tmp_path / "server.toml").write_text(f"keepalive = {spelt}\n")
    with pytest.raises(BadConfig, match="keepalive"):
        read(tmp_path / "scenario.toml")
    if "policy" in spelt or "{" not in spelt:
        with pytest.raises(BadConfig, match="keepalive"):
            load({"HOME": str(tmp_path)}, str(tmp_path / "server.toml"))


def test_ones_own_class_keeps_its_colon() -> None:
    assert choice("mine:Class:idle_s=60:names=[1,2]") == ("mine:Class", {"idle_s": 60, "names": [1, 2]})

from pathlib import Path

from attacca.model.function import Settings
from attacca.worker.runtime.container.keeper import gvisor
from attacca.worker.runtime.container.spec import resources

ASKED = resources(Settings(name="f", memory_mb=64, cpus=0.5), 128)


def test_it_is_told_from_others_by_its_name() -> None:
    assert gvisor.options("/usr/bin/crun") == []
    assert gvisor.options("/usr/local/bin/runsc") == ["--ignore-cgroups", "--network=host"]


def test_what_a_specification_says_is_what_both_versions_are_told() -> None:
    told = gvisor.limits(ASKED)
    assert told["memory"][0] == ("memory.limit_in_bytes", str(64 << 20))
    assert dict(told[""])["memory.max"] == str(64 << 20)
    assert dict(told[""])["cpu.max"] == "50000 100000"
    assert dict(told["cpu"])["cpu.cfs_quota_us"] == "50000"
    assert dict(told["pids"]) == {"pids.max": str(128 + gvisor.PROCESSES)}
    unbounded = gvisor.limits(resources(Settings(name="f"), 128))
    assert dict(unbounded["cpu"])["cpu.cfs_quota_us"] == "-1"
    assert dict(unbounded[""])["cpu.max"].startswith("max ")


def test_its_groups_are_there_before_it_is(tmp_path: Path) -> None:
    points = {name: str(tmp_path / name) for name in ("memory", "cpu", "cpuset", "pids")}
    found = gvisor.made_groups(points, "/attacca-1-x/2", ASKED)
    assert found == [f"{tmp_path}/{name}/attacca-1-x/2/cgroup.procs" for name in ("memory", "cpu", "pids")]
    assert (tmp_path / "memory/attacca-1-x/2/memory.limit_in_bytes").read_text() == str(64 << 20)


def test_in_version_2_what_is_above_hands_on_what_is_below(tmp_path: Path) -> None:
    assert gvisor.made_groups({"": str(tmp_path)}, "/attacca-1-x/2", ASKED) == [
        f"{tmp_path}/attacca-1-x/2/cgroup.procs"
    ]
    assert (tmp_path / "attacca-1-x/cgroup.subtree_control").read_text() == "+pids"
    assert (tmp_path / "attacca-1-x/2/memory.max").read_text() == str(64 << 20)

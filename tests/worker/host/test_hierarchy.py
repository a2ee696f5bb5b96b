"""Texts as the kernel shows them: on a machine of either version, with both, and inside containers."""

from attacca.worker.host.hierarchy import UNIFIED, Mounted, places

SYSTEMD = "25 30 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
DISK = "30 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"


def v1(root: str, point: str, controllers: str) -> str:
    return f"40 30 0:33 {root} {point} rw,relatime - cgroup cgroup rw,{controllers}"


def test_version_2_under_systemd() -> None:
    found = places("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n", f"{DISK}\n{SYSTEMD}\n")
    own = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope"
    assert found == {UNIFIED: Mounted("/sys/fs/cgroup", own)}


def test_version_1_with_controllers_mounted_together_and_others_that_are_none_of_ours() -> None:
    mounts = [v1("/", "/cg/memory", "memory"), v1("/", "/cg/both", "cpuacct,cpu"), v1("/", "/cg/set", "cpuset")]
    found = places("3:cpuset:/\n2:cpu,cpuacct:/a\n1:memory:/\n", "\n".join(mounts))
    assert found == {"memory": Mounted("/cg/memory", "/cg/memory"), "cpu": Mounted("/cg/both", "/cg/both/a")}


def test_both_versions_side_by_side() -> None:
    mounts = [SYSTEMD.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"), v1("/", "/sys/fs/cgroup/pids", "pids")]
    found = places("4:pids:/system.slice\n1:name=systemd:/system.slice\n0::/system.slice\n", "\n".join(mounts))
    assert set(found) == {"pids", UNIFIED}
    assert found[UNIFIED].own == "/sys/fs/cgroup/unified/system.slice"


def test_a_container_that_sees_only_its_own_group_by_the_whole_machine_s_path() -> None:
    mount = SYSTEMD.replace("0:23 / ", "0:23 /docker/4f5e ")
    assert places("0::/docker/4f5e\n", mount)[UNIFIED] == Mounted("/sys/fs/cgroup", "/sys/fs/cgroup")
    assert places("0::/docker/4f5e/inner\n", mount)[UNIFIED].own == "/sys/fs/cgroup/inner"


def test_a_group_outside_what_is_mounted_is_taken_for_the_top() -> None:
    mount = SYSTEMD.replace("0:23 / ", "0:23 /docker/4f5e ")
    assert places("0::/docker/other\n", mount)[UNIFIED].own == "/sys/fs/cgroup"
    assert places("0::/../other\n", SYSTEMD)[UNIFIED].own == "/sys/fs/cgroup"


def test_the_first_mount_of_several_counts_and_spaces_in_its_path_are_read() -> None:
    mounts = [SYSTEMD.replace("/sys/fs/cgroup", "/a\\040place"), SYSTEMD]
    assert places("0::/x\n", "\n".join(mounts))[UNIFIED] == Mounted("/a place", "/a place/x")


def test_no_cgroups_at_all() -> None:
    assert places("", DISK) == {}
    assert places("0::/\n", DISK) == {}


def test_upwards_goes_from_our_own_group_to_the_top() -> None:
    assert Mounted("/top", "/top/a/b").upwards() == ["/top/a/b", "/top/a", "/top"]
    assert Mounted("/top", "/top").upwards() == ["/top"]

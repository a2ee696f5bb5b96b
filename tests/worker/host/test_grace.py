from attacca.worker.host.grace import Grace, members
from attacca.worker.host.hierarchy import UNIFIED, Mounted


def test_it_is_begun_where_nobody_here_moves_us() -> None:
    cpu, pids, unified = (Mounted(f"/sys/{name}", f"/sys/{name}/own") for name in ("cpu", "pids", "unified"))
    assert members({"cpu": cpu, "pids": pids, UNIFIED: unified}) == "/sys/pids/own/cgroup.procs"
    assert members({"cpu": cpu, UNIFIED: unified}) == "/sys/unified/own/cgroup.procs"
    assert members({"cpu": cpu}) == ""
    assert repr(Grace()) == "<Grace at no place yet>"

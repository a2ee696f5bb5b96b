from pathlib import Path

from attacca.lab.held import held_mb


def process(proc: Path, pid: int, parent: int, name: str = "python3", group: str = "/", pss_kb: int = 1024) -> None:
    place = proc / str(pid)
    place.mkdir()
    (place / "stat").write_text(f"{pid} ({name}) S {parent} 0 0\n")
    (place / "cgroup").write_text(f"1:memory:{group}\n")
    (place / "smaps_rollup").write_text(f"00400000-7fff [rollup]\nRss: 9999 kB\nPss: {pss_kb} kB\n")


def test_processes_below_the_server_and_of_its_cgroups_and_shims_count(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("")
    process(tmp_path, 1, 0)
    process(tmp_path, 10, 1, pss_kb=50_000)  # the server
    process(tmp_path, 11, 10)  # its zygote
    process(tmp_path, 12, 11)  # and a sandbox
    process(tmp_path, 20, 1, "containerd-shim")
    process(tmp_path, 21, 20, "a (b) c", "/attacca-10-abc/s1", pss_kb=2048)
    process(tmp_path, 30, 1, "python3", "/attacca-100-abc/s1")  # another server's
    process(tmp_path, 31, 1, "containerd-shim")  # somebody's
    assert held_mb(10, tmp_path) == 5.0


def test_who_goes_meanwhile_counts_nothing(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    process(tmp_path, 11, 10)
    (tmp_path / "11" / "smaps_rollup").unlink()
    (tmp_path / "12").mkdir()
    assert held_mb(10, tmp_path) == 0.0

from pathlib import Path

from attacca.worker.runtime.container.keeper.berth import Berth, counted, hierarchies
from attacca.worker.runtime.container.keeper.main import Keeper, Kept, is_ending

HYBRID = """\
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def test_hierarchies_are_where_the_kernel_says() -> None:
    assert hierarchies(HYBRID) == {
        "cpu": "/sys/fs/cgroup/cpu",
        "cpuacct": "/sys/fs/cgroup/cpu",
        "memory": "/sys/fs/cgroup/memory",
        "": "/sys/fs/cgroup/unified",
    }


def test_numbers_are_read_by_their_word() -> None:
    assert counted("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "oom_kill") == 2
    assert counted("low 0\noom many\n", "oom") == counted("", "oom") == 0


def test_a_place_that_was_never_made_is_gone_at_once(tmp_path: Path) -> None:
    berth = Berth(str(tmp_path / "b"), "/attacca-0-none/1", str(tmp_path / "s"))
    assert (berth.pid(), berth.has_run_out(), berth.is_removed()) == (0, False, True)
    assert repr(berth).startswith(f"<Berth {tmp_path}/b, ")
    assert repr(Kept("c1", berth, -1)) == "<Kept c1: engine 0, process 0>"
    assert Keeper.__repr__ is not object.__repr__, "<Keeper 0 containers, 0 to be removed>"


def test_who_is_not_there_is_ending() -> None:
    assert is_ending(1 << 30)
    assert not is_ending(1)

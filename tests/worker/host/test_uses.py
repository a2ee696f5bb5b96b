from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacca.model.monitor import SandboxUse
from attacca.model.resources import Resources
from attacca.model.sandbox import SandboxView
from attacca.worker.host.load import PAGE_KB, TICKS_S
from attacca.worker.host.uses import Uses


@dataclass
class Counted:
    """A cgroup that counts so much."""

    held: int
    spent_us: int | None

    def used(self) -> tuple[int, int | None]:
        return self.held, self.spent_us


def process(proc: Path, pid: int, ticks: int, pages: int, children: str = "") -> None:
    task = proc / str(pid) / "task" / str(pid)
    task.mkdir(parents=True, exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b) S 0 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 0")
    (proc / str(pid) / "statm").write_text(f"99 {pages} 0 0 0 0 0")
    (task / "children").write_text(children)


def test_the_processes_of_a_sandbox_count_together(tmp_path: Path) -> None:
    process(tmp_path, 10, ticks=TICKS_S, pages=256, children="11 12 10")
    process(tmp_path, 11, ticks=TICKS_S, pages=256)
    uses = Uses(dict, tmp_path)
    found = uses.found({"s1": (10, None), "gone": (99, None)}, 1.0)
    assert found == {"s1": SandboxUse(cpu_s=2.0, cpu_share=0.0, memory_mb=512 * PAGE_KB / 1024, processes=2)}
    assert repr(uses) == "<Uses of 0 sandboxes>"


def test_a_cgroup_knows_better(tmp_path: Path) -> None:
    process(tmp_path, 10, ticks=5 * TICKS_S, pages=1)
    group: Any = Counted(held=3 << 20, spent_us=1_500_000)
    uses = Uses(dict, tmp_path)
    assert uses.found({"s1": (10, group)}, 1.0)["s1"] == SandboxUse(
        cpu_s=1.5, cpu_share=0.0, memory_mb=3.0, processes=1
    )
    group.spent_us = None
    assert uses.found({"s1": (10, group)}, 1.0)["s1"].cpu_s == 5.0, "version 1 does not count it there"


def test_a_share_is_since_the_time_before_and_never_less_than_nothing(tmp_path: Path) -> None:
    process(tmp_path, 10, ticks=TICKS_S, pages=1)
    uses = Uses(dict, tmp_path)
    uses._found = uses.found({"s1": (10, None)}, 1.0)
    process(tmp_path, 10, ticks=4 * TICKS_S, pages=1)
    assert uses.found({"s1": (10, None)}, 2.0)["s1"].cpu_share == 1.5
    process(tmp_path, 10, ticks=0, pages=1)
    assert uses.found({"s1": (10, None)}, 2.0)["s1"].cpu_share == 0.0


def test_what_was_found_is_shown_with_the_sandbox(tmp_path: Path) -> None:
    one, other = (
        SandboxView(id=name, revision="f@1", phase="idle", resources=Resources(1), busy=0, served=0, age_s=0, idle_s=0)
        for name in ("s1", "s2")
    )
    process(tmp_path, 10, ticks=0, pages=1)
    uses = Uses(dict, tmp_path)
    uses._found = uses.found({"s1": (10, None)}, 1.0)
    shown = uses.with_use((one, other))
    assert shown[0].use == uses._found["s1"]
    assert shown[1] is other

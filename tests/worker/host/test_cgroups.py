"""Groups of either version, as far as directories are all that they take."""

from pathlib import Path

from attacca.worker.host.cgroups import KEPT, LEFT_B, GroupsV1, GroupV1, GroupV2


def test_a_group_says_where_it_is(tmp_path: Path) -> None:
    memory, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert repr(GroupV1({"memory": memory, "pids": memory})) == f"<GroupV1 {memory}>"
    assert repr(GroupV2(two, ("memory",), "home")) == f"<GroupV2 {two}>"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "one", "two", "two/home",
    ]  # fmt: skip


class Tree:
    """Directories, and what the kernel would say in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("memory", "pids"):
            (path / name).mkdir()
        self.groups = GroupsV1({"memory": str(path / "memory"), "pids": str(path / "pids")}, "ours")

    def make(self) -> GroupV1:
        """A group, of those that are kept or a new one, as the kernel fills it."""
        group = self.groups.make()
        for name, text in (("memory.limit_in_bytes", ""), ("memory.memsw.limit_in_bytes", ""), ("pids.max", "")):
            file = Path(group._in["memory" if name.startswith("memory") else "pids"], name)
            file.write_text(file.read_text() if file.exists() else text)
        self.says(group)
        return group

    def says(self, group: GroupV1, living: int = 0, held_b: int = 4096, killed: int = 0) -> None:
        Path(group._in["pids"], "pids.current").write_text(f"{living}\n")
        Path(group._in["memory"], "memory.usage_in_bytes").write_text(f"{held_b}\n")
        Path(group._in["memory"], "memory.oom_control").write_text(f"oom_kill_disable 0\noom_kill {killed}\n")

    def limits(self, group: GroupV1) -> list[str]:
        memory, pids = Path(group._in["memory"]), Path(group._in["pids"])
        return [(memory / "memory.limit_in_bytes").read_text(), (pids / "pids.max").read_text()]


def test_one_that_nothing_is_left_in_is_the_next_ones(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    group = tree.make()
    group.limit(64, 10, None)
    tree.says(group, living=1)
    assert not tree.groups.keep(group), "somebody lives there"
    tree.says(group, held_b=LEFT_B + 1)
    assert not tree.groups.keep(group), "somebody's memory is there"
    tree.says(group)
    assert not group.has_run_out()
    assert tree.groups.keep(group)
    assert tree.make() is group
    group.limit(64, 10, None)
    assert tree.limits(group) == [str(64 << 20), "10"]
    group.limit(128, 20, None)
    assert tree.limits(group) == [str(128 << 20), "20"]
    assert tree.make() is not group


def test_one_whose_past_would_be_taken_for_the_next_ones_is_nobodys(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    ran_out, limited, divided, gone = (tree.make() for _ in range(4))
    tree.says(ran_out, killed=1)
    assert ran_out.has_run_out()
    limited._limits = (64, 10, 0.5)
    inner = divided.inner("1")
    tree.says(inner)
    Path(divided._in["memory"], "0").mkdir()
    divided._home = {name: f"{path}/0" for name, path in divided._in.items()}
    Path(gone._in["pids"], "pids.current").unlink()
    for group in (ran_out, limited, divided, inner, gone, GroupV2(str(tmp_path / "two"), ())):
        assert not tree.groups.keep(group), group


def test_one_that_is_gone_in_a_part_of_the_hierarchies_is_not_kept(tmp_path: Path) -> None:
    """Whoever moves out leaves one hierarchy after the other, and is looked for in between."""
    tree = Tree(tmp_path)
    group = tree.make()
    group._in["cpu"] = str(tmp_path / "cpu")
    (tmp_path / "cpu").mkdir()
    assert not group.is_removed()
    assert not (tmp_path / "cpu").exists()
    assert not tree.groups.keep(group)


def test_one_that_was_about_to_be_divided_is_not_kept(tmp_path: Path) -> None:
    """Its template was gone before it was, and what was made below it for that is there."""
    tree = Tree(tmp_path)
    begun, resized = tree.make(), tree.make()
    begun.inner("minder")
    resized.resize(64, 10, 1.0)
    assert not tree.groups.keep(begun)
    assert not tree.groups.keep(resized)


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert [tree.groups.keep(group) for group in [tree.make() for _ in range(KEPT + 1)]] == [True] * KEPT + [False]
    assert repr(tree.groups) == f"<GroupsV1 {KEPT} kept>"

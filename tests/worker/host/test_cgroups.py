"""Groups of either version, as far as directories are all that they take."""

from pathlib import Path

from attacca.worker.host.cgroups import GroupV1, GroupV2


def test_a_group_says_where_it_is(tmp_path: Path) -> None:
    memory, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert repr(GroupV1({"memory": memory, "pids": memory})) == f"<GroupV1 {memory}>"
    assert repr(GroupV2(two, ("memory",), "home")) == f"<GroupV2 {two}>"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "one", "two", "two/home",
    ]  # fmt: skip

"""Limits by cgroup, of the version that this machine has: as root, and in groups that were left to an ordinary user."""

import asyncio
import contextlib
import math
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.model.function import Revision
from attacca.worker.core.reports import SandboxGone, SandboxReady
from attacca.worker.host.cgroups import Group, open_groups
from attacca.worker.host.grace import Grace
from attacca.worker.host.hierarchy import CONTROLLERS, HOME, UNIFIED, here, places, sweep
from tests.live import ordinary
from tests.live.house import House, value, visit
from tests.live.whole import Whole, running, until, until_nothing_is_left

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make groups for others")
GREEDY = """
    def greedy():
        held = []
        while True:
            held.append(bytearray(b"x" * (1 << 20)))
"""
BYSTANDER = ["sleep", "1000"]
GLUTTON = [sys.executable, "-c", "input(); b'x' * 10**9"]
PARENT = ["sh", "-c", "read go; (true) && (true)"]


@pytest.fixture
def group() -> Iterator[Group]:
    groups = open_groups()
    assert groups is not None
    one = groups.make()
    yield one
    until(one.is_removed, "it is empty")
    groups.close()
    assert not any(Path(root).exists() for root in groups.roots())


@contextlib.contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_who_goes_over_memory_is_killed_and_known(group: Group) -> None:
    with started(*GLUTTON) as process:
        group.limit(memory_mb=32, processes=4, cpus=None)
        group.add(process.pid)
        group.unite()
        assert not group.has_run_out()
        assert not group.is_removed()
        process.communicate(b"go\n")
        assert process.returncode == -9
    assert group.has_run_out()


def test_all_together_are_held_to_what_the_worker_has() -> None:
    groups = open_groups()
    assert groups is not None
    groups.bound(64)  # and some slack
    one = groups.make()
    with started(*GLUTTON) as process:
        one.add(process.pid)  # without a limit of its own
        process.communicate(b"go\n")
        assert process.returncode == -9
    until(one.is_removed, "it is empty")
    groups.close()


def test_processes_are_counted(group: Group) -> None:
    with started(*PARENT) as process:
        group.limit(memory_mb=32, processes=1, cpus=1)
        group.add(process.pid)
        process.communicate(b"go\n")
        assert process.returncode != 0, "it could not fork"


@pytest.mark.parametrize("cpus", [0.0001, 0.5, 1024])
def test_every_share_of_processors_that_a_function_may_ask_for_can_be_had(group: Group, cpus: float) -> None:
    group.limit(memory_mb=32, processes=4, cpus=cpus)


WEIGHTS = ("cpu.shares", "cpu.weight")  # of version 1 and 2; one processor counts 1024, or 100


def weight_of(group: Path) -> float:
    """In processors."""
    found = next(group / name for name in WEIGHTS if (group / name).exists())
    return int(found.read_text()) / {"cpu.shares": 1024, "cpu.weight": 100}[found.name]


def test_a_group_counts_for_its_processors_and_a_divided_one_for_those_of_all(group: Group) -> None:
    [counted] = [path for path in _roots_of(group) if any((path / name).exists() for name in WEIGHTS)]
    own = counted / "1"
    assert weight_of(own) == 1.0
    group.limit(memory_mb=32, processes=4, cpus=0.5)
    assert weight_of(own) == 0.5
    group.divide([], memory_mb=32, processes=4, cpus=None)
    group.resize(memory_mb=64, processes=8, cpus=3.0)
    assert weight_of(own) == 3.0
    bounds = [own / "cpu.cfs_quota_us", own / "cpu.max"]
    assert next(path for path in bounds if path.exists()).read_text().split()[0] in ("-1", "max"), "each has its own"


def test_a_worker_counts_for_as_much_as_its_sandboxes_and_they_for_no_more_than_the_machine_has(tmp_path: Path) -> None:
    most = 2.0 ** math.ceil(math.log2(os.cpu_count() or 1))
    is_to_sit = has_seats()
    with running(tmp_path / "state") as whole:
        whole.function("plain", "def plain():\n    return 1\n", min_sandboxes=3)
        whole.function("large", "def large():\n    return 1\n", min_sandboxes=1, cpus=4)
        until(lambda: len(whole.worker()["sandboxes"]) == 4)
        weighed = [path for path in whole.cgroups() if any((path / name).exists() for name in WEIGHTS)]
        sandboxes_last = sorted(weighed, key=lambda path: (path / "1").exists())
        assert [whole.pid in numbers_in(path) for path in sandboxes_last] == ([True, False] if is_to_sit else [False])
        until(lambda: {weight_of(path) for path in weighed} == {min(8.0, most)}, "three of one, one of four: eight")
        whole.delete("large")
        until(lambda: {weight_of(path) for path in weighed} == {min(4.0, most)})


def has_seats() -> bool:
    """Version 1, where nobody else has chosen a group for us."""
    place = here().get("cpu")
    return place is not None and place.own == place.top


def numbers_in(group: Path) -> list[int]:
    return [int(word) for word in (group / "cgroup.procs").read_text().split()]


def test_whoever_closes_is_not_waited_for_by_those_who_tidy_up() -> None:
    """Until it has left its seat, that cannot be removed."""
    seated: list[bool] = []
    is_to_sit = has_seats()

    def sits(seat: str) -> bool:
        path = Path(seat, "cgroup.procs")
        return path.exists() and str(os.getpid()) in path.read_text().split()

    async def story(house: House) -> None:
        seat, zygotes = house.runtime.common.seat, house.runtime._zygotes
        ends = zygotes.close

        async def close() -> None:
            seated.append(sits(seat))
            await ends()

        assert sits(seat) == is_to_sit
        vars(zygotes)["close"] = close

    visit(story)
    assert seated == [False]


def test_a_group_of_version_1_is_lived_in_by_one_after_another_until_memory_runs_out_in_it() -> None:
    async def story(house: House) -> None:
        assert house.runtime.common.groups is not None
        greedy, modest = (
            house.function(GREEDY.replace("greedy", "handler"), memory_mb=64),
            house.function("def handler(): return 1"),
        )

        async def live(revision: Revision) -> str:
            sandbox = await house.sandbox(revision)
            group = repr(house.runtime._sandboxes[sandbox].process.group)
            if revision is greedy:
                await house.run(sandbox, revision)
            else:
                house.runtime.kill(sandbox)
            await house.gone(sandbox)
            return group

        lived_in = [await live(modest) for _ in range(8)]
        is_one = house.runtime.common.groups.version == "cgroup v1"
        assert (len(set(lived_in)) < len(lived_in)) is is_one
        ran_out = await live(greedy)
        assert ran_out not in [await live(modest) for _ in range(8)]
        assert [one.code for one in house.reports if isinstance(one, SandboxGone)].count("out_of_memory") == 1

    visit(story, memory_limits="enforce")


CROWD = 8
FROM_NOTHING = ("--set", "worker.templates=false")


def test_each_of_a_crowd_lives_in_a_group_of_its_own_and_who_forks_them_in_none_of_these() -> None:
    async def story(house: House) -> None:
        greedy = house.function(GREEDY.replace("greedy", "handler"), memory_mb=64)
        modest = house.function("def handler(): return 1")
        names = [f"crowd{number}" for number in range(CROWD)]
        for name in names:
            house.runtime.make_sandbox(name, greedy if name == names[-1] else modest, None)
        for name in names:
            await house.until(lambda one, name=name: isinstance(one, SandboxReady) and one.sandbox == name)  # type: ignore[misc]
        client = house.runtime._zygotes.indoors.fork_client
        assert client is not None
        assert client.slot._nursery is not None, "there was a crowd"
        lives = [places_of(house.runtime._sandboxes[name].process.pid) for name in names]
        assert [len(each) for each in lives] == [1] * CROWD, "the same in each hierarchy"
        assert len(set().union(*lives, places_of(client.lineage.pid))) == CROWD + 1
        for name in names:
            group = house.runtime._sandboxes[name].process.group
            assert group is not None
            assert group.processes() == [house.runtime._sandboxes[name].process.pid]
        assert [value(await house.run(name, modest)) for name in names[:-1]] == [1] * (CROWD - 1)
        gone = await house.run(names[-1], greedy)
        assert isinstance(gone, SandboxGone)
        assert gone.code == "out_of_memory"
        assert set(house.runtime._sandboxes) == set(names[:-1])

    visit(story, memory_limits="enforce")


def places_of(pid: int) -> set[str]:
    """The groups of ours that it lives in, by where they are in their hierarchies."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {line.split(":", 2)[2] for line in lines if f"/attacca-{os.getpid()}-" in line}


def test_what_a_worker_that_is_no_more_has_left_is_swept_and_what_is_in_use_is_not(group: Group) -> None:
    with started("true") as process:
        process.wait()
        gone = process.pid
    left = [Path(at).with_name(f"attacca-{gone}-0") for at in _roots_of(group)]
    for path in left:
        path.mkdir()
        (path / "1").mkdir()
    assert sweep() >= len(left)
    assert not any(path.exists() for path in left)
    assert all(Path(at).exists() for at in _roots_of(group))


def _roots_of(_: Group) -> list[Path]:
    return [Path(at) for at, _, _ in os.walk("/sys/fs/cgroup") if Path(at).name.startswith(f"attacca-{os.getpid()}-")]


# An ordinary user, in groups that were left to it.


@pytest.fixture
def python() -> str:
    return ordinary.python()


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="attacca-test-") as name:
        os.chmod(name, 0o755)
        path = Path(name, "state")
        path.mkdir()
        os.chown(path, ordinary.UID, ordinary.UID)
        yield path


@pytest.fixture
def delegated() -> Iterator[dict[str, Path]]:
    """By hierarchy a group that belongs to the ordinary user, as systemd would make it."""
    found = places(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    name = f"test-{os.getpid()}-{secrets.token_hex(3)}"
    offered = Path(found[UNIFIED].top, "cgroup.controllers").read_text().split() if UNIFIED in found else []
    if set(CONTROLLERS) <= set(offered):
        Path(found[UNIFIED].top, "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in CONTROLLERS))
        made = {UNIFIED: Path(found[UNIFIED].top, name)}
    else:
        made = {controller: Path(found[controller].top, name) for controller in CONTROLLERS}
    for path in dict.fromkeys(made.values()):
        path.mkdir()
        for inner in (path, path / "cgroup.procs", path / "cgroup.subtree_control"):
            with contextlib.suppress(FileNotFoundError):  # of version 2 only
                os.chown(inner, ordinary.UID, ordinary.UID)
    yield made
    for path in dict.fromkeys(made.values()):
        with contextlib.suppress(FileNotFoundError):
            (path / HOME).rmdir()
        path.rmdir()


def inhabited(whole: Whole) -> list[list[int]]:
    """Who lives in each of its groups, without those in which nobody does."""
    found = [numbers_in(Path(at)) for root in whole.cgroups() for at, _, _ in os.walk(root)]
    return [numbers for numbers in found if numbers]


def assert_limits_hold(whole: Whole, delegated: dict[str, Path]) -> None:
    version = "cgroup v2" if UNIFIED in delegated else "cgroup v1"
    assert whole.get("/api/info")["memory_limits"] == version
    assert {path.parent for path in whole.cgroups()} == set(delegated.values())
    whole.function("many", "def many():\n    return 1\n", min_sandboxes=CROWD)
    each_alone = [1] * (CROWD + 1) * len(delegated)
    until(lambda: [len(numbers) for numbers in inhabited(whole)] == each_alone, "and who forks them, in none of these")
    whole.delete("many")
    whole.function("greedy", GREEDY, memory_mb=64)
    assert whole.call("greedy").code == "out_of_memory"
    assert whole.is_well()


def test_an_ordinary_user_has_limits_in_a_group_of_its_own(
    python: str, state: Path, delegated: dict[str, Path]
) -> None:
    groups = list(delegated.values())
    with running(state, *FROM_NOTHING, ordinary=python, groups=groups) as whole:
        assert_limits_hold(whole, delegated)
        whole.kill()
        until_nothing_is_left(whole)
    groups = groups if UNIFIED not in delegated else [groups[0] / HOME]
    with running(state, *FROM_NOTHING, ordinary=python, groups=groups) as again:
        assert_limits_hold(again, delegated)
    until_nothing_is_left(again)


def test_who_lives_in_the_group_beside_the_server_goes_on(python: str, state: Path, delegated: dict[str, Path]) -> None:
    with started(*BYSTANDER) as bystander:
        for path in delegated.values():
            (path / "cgroup.procs").write_text(str(bystander.pid))
        with running(state, *FROM_NOTHING, ordinary=python, groups=list(delegated.values())) as whole:
            assert_limits_hold(whole, delegated)
        assert bystander.poll() is None


def test_whoever_begins_a_grace_period_stays_where_they_are() -> None:
    before, grace = Path("/proc/self/cgroup").read_text(), Grace()

    async def begin() -> None:
        grace.begin()
        first = grace._under_way
        grace.begin()
        assert grace._under_way is first, "one is enough"
        assert first is not None
        await first

    asyncio.run(begin())
    assert repr(grace).endswith("/cgroup.procs>")
    assert Path("/proc/self/cgroup").read_text() == before

"""Who of the machine's users a function is, and that nothing of the kernel's is its to write."""

import os
from pathlib import Path

import pytest

from attacca.worker.core.reports import TemplateReady
from tests.live import ordinary
from tests.live.house import House, visit
from tests.live.inside import inside

IS_ROOT = os.geteuid() == 0
STATUS_IDS = 4  # real, effective, saved, for files


def users(pid: int) -> set[int]:
    """All that a process is, user and group."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = [line.split()[1:] for line in lines if line.startswith(("Uid:", "Gid:"))]
    assert [len(one) for one in words] == [STATUS_IDS, STATUS_IDS]
    return {int(word) for one in words for word in one}


def below(pid: int) -> list[int]:
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(deeper for one in found for deeper in below(one))]


async def until_none_is_taken(house: House) -> None:
    free = house.runtime.common.users._free
    await house.quiet(lambda: house.runtime.common.users._taken)
    assert len(free) == len(set(free)), "each number is free once"


@pytest.mark.skipif(not IS_ROOT, reason="whoever is not root can be nobody else")
def test_each_function_is_a_user_of_its_own_and_all_of_it_the_same() -> None:
    async def story(house: House) -> None:
        number: dict[str, set[int]] = {}
        zygote = house.runtime._zygotes.indoors.fork_client
        assert zygote is not None
        for name in ("one", "two", "three"):
            revision = house.function("def handler(): return 1", name=name)
            template = await house.template(revision)
            assert isinstance(template, TemplateReady)
            made = [await house.sandbox(revision), await house.sandbox(revision)]
            made += [await house.sandbox(revision, template.template) for _ in range(2)]
            bodies = [house.runtime._processes[one].pid for one in (*made, template.template)]
            everybody = {*bodies, *(pid for one in bodies for pid in below(one))}
            assert len(everybody) > len(bodies), "who minds a template and its places is of the same"
            own = set.union(*map(users, everybody))
            assert len(own) == 1, own
            number[name] = own
        assert len(set.union(*number.values())) == 3
        assert not set.union(*number.values()) & {os.getuid(), os.geteuid(), 0, *users(zygote.lineage.pid)}
        for body in list(house.runtime._processes.values()):
            body.kill("the test is over")
        await until_none_is_taken(house)

    visit(story)


@pytest.mark.skipif(IS_ROOT, reason="root gives each function a user of its own")
def test_whoever_is_not_root_is_the_same_outside() -> None:
    async def story(house: House) -> None:
        revision = house.function("def handler(): return 1")
        sandbox = await house.sandbox(revision)
        assert users(house.runtime._processes[sandbox].pid) == {os.getuid()} == {os.getgid()}
        house.runtime.kill(sandbox)
        await until_none_is_taken(house)

    visit(story)


def test_inside_all_are_the_same_ordinary_user() -> None:
    assert inside("[os.getresuid(), os.getresgid()]") == [[1000] * 3, [1000] * 3]


WRITABLE = """[
    os.path.join(at, name)
    for top in ("/proc/self", "/proc/1", "/proc/sys", "/proc/irq", "/proc/fs", "/proc/thread-self")
    for at, inner, names in [*os.walk(top), ("/proc", [], os.listdir("/proc"))] for name in names
    if not os.path.islink(os.path.join(at, name)) and "/map_files/" not in at and writes(os.path.join(at, name))
]"""
WRITES = """(lambda path: attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))[0] == "done")"""


def test_nothing_in_proc_can_be_written() -> None:
    """`oom_score_adj` above all: who lowers it is the last to be ended for want of memory."""
    assert inside(" ".join(WRITABLE.split()).replace("writes", WRITES)) == []
    assert inside("sum(len(names) for _, _, names in os.walk('/proc/self')) > 100"), "there is much to be tried"
    told = inside("[attempt(lambda: open(f'/proc/{at}/oom_score_adj', 'w').write('-1'))[0] for at in ('self', 1, 2)]")
    assert told == ["refused"] * 3


def test_nor_by_what_it_starts() -> None:
    told = inside("subprocess.run('echo 0 > /proc/self/oom_score_adj', shell=True, capture_output=True).returncode")
    assert told != 0


@pytest.mark.skipif(not IS_ROOT, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)

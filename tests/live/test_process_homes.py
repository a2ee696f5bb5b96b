"""The file systems that sandboxes made from nothing are born in: what those after the first share with it, and what
they do not."""

import os
import shutil
from typing import Any

import pytest

from attacca.model.function import Revision
from attacca.worker.core.reports import SandboxFailed, SandboxReady
from tests.live import ordinary
from tests.live.house import House, value, visit

SEES = """
    import os, socket
    def handler():
        try:
            open("/proc/self/oom_score_adj", "w")
            writes = "written"
        except OSError as error:
            writes = error.errno
        with open("/proc/self/mountinfo") as file:
            mounts = [line.split()[4] for line in file]
        before = {room: os.listdir(room) for room in ("/tmp", "/dev/shm")}
        for room in before:
            open(f"{room}/mine", "w").close()
        return {
            "of_all": [os.stat("/function").st_dev, os.stat("/usr").st_dev],
            "own": [os.stat(place).st_dev for place in ("/tmp", "/dev/shm", "/proc")],
            "before": before, "writes": writes, "mounts": sorted(set(mounts)), "host": socket.gethostname(),
            "processes": [name for name in os.listdir("/proc") if name.isdigit()], "here": os.getcwd(),
            "who": [os.getuid(), os.getpid(), os.stat("/proc/self").st_uid], "root": sorted(os.listdir("/")),
        }
"""
EROFS = 30


async def see(house: House, revision: Revision) -> dict[str, Any]:
    """What one more sandbox sees, which lives on."""
    found: dict[str, Any] = value(await house.run(await house.sandbox(revision), revision))
    return found


def test_all_but_the_first_are_born_in_what_it_left_and_see_nothing_of_one_another() -> None:
    async def story(house: House) -> None:
        one, other = house.function(SEES), house.function(SEES)
        first, second, third = [await see(house, one) for _ in range(3)]
        stranger = await see(house, other)
        assert first["of_all"] == second["of_all"] == third["of_all"]
        assert stranger["of_all"][0] != first["of_all"][0], "another function's is another's"
        own = [place for found in (first, second, third, stranger) for place in found["own"]]
        assert len(set(own)) == len(own), "what is each one's own"
        for found in (first, second, third, stranger):
            assert found["before"] == {"/tmp": [], "/dev/shm": []}
            assert found["processes"] == ["1"]
            assert found["writes"] == EROFS
            assert found["who"] == [1000, 1, 1000]
            alike = ("mounts", "here", "root")
            assert [found[name] for name in alike] == [first[name] for name in alike]
        assert [found["host"] for found in (first, second, stranger)] == [one.function, one.function, other.function]

    visit(story)


def test_code_that_was_made_anew_is_seen() -> None:
    async def story(house: House) -> None:
        revision = house.function("def handler(): return 1")
        code = house.state / "code" / revision.function
        for number in (1, 1, 2, 2):
            if number == 2:
                shutil.rmtree(code)
                code.mkdir(mode=0o755)
                (code / "main.py").write_text("def handler(): return 2\n")
            assert value(await house.run(await house.sandbox(revision), revision)) == number

    visit(story)


def test_where_what_it_left_is_gone_one_start_fails_and_the_next_leaves_another() -> None:
    async def story(house: House) -> None:
        revision = house.function("def handler(): return 1")
        for _ in range(2):
            await house.sandbox(revision)
        client = house.runtime._zygotes.clients()[0]
        client.forget(1)
        house.runtime.make_sandbox("unlucky", revision, None)
        failed = await house.until(lambda r: isinstance(r, SandboxFailed | SandboxReady) and r.sandbox == "unlucky")
        assert isinstance(failed, SandboxFailed)
        assert failed.code == "sandbox_lost", "which is tried again"
        for _ in range(3):
            assert value(await house.run(await house.sandbox(revision), revision)) == 1
        os.kill(client.lineage.pid, 9)
        await house.quiet(lambda: client.is_open)
        for _ in range(3):
            assert value(await house.run(await house.sandbox(revision), revision)) == 1

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="runs the others as an ordinary user")
def test_all_this_holds_for_an_ordinary_user() -> None:
    ordinary.run_again(__file__)

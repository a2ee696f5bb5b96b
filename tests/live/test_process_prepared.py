"""What is put together before a fork is each sandbox's own after it."""

import asyncio
from typing import Any

import pytest

from attacca.worker.core.reports import TemplateReady
from tests.live.house import House, value, visit

OWN = """
    import asyncio, os, sys, threading
    {opens}
    async def handler():
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(told.set)).start()
        await asyncio.wait_for(told.wait(), 5)
        names = [os.readlink(f"/proc/self/fd/{{name}}") for name in sorted(map(int, os.listdir("/proc/self/fd")))[:-1]]
        return [names, [os.fstat(place).st_ino for place in range(5, 8)], {shown}]
"""


def _answers(source: str) -> list[list[Any]]:
    async def story(house: House) -> list[list[Any]]:
        revision = house.function(source, concurrency=4)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        assert not template.unfit
        made = await asyncio.gather(*(house.sandbox(revision, template.template) for _ in range(3)))
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    return visit(story)


def test_an_event_loop_that_is_there_before_the_fork_waits_with_descriptors_of_each_ones_own() -> None:
    answers = _answers(OWN.format(opens="", shown="None"))
    for names, _, _ in answers:
        kinds = [name.partition("[")[0].partition(":")[0] for name in names]
        assert kinds == ["/dev/null", *["pipe"] * 4, "anon_inode", "socket", "socket"], "and nothing else"
        assert names[5] == "anon_inode:[eventpoll]"
    pairs = [tuple(numbers[1:]) for _, numbers, _ in answers]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("place", [0, 5, 6, 7])
def test_an_import_that_takes_such_a_place_keeps_it(place: int) -> None:
    opens = f"os.close({place}); kept = open('/etc/hosts'); assert kept.fileno() == {place}"
    for _, _, shown in _answers(OWN.format(opens=opens, shown="kept.closed or kept.read(1)")):
        assert shown is not True


def test_an_import_that_has_signals_of_children_ignored_has_them_so_in_sandboxes() -> None:
    source = """
        import signal
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        def handler():
            return [signal.getsignal(signal.SIGCHLD).name, sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]
    """

    async def story(house: House) -> list[object]:
        revision = house.function(source)
        template = await house.template(revision)
        made = [await house.sandbox(revision, template.template) for _ in range(2)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    assert visit(story) == [["SIG_IGN", []]] * 2

"""What becomes of containers of a daemon that answers, refuses, or is away: with one in memory."""

import asyncio
import os
from pathlib import Path
from typing import Any

from attacca.worker.runtime.container.daemons import tending
from attacca.worker.runtime.container.daemons.tending import Charge, Tending
from attacca.worker.runtime.container.engine import Word
from attacca.worker.runtime.container.keeper.berth import Berth


class Away:
    """A door to a daemon whose containers end at once, and which may not answer."""

    name, makes_networks = "away", False

    def __init__(self) -> None:
        self.is_there = True
        self.known: list[str] = []

    def _expect(self) -> None:
        if not self.is_there:
            raise ConnectionError("away does not answer; try again when it does")

    async def open(self, group: str, home: str) -> None: ...

    async def launch(self, job: Charge) -> None:
        self._expect()
        self.known.append(job.id)

    async def status(self, job: Charge) -> tuple[int, bool]:
        self._expect()
        return 3 << 8, False

    async def remove(self, job: Charge) -> None:
        self._expect()
        if job.id in self.known:
            self.known.remove(job.id)

    async def close(self) -> None: ...


class Told:
    def __init__(self, directory: Path) -> None:
        self.door, self.words, self.news = Away(), list[Word](), asyncio.Event()
        self.tending = Tending(self.door, self._hear)
        self.tending._home = str(directory)
        self.tending._loop = asyncio.get_running_loop()

    def _hear(self, word: Word) -> None:
        self.words.append(word)
        self.news.set()

    def start(self, name: str) -> None:
        self.tending.start(name, {}, "/", {"/etc/x": "y"}, [2])

    async def heard(self, count: int) -> list[Word]:
        while len(self.words) < count:
            self.news.clear()
            await self.news.wait()
        return self.words


def test_one_that_ends_is_told_and_removed(tmp_path: Path) -> None:
    async def main() -> None:
        told = Told(tmp_path)
        told.start("s1")
        assert await told.heard(2) == [Word(started="s1"), Word(ended="s1", status=3 << 8)]
        assert told.door.known == []
        assert not os.listdir(tmp_path)
        shown = repr(told.tending)
        assert shown.startswith("<Tending attacca-")
        assert shown.endswith(" by away, 0 containers, 0 to be removed>")
        told.tending.say("kill", "s1")

    asyncio.run(main())


def test_a_daemon_that_is_away_refuses_starts_and_is_told_of_its_leftovers_when_it_is_back(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tending, "AGAIN_S", 0.0)

    async def main() -> None:
        told = Told(tmp_path)
        told.door.is_there = False
        told.start("s1")
        why = "away does not answer; try again when it does"
        assert await told.heard(1) == [Word(failed="s1", why=why)]
        assert repr(told.tending).endswith(" by away, 0 containers, 1 to be removed>")
        told.door.is_there = True
        assert told.tending._tidying is not None
        await told.tending._tidying
        assert repr(told.tending).endswith(" by away, 0 containers, 0 to be removed>")

    asyncio.run(main())


def test_what_there_is_of_a_job() -> None:
    job = Charge("s1", {}, "/", Berth("/b", "/g", "/s"), [2], ())
    assert repr(job) == "<Charge s1: no process>"
    job.kill()
    assert repr(job) == "<Charge s1: no process, doomed>"
    job.let_go()
    assert job.output == -1
    os.fstat(2)

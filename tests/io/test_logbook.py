import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from attacca.io.logbook import Logbook, LogLimits
from attacca.kernel.clock import ManualClock
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.log import LogLine
from attacca.model.messages import Catalogue, Deleted, Deployed

pytestmark = pytest.mark.long  # files are written and read

SMALL = LogLimits(file_kb=1, files=3, flush_s=0.001, pending_kb=4, ring_kb=1, line_kb=1)


def revision(name: str = "hello") -> Revision:
    return Revision(
        function=name,
        number=3,
        settings=Settings(name=name),
        handler="main:handler",
        signature=Signature.NAMED,
        artefact=PythonDirectory("c0de"),
    )


def story(directory: Path, play: Callable[[Logbook, ManualClock], Awaitable[None]], limits: LogLimits = SMALL) -> None:
    async def main() -> None:
        clock = ManualClock(100.0)
        book = Logbook(directory, clock, limits)
        book.receive(Catalogue(1, (revision(),)))
        await play(book, clock)
        await book.close()

    asyncio.run(main())


def say(book: Logbook, text: str, function: str = "hello") -> None:
    book.append(function, f"{function}@3", "s1", "i1", "stdout", text)


async def texts(lines: AsyncIterator[LogLine]) -> list[str]:
    return [line.text async for line in lines]


def test_what_is_written_is_read_back_line_by_line(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "one\ntwo\n")
        say(book, "héllo \udcff\n")
        assert [line async for line in book.read("hello")] == [
            LogLine(100.0, 3, "s1", "i1", "stdout", "one"),
            LogLine(100.0, 3, "s1", "i1", "stdout", "two"),
            LogLine(100.0, 3, "s1", "i1", "stdout", "héllo ?"),
        ]

    story(tmp_path, play)


def test_since_leaves_out_what_is_older_whether_it_is_in_memory_or_not(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        for number in range(60):
            clock.time = 100.0 + number
            say(book, f"line {number}")
            await book.flush()
        assert await texts(book.read("hello", 2.5)) == ["line 57", "line 58", "line 59"]
        assert len(await texts(book.read("hello", 12.5))) == 13

    story(tmp_path, play)


def test_files_are_bounded_and_the_oldest_lines_go(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        for number in range(100):
            say(book, f"{number} " + "x" * 50)
            await book.flush()
        kept = await texts(book.read("hello"))
        assert kept[-1].startswith("99 ")
        assert 10 < len(kept) < 30

    story(tmp_path, play)
    files = list((tmp_path / "hello").iterdir())
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 4096


def test_a_flood_is_cut_short_and_says_so(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        for _ in range(1000):
            say(book, "y" * 100)
        say(book, "z" * 5000)
        kept = [line async for line in book.read("hello")]
        assert kept[-1].stream == "attacca"
        assert kept[-1].text.startswith("981 lines were dropped here")

    story(tmp_path, play)


def test_a_flood_of_short_lines_is_cut_by_their_number(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "a\nb\n")
        say(book, "c\nd\ne\n")
        say(book, "f\n\ng")
        clock.time += 1.0
        say(book, "h\n")
        kept = await texts(book.read("hello"))
        assert kept[:-1] == ["a", "b", "c", "h"]
        assert kept[-1].startswith("5 lines were dropped here")

    story(tmp_path, play, LogLimits(lines_per_s=3))


def test_what_is_dropped_last_is_said_although_nothing_follows(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "a\nb\nc")
        await book.flush()
        following = book.follow("hello")
        said = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        say(book, "d\ne")  # this second has no room for them
        assert (await asyncio.wait_for(said, 5)).text.startswith("2 lines were dropped here")

    story(tmp_path, play, LogLimits(lines_per_s=3, flush_s=0.001))


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "z" * 3000)
        [text] = await texts(book.read("hello"))
        assert text == "z" * 1024 + " ... (1976 more characters)"

    story(tmp_path, play)


def test_a_follower_gets_every_line_once(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "before 1")
        await book.flush()
        say(book, "before 2")
        following = book.follow("hello", None)
        assert (await anext(following)).text == "before 1"
        say(book, "after 1")
        await book.flush()
        say(book, "after 2")
        assert [(await anext(following)).text for _ in range(3)] == ["before 2", "after 1", "after 2"]
        waiting = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        say(book, "after 3")
        assert (await waiting).text == "after 3"

    story(tmp_path, play)


def test_following_from_now_on_shows_nothing_old_and_ends_with_the_function(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "old")
        following = asyncio.ensure_future(texts(book.follow("hello", 0.0)))
        await asyncio.sleep(0)
        say(book, "new")
        book.receive(Deleted(2, "hello"))
        assert await following == ["new"]

    story(tmp_path, play)


def test_a_deleted_function_leaves_nothing(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        for number in range(50):
            book.receive(Deployed(number, revision("other")))
            say(book, "a", "other")
            await book.flush()
            book.receive(Deleted(number, "other"))
            say(book, "a last word of a running invocation", "other")
        await book.flush()
        assert os.listdir(tmp_path) == []
        assert await texts(book.read("other")) == []

    story(tmp_path, play)


def test_functions_that_are_gone_at_the_start_lose_their_logs(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "hello").mkdir()

    async def play(book: Logbook, clock: ManualClock) -> None:
        await book.flush()
        assert os.listdir(tmp_path) == ["hello"]

    story(tmp_path, play)


def test_half_a_line_from_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "log.ndjson").write_bytes(b'{"at":1.0,"revi')

    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "whole")
        assert await texts(book.read("hello")) == ["whole"]

    story(tmp_path, play)


def test_a_disk_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("in the way")

    async def play(book: Logbook, clock: ManualClock) -> None:
        say(book, "lost")
        await book.flush()

    story(tmp_path, play)


def test_a_slow_follower_loses_lines_and_is_told(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        following = book.follow("hello")
        waiting = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        for number in range(2_005):
            say(book, str(number))
        assert (await waiting).text == "0"
        rest = [(await anext(following)).text for _ in range(2_000)]
        assert rest[-2:] == ["1999", "5 lines were left out here: they came faster than they were read"]

    story(tmp_path, play, LogLimits())


def test_reading_a_function_nobody_knows_is_empty(tmp_path: Path) -> None:
    async def play(book: Logbook, clock: ManualClock) -> None:
        assert await texts(book.read("nobody")) == []
        assert await texts(book.follow("nobody")) == []

    story(tmp_path, play)


def test_it_says_what_is_to_be_written(tmp_path: Path) -> None:
    async def play(book: Logbook, _: ManualClock) -> None:
        say(book, "hello")
        assert repr(book) == "<Logbook of 1 functions, 1 to be written>"

    story(tmp_path, play)

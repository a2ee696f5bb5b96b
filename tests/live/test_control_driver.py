"""Deployments against a real state directory, with a check that reads the code instead of running it."""

import asyncio
import io
import os
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from attacca.control.config import ControlConfig
from attacca.control.core.progress import Done, Progress, Refused, Step
from attacca.control.deploy.reception import Upload
from attacca.control.driver import Control
from attacca.errors import BadRequest, NotFound, TooMuchReserved
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import Store
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.model.function import Network, Revision, Settings, Signature
from attacca.model.invocation import Failed, Timing
from attacca.model.messages import Catalogue, Checked, Deleted, Deployed
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity
from tests.control.peers import WorkerPeer

CLOCK = SystemClock()


class Bench:
    """A control plane, and the planes around it: a check that refuses the word `bad`, and ears for announcements."""

    def __init__(self, directory: Path, store: Store, *, is_ordinary_user: bool = False) -> None:
        self.heard: list[Catalogue | Deployed | Deleted] = []
        self.checked: list[Revision] = []
        self.gate: asyncio.Event | None = None
        self.network = Network.NONE
        self.handler = "main:found"
        self.worker = WorkerPeer(self.check)
        self.control = Control(
            ControlConfig(state_dir=directory), store, CLOCK, self.worker.send, self.heard.append,
            chance=Streams(1).stream("placement"), is_ordinary_user=is_ordinary_user,
        )  # fmt: skip

    async def open(self, capacity: Capacity | None = None) -> None:
        await self.control.open()
        self.worker.join(self.control, capacity)

    async def check(self, revision: Revision) -> Checked:
        self.checked.append(revision)
        if self.gate is not None:
            await self.gate.wait()
        code = self.control.state.code / revision.artefact.digests[0]
        text = "".join(path.read_text() for path in code.glob("*.txt"))
        if "bad" in text:
            return Checked("1", revision, Failed("bad_function", "ImportError: bad", "", "Traceback ..."))
        found = Revision(
            function=revision.function,
            number=revision.number,
            settings=revision.settings,
            handler=revision.handler or self.handler,
            signature=Signature.NAMED,
            artefact=revision.artefact,
            created_at=revision.created_at,
        )
        return Checked("1", found, logs="imported\nfine\n", timing=Timing(imports=2.5))

    async def deploy(self, text: str = "good", name: str = "hello", **files: str) -> list[Progress]:
        settings = Settings(name=name, network=self.network)
        progress = self.control.deploy(settings, upload(packed({"main.txt": text, **files})))
        words = [word async for word in progress]
        await self.control.settled()
        return words

    async def delete(self, name: str = "hello") -> None:
        await self.control.delete(name)
        await self.control.settled()

    def directories(self) -> list[str]:
        state = self.control.state
        return sorted(os.listdir(state.code) + os.listdir(state.bundles) + os.listdir(state.tmp))


def upload(data: bytes) -> Upload:
    return Upload(io.BytesIO(data))


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.001)


def story(directory: Path, play: Callable[[Bench], Awaitable[None]], *, is_ordinary_user: bool = False) -> None:
    async def main() -> None:
        bench = Bench(directory, MemoryStore(CLOCK), is_ordinary_user=is_ordinary_user)
        await bench.open()
        await play(bench)
        await bench.control.close()

    asyncio.run(main())


def test_a_deploy_tells_its_steps_and_is_announced(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        *steps, done = await bench.deploy("good", **{"lib.py": "x = 1"})
        assert [(step.name, step.text) for step in steps if isinstance(step, Step)][1:] == [
            ("check", "importing revision 1"), ("log", "imported"), ("log", "fine"),
        ]  # fmt: skip
        assert isinstance(done, Done)
        assert (done.revision.handler, done.imports_ms, done.replaced) == ("main:found", 2.5, None)
        catalogue, deployed = bench.heard
        assert isinstance(catalogue, Catalogue)
        assert catalogue.current == ()
        assert deployed == Deployed(catalogue.generation + 1, done.revision)
        code = bench.control.state.code / done.revision.artefact.digests[0]
        assert sorted(os.listdir(code)) == ["__pycache__", "lib.py", "main.txt"]
        assert (code / "__pycache__").stat().st_mode & 0o777 == 0o755

    story(tmp_path, play)


def test_the_same_code_again_is_a_new_revision_over_the_same_directory(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await bench.deploy()
        *_, done = await bench.deploy()
        assert isinstance(done, Done)
        assert (done.revision.number, done.replaced, done.changes) == (2, 1, ())
        assert len(bench.directories()) == 1

    story(tmp_path, play)


def test_refused_code_leaves_nothing(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await bench.deploy("good")
        before = bench.directories()
        *_, refused = await bench.deploy("bad")
        assert isinstance(refused, Refused)
        assert (refused.code, refused.traceback) == ("bad_function", "Traceback ...")
        *_, unpacked = [word async for word in bench.control.deploy(Settings(name="x"), upload(b"no archive"))]
        assert isinstance(unpacked, Refused)
        assert unpacked.code == "bad_request"
        assert bench.directories() == before
        assert len(bench.heard) == 2
        assert [function.name for function in bench.control.functions()] == ["hello"]
        *_, done = await bench.deploy("better")
        assert isinstance(done, Done)
        assert done.revision.number == 2

    story(tmp_path, play)


TEN = Capacity(
    resources=Resources(11 * 128), templates=False
)  # sandboxes of 128 MB that may be kept, and room for one more


def crowded(directory: Path, play: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(directory, MemoryStore(CLOCK))
        await bench.open(TEN)
        await play(bench)
        await bench.control.close()

    asyncio.run(main())


async def kept(bench: Bench, name: str, count: int) -> Progress:
    settings = Settings(name=name, min_sandboxes=count)
    return [word async for word in bench.control.deploy(settings, upload(packed({"a.txt": name})))][-1]


def test_who_reserves_too_much_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        refused = await kept(bench, "greedy", 11)
        assert isinstance(refused, Refused)
        assert refused.code == "too_much_reserved"
        assert "min_sandboxes = 10 fits" in refused.hint
        assert (bench.checked, bench.directories()) == ([], [])
        assert isinstance(await kept(bench, "greedy", 10), Done)

    crowded(tmp_path, play)


def test_of_two_that_fit_only_one_by_one_the_second_is_refused(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.gate = asyncio.Event()
        both = [asyncio.create_task(kept(bench, name, 6)) for name in ("one", "two")]
        await until(lambda: len(bench.checked) == 2)
        bench.gate.set()
        ended = [await task for task in both]
        await bench.control.settled()
        assert sorted(type(one).__name__ for one in ended) == ["Done", "Refused"]
        assert len(bench.control.core.changes.catalogue.catalogue().current) == 1
        assert len(bench.directories()) == 1

    crowded(tmp_path, play)


def test_a_rollback_reserves_no_more_than_there_is(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await kept(bench, "one", 8)
        await kept(bench, "one", 1)
        await kept(bench, "two", 8)
        with pytest.raises(TooMuchReserved):
            await bench.control.rollback("one")
        assert [one.number for one in bench.control.core.changes.catalogue.catalogue().current] == [2, 1]
        await bench.control.delete("two")
        assert (await bench.control.rollback("one")).number == 1

    crowded(tmp_path, play)


@pytest.mark.parametrize("handler", ["main:f\n", "\x1b]0;x", "a b", "../x:y", "x" * 201])
def test_what_is_found_as_the_handler_must_be_a_name(tmp_path: Path, handler: str) -> None:
    async def play(bench: Bench) -> None:
        bench.handler = handler
        *_, refused = await bench.deploy()
        assert isinstance(refused, Refused)
        assert (refused.code, bench.directories()) == ("bad_function", [])

    story(tmp_path, play)


def test_who_leaves_while_the_end_of_a_build_is_on_its_way_stops_nothing(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        control = bench.control
        sent = upload(packed({"main.txt": "good"}))
        steps = control.deploy(Settings(name="a"), sent)
        await anext(steps)
        [build] = control._builds.values()
        while not build.done():  # noqa: ASYNC110 - until the turn in which it ends, and no later
            await asyncio.sleep(0)
        await steps.aclose()  # before the core has heard of it
        await control.settled()
        assert (sent.code.closed, control._builds) == (True, {})
        assert isinstance((await bench.deploy(name="a"))[-1], Done)

    story(tmp_path, play)


def test_an_upload_is_closed_whatever_comes_of_it(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        for archive in (packed({"main.txt": "good"}), packed({"main.txt": "bad"}), b"none"):
            sent = upload(archive)
            assert [word async for word in bench.control.deploy(Settings(name="a"), sent)]
            assert sent.code.closed
        unread = upload(packed({"main.txt": "good"}))
        await bench.control.deploy(Settings(name="a"), unread).aclose()
        await until(lambda: unread.code.closed)

    story(tmp_path, play)


def test_building_from_source_needs_the_servers_leave(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        progress = bench.control.deploy(Settings(name="x"), upload(packed({"a.txt": ""})), allow_source_builds=True)
        [refused] = [word async for word in progress]
        assert isinstance(refused, Refused)
        assert refused.code == "forbidden"

    story(tmp_path, play)


def test_deploys_of_one_function_take_turns_and_others_do_not_wait(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.gate = asyncio.Event()
        first = asyncio.create_task(bench.deploy("one"))
        await until(lambda: len(bench.checked) == 1)
        second = asyncio.create_task(bench.deploy("two"))
        other = asyncio.create_task(bench.deploy("three", name="other"))
        await until(lambda: len(bench.checked) == 2)
        assert [revision.function for revision in bench.checked] == ["hello", "other"]
        bench.gate.set()
        ends = [steps[-1] for steps in await asyncio.gather(first, second, other)]
        assert [(end.revision.id, end.replaced) for end in ends if isinstance(end, Done)] == [
            ("hello@1", None), ("hello@2", 1), ("other@1", None),
        ]  # fmt: skip
        first_generation = bench.heard[0].generation
        assert [message.generation - first_generation for message in bench.heard] == [0, 1, 2, 3]

    story(tmp_path, play)


def test_a_reader_who_goes_away_during_the_check_does_not_undo_it(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.gate = asyncio.Event()
        progress = bench.control.deploy(Settings(name="hello"), upload(packed({"a.txt": ""})))
        async for word in progress:
            if isinstance(word, Step) and word.name == "check":
                break
        await progress.aclose()
        bench.gate.set()
        await bench.deploy("next")  # has waited for its turn
        assert bench.control.function("hello").current == 2

    story(tmp_path, play)


def test_a_reader_who_goes_away_earlier_ends_it(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        progress = bench.control.deploy(Settings(name="hello"), upload(packed({"a.py": "", "b.txt": ""})))
        assert isinstance(await anext(progress), Step)  # unpacked, and about to be compiled
        await progress.aclose()
        await bench.deploy("next", name="hello")
        assert bench.control.function("hello").current == 1
        assert len(bench.directories()) == 1

    story(tmp_path, play)


def test_rollback_and_delete(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        for text in ("one", "two", "three"):
            await bench.deploy(text)
        assert (await bench.control.rollback("hello")).number == 2
        assert (await bench.control.rollback("hello", 3)).number == 3
        with pytest.raises(BadRequest):
            await bench.control.rollback("hello", 3)
        function = bench.control.function("hello")
        assert (function.current, [one.number for one in function.revisions]) == (3, [1, 2, 3])
        await bench.delete()
        assert bench.directories() == []
        assert isinstance(bench.heard[-1], Deleted)
        with pytest.raises(NotFound):
            await bench.control.delete("hello")
        *_, done = await bench.deploy("again")
        assert isinstance(done, Done)
        assert done.revision.id == "hello@4"

    story(tmp_path, play)


def test_code_of_old_revisions_goes_when_they_are_no_longer_kept(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        for number in range(13):
            await bench.deploy(f"text {number}")
        assert len(bench.directories()) == 10

    story(tmp_path, play)


def test_code_that_still_runs_stays_until_it_ends(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await bench.deploy()
        bench.worker.held = bench.checked[:1]
        await bench.delete()
        assert len(bench.directories()) == 1
        bench.worker.held = []
        await bench.deploy("bad")
        assert bench.directories() == []

    story(tmp_path, play)


def test_a_disk_that_takes_no_code_is_told_of_as_such(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.control.state.tmp.rmdir()
        *_, refused = await bench.deploy()
        assert isinstance(refused, Refused)
        assert refused.code == "state_unavailable"
        assert str(tmp_path) in refused.message

    story(tmp_path, play)


def test_hundreds_of_functions_come_and_go_without_a_trace(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for number in range(300):
            *_, done = await bench.deploy(str(number), name=f"f{number % 7}")
            assert isinstance(done, Done)
            await bench.delete(f"f{number % 7}")
        assert bench.directories() == []
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        assert len(asyncio.all_tasks()) <= 2  # this one, and the watch over tokens
        assert bench.control.core.changes.turns.by_function == {}

    story(tmp_path, play)

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from attacca.control.core.stored import FUNCTIONS, Function
from attacca.control.deploy.artefacts import ARTEFACTS, PIECE_BYTES, PIECES, Artefacts
from attacca.control.deploy.state import StateDir
from attacca.errors import NotFound, PayloadTooLarge, StateCorrupt
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import ABSENT
from attacca.kernel.clock import ManualClock
from attacca.model.function import PythonDirectory, Revision, Settings, Signature

CODE, BUNDLE = "c" * 40, "b" * 40


class Machine:
    def __init__(self, path: Path, most_mb: float = 8.0) -> None:
        self.state = StateDir(path)
        self.state.make()
        self.artefacts = Artefacts(self.state, most_mb)

    def write(self, root: Path, digest: str, **files: bytes) -> None:
        (root / digest / "inner").mkdir(parents=True)
        for name, content in files.items():
            (root / digest / "inner" / f"{name}.py").write_bytes(content)
            os.utime(root / digest / "inner" / f"{name}.py", (1000, 1000))


def play(tmp_path: Path, story: Callable[[MemoryStore, Machine, Machine], Awaitable[None]]) -> None:
    asyncio.run(_play(tmp_path, story))


async def _play(tmp_path: Path, story: Callable[[MemoryStore, Machine, Machine], Awaitable[None]]) -> None:
    await story(MemoryStore(ManualClock()), Machine(tmp_path / "one"), Machine(tmp_path / "other"))


@pytest.mark.long
def test_what_one_machine_has_saved_another_has_as_it_was(tmp_path: Path) -> None:
    async def story(store: MemoryStore, one: Machine, other: Machine) -> None:
        large = os.urandom(2 * PIECE_BYTES)
        one.write(one.state.code, CODE, main=b"def handle(): ...", data=large)
        one.write(one.state.bundles, BUNDLE, lib=b"x = 1")
        assert await one.artefacts.save(store, CODE) > len(large)
        await one.artefacts.save(store, BUNDLE)
        assert await one.artefacts.save(store, CODE) == 0, "it is there already"
        for digest in (CODE, BUNDLE):
            await asyncio.gather(*[other.artefacts.ensure(store, digest) for _ in range(3)])
        came = other.state.code / CODE / "inner" / "data.py"
        assert came.read_bytes() == large
        assert came.stat().st_mtime == 1000, "compiled modules go by it"
        assert (other.state.bundles / BUNDLE / "inner" / "lib.py").is_file()
        assert repr(other.artefacts) == "<Artefacts 2 fetched, 0 on their way>"

    play(tmp_path, story)


def test_what_is_too_large_is_refused_before_it_is_written(tmp_path: Path) -> None:
    async def story(store: MemoryStore, one: Machine, _: Machine) -> None:
        small = Machine(one.state.path, most_mb=0.1)
        one.write(one.state.code, CODE, data=os.urandom(200 << 10))
        with pytest.raises(PayloadTooLarge) as caught:
            await small.artefacts.save(store, CODE)
        assert "control.artefact_mb" in caught.value.hint
        assert await store.scan("") == []

    play(tmp_path, story)


def test_what_is_not_there_or_not_whole_is_said_to_be_so(tmp_path: Path) -> None:
    async def story(store: MemoryStore, one: Machine, other: Machine) -> None:
        with pytest.raises(NotFound):
            await other.artefacts.ensure(store, CODE)
        one.write(one.state.code, CODE, main=b"")
        await one.artefacts.save(store, CODE)
        piece = (await store.scan(PIECES))[0]
        await store.put_if(piece.key, piece.value[:-1], None)
        with pytest.raises(StateCorrupt):
            await other.artefacts.ensure(store, CODE)
        await store.put_if(ARTEFACTS + CODE, b'{"kind":"../..","pieces":1,"size":1,"sha256":""}', None)
        with pytest.raises(StateCorrupt):
            await other.artefacts.ensure(store, CODE)
        assert not other.artefacts.has(CODE)

    play(tmp_path, story)


def test_what_nobody_needs_goes(tmp_path: Path) -> None:
    async def story(store: MemoryStore, one: Machine, _: Machine) -> None:
        for digest in (CODE, BUNDLE):
            one.write(one.state.code, digest, main=b"")
            await one.artefacts.save(store, digest)
        assert await one.artefacts.sweep(store, {CODE}) == 1
        assert [entry.key for entry in await store.scan(ARTEFACTS)] == [ARTEFACTS + CODE]
        assert all(CODE in entry.key for entry in await store.scan(PIECES))

    play(tmp_path, story)


def test_whatever_is_deployed_comes_by_itself(tmp_path: Path) -> None:
    async def story(store: MemoryStore, one: Machine, other: Machine) -> None:
        one.write(one.state.code, CODE, main=b"")
        await one.artefacts.save(store, CODE)
        settings = Settings(name="f")
        revision = Revision(
            function="f", number=1, settings=settings, handler="main.handle", signature=Signature.EVENT_CONTEXT,
            artefact=PythonDirectory(CODE),
        )  # fmt: skip
        gone = msgspec.structs.replace(revision, number=2, artefact=PythonDirectory(BUNDLE))
        mirror = asyncio.create_task(other.artefacts.mirror(store))
        await store.put_if(FUNCTIONS + "f", msgspec.json.encode(Function("f", 1, 2, (revision, gone))), ABSENT)
        await store.put_if(FUNCTIONS + "broken", b"{", ABSENT)
        async with asyncio.timeout(10):
            while not other.artefacts.has(CODE):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0)
        assert not mirror.done()
        mirror.cancel()

    play(tmp_path, story)

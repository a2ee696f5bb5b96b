"""Compiled modules are made once, kept, and thrown away where they are of no use."""

import asyncio
from pathlib import Path

import pytest

from attacca.errors import AttaccaError, BadFunction
from attacca.worker.runtime.wasm import modules
from attacca.worker.runtime.wasm.modules import Modules, maker
from tests.logged import Logged

CODE = "ab" * 32


class Compiler:
    """It has made nothing before so many have asked."""

    def __init__(self, at_once: int = 1) -> None:
        self.asked: list[bytes] = []
        self._at_once, self._all_have = at_once, asyncio.Event()

    async def compile(self, source: bytes) -> bytes:
        self.asked.append(source)
        if len(self.asked) >= self._at_once:
            self._all_have.set()
        await self._all_have.wait()
        if source == b"bad":
            raise BadFunction("it cannot be compiled", "mend it")
        return b"compiled " + source


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for digest, source in ((CODE, b"source"), ("bad", b"bad")):
        (tmp_path / "code" / digest).mkdir(parents=True)
        (tmp_path / "code" / digest / "x.wasm").write_bytes(source)
    return tmp_path


def test_a_module_is_compiled_once_and_found_again(place: Path) -> None:
    compiler = Compiler()

    def made() -> Modules:
        return Modules(place / "code", place / "wasm", compiler.compile)

    async def story() -> None:
        first, second = made(), made()
        assert first.held(CODE) is None
        both = await asyncio.gather(first.bring(CODE), first.bring(CODE))
        assert set(both) == {b"compiled source"}
        assert first.held(CODE) == b"compiled source"
        assert repr(first) == "<Modules 1 held, 15 bytes, 0 on their way>"
        assert await second.bring(CODE) == b"compiled source"
        assert compiler.asked == [b"source"], "another server finds what was made"
        second.drop(CODE)
        assert second.held(CODE) is None
        await second.bring(CODE)
        assert compiler.asked == [b"source"] * 2

    asyncio.run(story())
    assert (place / "wasm").stat().st_mode & 0o77 == 0, "nobody else writes there"
    assert [file.name for file in (place / "wasm").iterdir()] == [f"{CODE}-{maker()}"]


def test_what_a_disk_has_spoilt_is_made_anew(place: Path, logged: Logged) -> None:
    compiler = Compiler()

    async def story() -> None:
        for spoilt in (b"", b"compiled sourcf", b"\0" * 31):
            await Modules(place / "code", place / "wasm", compiler.compile).bring(CODE)
            (file,) = (place / "wasm").iterdir()
            assert file.read_bytes() != spoilt
            file.write_bytes(spoilt)
            made = Modules(place / "code", place / "wasm", compiler.compile)
            assert await made.bring(CODE) == b"compiled source"

    asyncio.run(story())
    assert len(compiler.asked) == 4
    assert len(logged.messages) == 3
    assert all("is not what was put there" in one for one in logged.messages)


def test_workers_that_make_the_same_are_in_nobodys_way(place: Path) -> None:
    compiler = Compiler(4)

    async def story() -> None:
        many = [Modules(place / "code", place / "wasm", compiler.compile) for _ in range(4)]
        assert {*await asyncio.gather(*(one.bring(CODE) for one in many))} == {b"compiled source"}
        assert await Modules(place / "code", place / "wasm", compiler.compile).bring(CODE) == b"compiled source"

    asyncio.run(story())
    assert len(compiler.asked) == 4
    assert len(list((place / "wasm").iterdir())) == 1


def test_what_cannot_be_made_is_not_kept(place: Path) -> None:
    compiler = Compiler()
    made = Modules(place / "code", place / "wasm", compiler.compile)

    async def story() -> None:
        for digest, says in (("bad", "cannot be compiled"), ("none", "is not there"), ("bad", "cannot be compiled")):
            with pytest.raises(AttaccaError, match=says):
                await made.bring(digest)

    asyncio.run(story())
    assert compiler.asked == [b"bad", b"bad"]
    assert repr(made) == "<Modules 0 held, 0 bytes, 0 on their way>"


def test_the_oldest_give_way(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MEMORY_BYTES", 20)
    monkeypatch.setattr(modules, "DISK_BYTES", 20)
    (place / "code" / "second").mkdir()
    (place / "code" / "second" / "y.wasm").write_bytes(b"source")
    made = Modules(place / "code", place / "wasm", Compiler().compile)

    async def story() -> None:
        await made.bring(CODE)
        await made.bring("second")

    asyncio.run(story())
    assert made.held(CODE) is None
    assert made.held("second") == b"compiled source"
    assert [file.name for file in (place / "wasm").iterdir()] == [f"second-{maker()}"]

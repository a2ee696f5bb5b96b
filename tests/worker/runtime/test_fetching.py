"""Starts wait for their code; what comes is whole, and is what was asked for."""

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from attacca.errors import SecretMissing
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.model.function import PythonDirectory, Revision, SecretAs, Settings, Signature
from attacca.model.invocation import Failed
from attacca.model.supplies import AskPiece, AskSecrets, Piece, SecretChanged, SecretsTold
from attacca.worker.core.reports import Report, SandboxFailed, TemplateFailed
from attacca.worker.runtime.code_cache import CodeCache
from attacca.worker.runtime.fetching import Fetching
from attacca.worker.runtime.supplies import Supplies
from tests.logged import Logged

pytestmark = pytest.mark.long  # files are written and read

PIECE = 2000
N = TypeVar("N")


def packed(text: bytes) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("main.py")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return whole.getvalue()


class Noted(list[N]):
    """Whoever waits for news hears of what is added."""

    def __init__(self, news: asyncio.Event) -> None:
        super().__init__()
        self.news = news

    def append(self, one: N) -> None:
        super().append(one)
        self.news.set()


class Inner:
    """A runtime that notes what it is asked for."""

    has_events = True

    def __init__(self, news: asyncio.Event) -> None:
        self.asked = Noted[str](news)

    async def open(self, sink: Callable[[Report], None]) -> None:
        self.sink = sink

    async def close(self) -> None:
        self.asked.append("close")

    def make_template(self, template: str, _: Revision) -> None:
        self.asked.append(f"make {template}")

    def drop_template(self, template: str) -> None:
        self.asked.append(f"drop {template}")

    def make_sandbox(self, sandbox: str, _: Revision, template: str | None) -> None:
        self.asked.append(f"make {sandbox} of {template}")

    def kill(self, sandbox: str) -> None:
        self.asked.append(f"kill {sandbox}")

    def run(self, *_: object) -> None: ...
    def stop(self, *_: object) -> None: ...
    def body(self, *_: object) -> None: ...
    def flow(self, *_: object) -> None: ...
    def tell(self, *_: object) -> None: ...
    def leave(self, *_: object) -> None: ...


class Bench:
    """A fetching runtime, and a control that has `there`, and answers when `is_there`."""

    def __init__(self, directory: Path, limit_bytes: int = 1 << 20) -> None:
        self.there: dict[str, bytes] = {}
        self.secrets: dict[str, bytes] = {}
        self.asked: list[AskPiece | AskSecrets] = []
        self.garble: Callable[[Piece], Piece] = lambda piece: piece
        self.is_there = True
        self.news = asyncio.Event()
        self.inner = Inner(self.news)
        self.reports = Noted[Report](self.news)
        self.held: set[str] = set()
        self.cache = CodeCache(directory, limit_bytes)
        self.cache.open()
        self.supplies = Supplies(self.cache, self._answer)
        self.runtime = Fetching(self.inner, self.supplies, ManualClock(), lambda: self.held)

    def _answer(self, question: AskPiece | AskSecrets) -> None:
        self.asked.append(question)
        self.news.set()
        if self.is_there:
            asyncio.get_running_loop().call_soon(self.answer, question)

    def answer(self, question: AskPiece | AskSecrets) -> None:
        if isinstance(question, AskSecrets):
            names = [name for name in question.names if name in self.secrets]
            self.supplies.hear(SecretsTold(question.id, {name: self.secrets[name] for name in names}))
            return
        whole = self.there.get(question.digest)
        if whole is None:
            self.supplies.hear(Piece(question.id, error=Failed("start_failed", "it is gone", "")))
            return
        data = whole[question.offset : question.offset + PIECE]
        self.supplies.hear(self.garble(Piece(question.id, data, len(whole), hashlib.sha256(whole).hexdigest())))

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not found():
                self.news.clear()
                await self.news.wait()


def tried(tmp_path: Path, story: Callable[[Bench], Awaitable[None]], limit_bytes: int = 1 << 20) -> None:
    async def main() -> None:
        bench = Bench(tmp_path, limit_bytes)
        await bench.runtime.open(bench.reports.append)
        await story(bench)
        await bench.runtime.close()

    asyncio.run(main())


def revision(code: str, *secrets: str) -> Revision:
    return Revision(
        function="f",
        number=1,
        settings=Settings(name="f", secrets=dict.fromkeys(secrets, SecretAs.ENV)),
        handler="main:f",
        signature=Signature.EVENT,
        artefact=PythonDirectory(code),
    )


def test_code_comes_in_pieces_once_for_all_who_wait(tmp_path: Path) -> None:
    text = Streams(1).stream("text").randbytes(9000)

    async def story(bench: Bench) -> None:
        bench.there["aa"] = packed(text)
        bench.runtime.make_template("t", revision("aa"))
        bench.runtime.make_sandbox("s", revision("aa"), None)
        assert repr(bench.runtime).startswith(
            "<Fetching 2 starts wait for <Supplies 0 fetched now, 0 asked for, 0 secrets,"
        )
        await bench.until(lambda: len(bench.inner.asked) == 2)
        assert bench.inner.asked == ["make t", "make s of None"]
        assert (bench.cache.code / "aa" / "main.py").read_bytes() == text
        offsets = [question.offset for question in bench.asked if isinstance(question, AskPiece)]
        assert offsets == list(range(0, len(bench.there["aa"]), PIECE))
        bench.runtime.make_sandbox("s2", revision("aa"), "t")
        assert bench.inner.asked[-1] == "make s2 of t", "what is there is not waited for"

    tried(tmp_path, story)


def test_what_a_control_was_asked_that_is_gone_the_next_is_asked(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.is_there = False
        bench.there["aa"], bench.secrets = packed(b"x"), {"DB": b"one"}
        bench.runtime.make_sandbox("s", revision("aa", "DB"), None)
        await bench.until(lambda: len(bench.asked) == 1)
        assert " 1 fetched now, 1 asked for, 0 secrets," in repr(bench.supplies)
        bench.is_there = True
        bench.supplies.ask_again()
        await bench.until(lambda: bench.inner.asked != [])
        assert bench.asked[0] == bench.asked[1]
        before = len(bench.asked)
        bench.supplies.ask_again()
        assert len(bench.asked) == before, "nothing is asked again that was answered"

    tried(tmp_path, story)


@pytest.mark.parametrize("wrong", ["data", "sha256", "size"])
def test_what_is_not_what_control_packed_is_thrown_away(tmp_path: Path, wrong: str) -> None:
    def garbled(piece: Piece) -> Piece:
        data = bytes(len(piece.data)) if wrong == "data" else piece.data
        size = piece.size + 1 if wrong == "size" else piece.size
        return Piece(piece.id, data, size, "0" * 64 if wrong == "sha256" else piece.sha256)

    async def story(bench: Bench) -> None:
        bench.there["aa"], bench.garble = packed(b"x"), garbled
        bench.runtime.make_sandbox("s", revision("aa"), None)
        await bench.until(lambda: bench.reports != [])
        [failed] = bench.reports
        assert isinstance(failed, SandboxFailed)
        assert "not what control packed" in failed.message
        assert list(bench.cache.tmp.iterdir()) == list(bench.cache.code.iterdir()) == []
        assert bench.inner.asked == []

    tried(tmp_path, story)


def test_what_is_not_to_be_had_is_a_start_that_failed(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.runtime.make_template("t", revision("aa"))
        await bench.until(lambda: bench.reports != [])
        assert bench.reports == [TemplateFailed("t", "start_failed", "it is gone")]

    tried(tmp_path, story)


def test_a_start_ends_whatever_is_wrong_with_its_code(tmp_path: Path, logged: Logged) -> None:
    async def story(bench: Bench) -> None:
        def broken(packed: Path, kind: str, digest: str) -> None:
            raise TypeError("no such word")

        bench.there["aa"], bench.cache.unpack = packed(b"x"), broken  # type: ignore[method-assign]  # what nobody foresaw
        bench.runtime.make_template("t", revision("aa"))
        await bench.until(lambda: bench.reports != [])
        [failed] = bench.reports
        assert isinstance(failed, TemplateFailed)
        assert (failed.code, failed.message) == ("start_failed", "the code of f@1 did not come: no such word")
        assert repr(bench.runtime).startswith("<Fetching 0 starts wait")

    tried(tmp_path, story)
    assert logged.messages == ["bug: the code of f@1 did not come"]


def test_who_is_given_up_while_it_waits_ends_once_and_never_begins(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.is_there = False
        bench.runtime.make_sandbox("s", revision("aa"), None)
        bench.runtime.make_template("t", revision("aa"))
        await bench.until(lambda: bench.asked != [])
        bench.runtime.kill("s")
        bench.runtime.drop_template("t")
        bench.runtime.kill("other")
        await bench.until(lambda: len(bench.reports) == 2)
        assert bench.inner.asked == ["kill other"]

    tried(tmp_path, story)


def test_the_value_of_a_secret_is_kept_until_it_changes(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.there["aa"], bench.secrets = packed(b"x"), {"DB": b"one"}
        wants = revision("aa", "DB")
        bench.runtime.make_sandbox("s1", wants, None)
        await bench.until(lambda: len(bench.inner.asked) == 1)
        assert bench.supplies.secret("DB") == b"one"
        bench.runtime.make_sandbox("s2", wants, None)
        assert len(bench.inner.asked) == 2
        bench.secrets["DB"] = b"two"
        bench.supplies.hear(SecretChanged("DB"))
        with pytest.raises(SecretMissing):
            bench.supplies.secret("DB")
        bench.runtime.make_sandbox("s3", wants, None)
        await bench.until(lambda: len(bench.inner.asked) == 3)
        assert bench.supplies.secret("DB") == b"two"
        del bench.secrets["DB"]
        bench.supplies.forget_secrets()
        bench.runtime.make_sandbox("s4", wants, None)
        await bench.until(lambda: bench.reports != [])
        [failed] = bench.reports
        assert isinstance(failed, SandboxFailed)
        assert failed.code == "secret_missing"

    tried(tmp_path, story)


def test_what_nobody_uses_goes_when_something_else_comes(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        for name in ("aa", "bb", "cc"):
            bench.there[name] = packed(bytes(6000))
            bench.runtime.make_sandbox(name, revision(name), None)
            await bench.until(lambda name=name: f"make {name} of None" in bench.inner.asked)  # type: ignore[misc]
            bench.held = {"aa"}
        assert sorted(one.name for one in bench.cache.code.iterdir()) == ["aa", "cc"]
        assert repr(bench.cache).endswith("<CacheBook 2 entries, 12000 of 13000 bytes>>")
        again = CodeCache(bench.cache.code.parent, 13_000)
        again.open()
        assert again.has("aa")
        assert again.has("cc")

    tried(tmp_path, story, 13_000)


def test_a_cache_says_what_it_holds(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 100)
    assert repr(cache) == f"<CodeCache {tmp_path}: {cache.book!r}>"

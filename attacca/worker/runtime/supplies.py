"""How code, bundles and secrets come from control to a worker apart: asked for by name, in pieces, and verified."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from attacca.errors import AttaccaError, SecretMissing, StartFailed, Unreachable
from attacca.model.function import Image, PodImage, PythonDirectory, Revision, WasmFunction, WasmModule
from attacca.model.supplies import STOCK_MOST, AskPiece, AskSecrets, Piece, SecretChanged, SecretsTold, Stock
from attacca.worker.runtime.code_cache import BUNDLES, CODE, CodeCache
from attacca.worker.runtime.image_supplies import ImageSupplies

ANSWER_S = 10.0  # one question is asked anew after this long without an answer
ASKED_MOST = 3
LARGEST_BYTES = 8 << 30  # of one tar: more is nonsense
Answer = Piece | SecretsTold


class Supplies:
    """`send` tells control. Values of secrets are in memory only, until they change or control comes anew."""

    def __init__(
        self, cache: CodeCache, send: Callable[[AskPiece | AskSecrets], None], images: ImageSupplies | None = None
    ) -> None:
        """`images`: where those of containers come to, if anything runs them."""
        self.cache, self.images = cache, images
        self.changed: Callable[[], None] = lambda: None  # told when something has come or gone
        self._send = send
        self._count = 0
        self._asked: dict[str, tuple[AskPiece | AskSecrets, asyncio.Future[Answer]]] = {}  # by the question's id
        self._fetches: dict[str, asyncio.Task[None]] = {}  # by digest
        self._values: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return (
            f"<Supplies {len(self._fetches)} fetched now, {len(self._asked)} asked for, {len(self._values)} secrets, "
            f"{self.cache!r}>"
        )

    def hear(self, message: Answer | SecretChanged) -> None:
        if isinstance(message, SecretChanged):
            self._values.pop(message.name, None)
            return
        _, answer = self._asked.get(message.id, (None, None))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def forget_secrets(self) -> None:
        """Control is there anew, and may have changed them meanwhile."""
        self._values.clear()

    def ask_again(self) -> None:
        """Another control is there, or the same anew, and may never have heard what was asked."""
        for question, answer in self._asked.values():
            if not answer.done():
                self._send(question)

    def secret(self, name: str) -> bytes:
        """
        Raises:
            SecretMissing: control has none of that name.
        """
        value = self._values.get(name)
        if value is None:
            raise SecretMissing(f"the secret {name} is not set", f"attacca secret set {name}")
        return value

    def has(self, revision: Revision) -> bool:
        """Could it be started now?"""
        has = self.cache.has if self.images is None or not isinstance(revision.artefact, Image) else self.images.has
        is_there = all(has(digest) for digest in revision.artefact.digests)
        return is_there and all(name in self._values for name in revision.settings.secrets)

    def stock(self, worker: str) -> Stock:
        """What is here, of more than can be told the latest."""
        images = [] if self.images is None else self.images.whole()
        return Stock(worker, tuple([*self.cache.book.sizes, *images][-STOCK_MOST:]))

    def use(self, revision: Revision) -> None:
        if not isinstance(revision.artefact, Image):
            for digest in revision.artefact.digests:
                self.cache.use(digest)

    async def bring(self, revision: Revision, held: Callable[[], Collection[str]]) -> None:
        """Until it could be started.

        Raises:
            StartFailed, Unreachable: something of it is not to be had.
            SecretMissing: see `secret`.
        """
        await self.bring_code(revision, held)
        names = [name for name in revision.settings.secrets if name not in self._values]
        if names:
            told = await self._ask(lambda name: AskSecrets(name, tuple(names)))
            assert isinstance(told, SecretsTold)
            self._values.update(told.values)
            for name in names:
                self.secret(name)

    async def bring_code(self, revision: Revision, held: Callable[[], Collection[str]]) -> None:
        """All but its secrets.

        Raises:
            StartFailed, Unreachable: something of it is not to be had.
        """
        artefact = revision.artefact
        if isinstance(artefact, Image):
            assert self.images is not None, "nothing runs it"
            if not self.images.has(artefact.digest):
                await self.images.bring(artefact.digest, held)
                self.changed()
        else:
            known = PythonDirectory | PodImage | WasmModule | WasmFunction
            assert isinstance(artefact, known), "nothing else is made yet"
            for kind, digest in zip((CODE, BUNDLES), artefact.digests, strict=False):
                if not self.cache.has(digest):
                    await asyncio.shield(self._fetch(kind, digest, held))

    async def close(self) -> None:
        if self.images is not None:
            await self.images.close()
        tasks = list(self._fetches.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fetch(self, kind: str, digest: str, held: Callable[[], Collection[str]]) -> "asyncio.Task[None]":
        task = self._fetches.get(digest)
        if task is None:
            task = self._fetches[digest] = asyncio.get_running_loop().create_task(self._load(kind, digest, held))
            task.add_done_callback(lambda _: self._fetches.pop(digest))
        return task

    async def _load(self, kind: str, digest: str, held: Callable[[], Collection[str]]) -> None:
        packed = await self.download(digest)
        try:
            await asyncio.to_thread(self.cache.unpack, packed, kind, digest)
        except (OSError, AttaccaError) as error:
            raise StartFailed(f"{digest[:12]} cannot be kept: {error}", "free space on the worker's disk") from None
        self.cache.keep(kind, digest)
        await asyncio.to_thread(self.cache.make_room, {digest, *self._fetches, *held()})
        self.changed()

    async def download(self, digest: str) -> Path:
        """The whole of it, as control has packed it."""
        handle, name = tempfile.mkstemp(dir=self.cache.tmp)
        whole, size = hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                while True:
                    piece = await self._piece(digest, size)
                    file.write(piece.data)
                    whole.update(piece.data)
                    size += len(piece.data)
                    if size >= piece.size or not piece.data:
                        break
            if size != piece.size or whole.hexdigest() != piece.sha256:
                raise StartFailed(f"{digest[:12]} came as {size} bytes that are not what control packed", "try again")
        except BaseException:
            os.unlink(name)
            raise
        return Path(name)

    async def _piece(self, digest: str, offset: int) -> Piece:
        piece = await self._ask(lambda name: AskPiece(name, digest, offset))
        assert isinstance(piece, Piece)
        if piece.error is not None:
            raise StartFailed(piece.error.message, piece.error.hint)
        if piece.size > LARGEST_BYTES:
            raise StartFailed(f"{digest[:12]} is said to have {piece.size} bytes", "deploy less")
        return piece

    async def _ask(self, question: Callable[[str], AskPiece | AskSecrets]) -> Answer:
        """
        Raises:
            Unreachable: control does not answer.
        """
        for _ in range(ASKED_MOST):
            self._count += 1
            name = str(self._count)
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            asked = question(name)
            self._asked[name] = asked, answer
            try:
                self._send(asked)
                async with asyncio.timeout(ANSWER_S):
                    return await answer
            except TimeoutError:
                continue
            finally:
                del self._asked[name]
        raise Unreachable("control does not answer this worker", "attacca status")


def digests(revisions: Iterable[Revision]) -> set[str]:
    return {digest for one in revisions for digest in one.artefact.digests}

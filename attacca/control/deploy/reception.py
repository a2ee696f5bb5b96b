"""Where an upload arrives: the archive goes to the disk piece by piece, a few at a time, and nothing is kept of it."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from attacca.control.core.form import HINT, Began, Event, Form, Over, Piece, boundary_of
from attacca.errors import BadRequest, PayloadTooLarge, StateUnavailable, TooManyDeployments

WAIT_S = 30.0  # for one of the others to end
WAITING_MOST = 64
FIELD_KB = {"settings": 256, "allow_source_builds": 1}
CODE = "code"


class Upload:
    """What has arrived. Its file has no name on the disk, so that nothing is left of it however the server ends."""

    def __init__(self, code: IO[bytes], slots: asyncio.Semaphore | None = None) -> None:
        self._slots = slots
        self.code = code
        self.fields: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Upload {len(self.fields)} fields, {'closed' if self.code.closed else 'open'}>"

    def close(self) -> None:
        self.code.close()
        if self._slots is not None:
            self._slots.release()
            self._slots = None


class Reception:
    """`most` uploads at once, from their first byte until they are unpacked; who comes beyond waits a while."""

    def __init__(self, directory: Path, most: int, code_mb: int, wait_s: float = WAIT_S) -> None:
        self._directory = directory
        self._most = most
        self._code_mb = code_mb
        self._wait_s = wait_s
        self._slots = asyncio.Semaphore(most)
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<Reception at most {self._most} at once{', all taken' * self._slots.locked()}, {self._waiting} wait>"

    async def take(
        self, body: AsyncIterator[bytes], content_type: str, wanted: tuple[str, ...] = ("settings", CODE)
    ) -> Upload:
        """The caller closes it. `wanted`: the fields that must be there.

        Raises:
            TooManyDeployments: none of the others has ended in the meantime.
            BadRequest, PayloadTooLarge: it is not what a deployment consists of.
            StateUnavailable: the disk does not take it.
        """
        form = Form(boundary_of(content_type))
        await self._enter()
        with contextlib.ExitStack() as undo:
            undo.callback(self._slots.release)
            try:
                upload = Upload(tempfile.TemporaryFile(dir=self._directory), self._slots)  # noqa: SIM115 - see Upload
                undo.pop_all()
                undo.callback(upload.close)
                await self._fill(upload, body, form, wanted)
            except OSError as error:
                raise StateUnavailable(
                    f"the server cannot keep the upload in {self._directory}: {error.strerror or error}",
                    "free space there, or check its mode, and deploy again",
                ) from None
            undo.pop_all()
        return upload

    async def _enter(self) -> None:
        hint = "try again in a moment, or set control.uploads higher"
        if self._waiting >= WAITING_MOST:
            raise TooManyDeployments(f"{WAITING_MOST} deployments wait already to be uploaded", hint)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._slots.acquire()
        except TimeoutError:
            many = f"{self._most} deployments are being uploaded and unpacked, and none of them has ended"
            raise TooManyDeployments(f"{many} within {self._wait_s:g} s", hint) from None
        finally:
            self._waiting -= 1

    async def _fill(self, upload: Upload, body: AsyncIterator[bytes], form: Form, wanted: tuple[str, ...]) -> None:
        fields = _Fields(self._code_mb, wanted)
        async for data in body:
            events = form.feed(data)
            code = b"".join([piece for event in events if (piece := fields.take(event))])
            if code:
                await asyncio.to_thread(upload.code.write, code)
        form.end()
        upload.fields = fields.fields()
        await asyncio.to_thread(upload.code.seek, 0)


class _Fields:
    """Sorts what comes: each field once, none too large."""

    def __init__(self, code_mb: int, wanted: tuple[str, ...]) -> None:
        self._wanted = wanted
        self._most = {**{name: size << 10 for name, size in FIELD_KB.items()}, CODE: code_mb << 20}
        self._parts: dict[str, bytearray] = {}
        self._sizes: dict[str, int] = {}
        self._open = ""

    def take(self, event: Event) -> bytes:
        """What belongs to the archive."""
        match event:
            case Began(name):
                if name not in self._most or name in self._sizes:
                    known = ", ".join(self._most)
                    what = "comes twice" if name in self._sizes else f"is not one of {known}"
                    raise BadRequest(f"the field {name[:80]!r} of the body {what}", HINT)
                self._open, self._sizes[name] = name, 0
                self._parts[name] = bytearray()
            case Piece(data):
                self._sizes[self._open] += len(data)
                self._expect_no_more(self._open)
                if self._open == CODE:
                    return data
                self._parts[self._open] += data
            case Over():
                self._open = ""
        return b""

    def fields(self) -> dict[str, str]:
        missing = [name for name in self._wanted if name not in self._sizes]
        if missing:
            raise BadRequest(f"the body has no field {missing[0]}", HINT)
        try:
            return {name: part.decode() for name, part in self._parts.items() if name != CODE}
        except UnicodeDecodeError:
            raise BadRequest("a field of the body is not UTF-8", HINT) from None

    def _expect_no_more(self, name: str) -> None:
        if self._sizes[name] <= self._most[name]:
            return
        if name == CODE:
            raise PayloadTooLarge(
                f"the archive is over {self._most[name] >> 20} MB", "list what is not needed in .attaccaignore"
            )
        raise PayloadTooLarge(f"the field {name} of the body is over {self._most[name] >> 10} KB", HINT)

"""`file-pusher`: the files of a directory of the node's, one after the other and over again, as events."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path

from attacca.errors import StateUnavailable
from attacca.model.events import EVENT_BYTES
from attacca.workflow.resources.types import Host, Unable, below, is_set, number

OUTPUT = "out"


class FilePusher:
    """`directory`, below the node's for such files, `pushed` where nothing is said; `period-ms`; `encode-base64`."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._directory = below(host.directory, configuration.get("directory", "pushed"))
        self._period_s = number(configuration, "period-ms", 1000, 1, 86_400_000) / 1000
        self._is_encoded = is_set(configuration, "encode-base64")
        self._host = host
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<FilePusher {self._count} files pushed>"

    async def open(self, self_id: str, workflow: str) -> None:
        if not await asyncio.to_thread(self._files):
            raise StateUnavailable(f"there is no file in {self._directory}", "put some there, on the node")
        self._task = asyncio.get_running_loop().create_task(self._push())

    def _files(self) -> list[Path]:
        return sorted(one for one in self._directory.glob("*") if one.is_file() and one.stat().st_size <= EVENT_BYTES)

    async def _push(self) -> None:
        """What is there is looked at anew each time round."""
        while True:
            files = await asyncio.to_thread(self._files)
            for file in files or [self._directory]:
                data = await asyncio.to_thread(_read, file)
                if data:
                    self._host.cast(OUTPUT, base64.b64encode(data) if self._is_encoded else data)
                    self._count += 1
                await asyncio.sleep(self._period_s)

    async def cast(self, source: str, data: bytes) -> None:
        raise Unable("a file-pusher takes no events", "it has the output out")

    async def call(self, source: str, data: bytes) -> bytes | None:
        raise Unable("a file-pusher takes no events", "it has the output out")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # it was there a moment ago

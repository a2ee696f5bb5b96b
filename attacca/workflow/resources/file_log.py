"""`file-log`: appends a line for each event to a file of the node's."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from attacca.errors import StateUnavailable
from attacca.workflow.resources.types import Host, below, field, is_set


class FileLog:
    """`filename`, below the node's directory for such files; `add-timestamp`, `add-source-id`: before each line."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        name = field(configuration, "filename", "file-log")
        self._name = name
        self._has_time, self._has_source = (
            is_set(configuration, "add-timestamp"),
            is_set(configuration, "add-source-id"),
        )
        self._path, self._wall = below(host.directory, name), host.wall
        self._lines = 0

    def __repr__(self) -> str:
        return f"<FileLog {self._name}, {self._lines} lines>"

    async def open(self, self_id: str, workflow: str) -> None:
        await asyncio.to_thread(self._append, b"")

    async def cast(self, source: str, data: bytes) -> None:
        stamp = datetime.fromtimestamp(self._wall(), UTC).isoformat() + " " if self._has_time else ""
        whose = source + " " if self._has_source else ""
        await asyncio.to_thread(self._append, f"{stamp}{whose}".encode() + data + b"\n")
        self._lines += 1

    async def call(self, source: str, data: bytes) -> bytes | None:
        await self.cast(source, data)
        return b""

    async def close(self) -> None: ...

    def _append(self, data: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(data)
        except OSError as error:
            what = f"{self._path} cannot be written: {error.strerror or error}"
            raise StateUnavailable(what, "free space there, or check its mode") from None

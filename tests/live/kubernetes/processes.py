"""Pods that are no more than processes of this machine, each with an address of its own: 127.1.0.1, 127.1.0.2, ..."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.live.python_image import PROGRAM

PIECE = 65_536


class ProcessPod:
    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process, self.address = process, address
        self.printed, self.news = bytearray(), asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    def __repr__(self) -> str:
        return f"<ProcessPod {self._process.pid} at {self.address}>"

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(PIECE):
            self.printed += data
            news, self.news = self.news, asyncio.Event()
            news.set()

    async def ended(self) -> tuple[int, str]:
        status = await self._process.wait()
        await asyncio.shield(self._reading)
        return (status if status >= 0 else 128 - status), ("Error" if status else "Completed")

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading


class Processes:
    """Implements `kubelet.Starter`: every image is that program, at first the one of `python_image`."""

    def __init__(self, directory: Path, net: str = "127.1", program: str = PROGRAM) -> None:
        self._program, self._net = directory / "main.py", net
        self._program.write_text(program.replace('("", int', '(os.environ["HOST"], int'))
        self._count = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Processes at {self._net}>"

    async def start(self, pod: dict[str, Any], env: dict[str, str], files: dict[str, str]) -> ProcessPod:
        del pod, files
        number = next(self._count)
        address = f"{self._net}.{number // 250}.{number % 250 + 1}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(self._program),
            env={**env, "HOST": address, "PATH": os.environ["PATH"]},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        return ProcessPod(process, address)

"""Runs the tools of a deployment, pip and the bytecode compiler, in a process group of their own, within limits."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import msgspec

LINE_BYTES = 4096  # longer lines are cut


class Limits(msgspec.Struct, frozen=True):
    """None: no limit."""

    cpu_s: int | None = None
    memory_mb: int | None = None


class Exit:
    """Filled in when the process has ended; negative: by that signal."""

    status: int | None = None


async def run_lines(
    arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, limits: Limits, ended: Exit
) -> AsyncGenerator[str, None]:
    """What the process writes, line by line; when the reader stops, the process and its children are killed."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environment),
        cwd=cwd,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        _limit(process.pid, limits)
        rest = b""
        while piece := await process.stdout.read(64 * 1024):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield _text(line)
            rest = rest[:LINE_BYTES]
        if rest:
            yield _text(rest)
        ended.status = await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def compile_code(directory: Path, timeout_s: float) -> None:
    """Bytecode beside every module, never to be checked against its source; a module that does not compile has none."""
    arguments = (
        sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(directory),
    )  # fmt: skip
    limits = Limits(cpu_s=int(timeout_s) + 1, memory_mb=2048)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            output = run_lines(arguments, {"LANG": "C.UTF-8"}, directory, limits, Exit())
            async with contextlib.aclosing(output):
                async for _ in output:
                    pass


def _text(line: bytes) -> str:
    return line[:LINE_BYTES].decode(errors="replace").rstrip()


def _limit(pid: int, limits: Limits) -> None:
    wanted = {resource.RLIMIT_CORE: 0}
    if limits.cpu_s is not None:
        wanted[resource.RLIMIT_CPU] = limits.cpu_s
    if limits.memory_mb is not None:
        wanted[resource.RLIMIT_AS] = limits.memory_mb << 20
    for kind, value in wanted.items():
        with contextlib.suppress(ProcessLookupError, ValueError, PermissionError):
            resource.prlimit(pid, kind, (value, value))

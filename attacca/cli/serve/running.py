"""A plane in its process: opened, ready, drained by the first signal, ended at once by the second."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol

from attacca.cli.screens.terminal import say

COLLECT = 20_000, 20, 50  # an invocation leaves few cycles behind, and none that matters soon
KILLED = 130


class Plane(Protocol):
    """`open` either succeeds whole or leaves nothing behind."""

    async def open(self) -> None: ...
    async def drain(self) -> None:
        """Take nothing new, and let what runs finish."""

    async def close(self) -> None: ...


def run(plane: Plane, greet: Callable[[], None], *, has_lifeline: bool = False) -> int:
    """The exit code."""
    import uvloop

    from attacca.worker.host import turns

    take_open_files()
    turns.ask()
    return uvloop.run(serve(plane, greet, has_lifeline=has_lifeline))


def take_open_files() -> None:
    """As many descriptors as we may have: each connection needs one, each sandbox four."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve(plane: Plane, greet: Callable[[], None], *, has_lifeline: bool = False) -> int:
    """Until a signal comes, or whoever holds the other end of our standard input is gone; the exit code."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report)
    signals = Signals(loop)
    if has_lifeline:
        loop.add_reader(sys.stdin.fileno(), signals.lose_lifeline)
    opening = loop.create_task(plane.open())
    if await signals.comes_before(opening):
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return KILLED
    opening.result()
    try:
        # What exists now stays: modules, the catalogue, the joints between the planes. Out of the collector's sight
        # they are not walked again and again in the middle of invocations, which makes its full rounds short.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        greet()
        notify("READY=1")
        await signals.wait()
        notify("STOPPING=1")
        remark("Draining: what runs may finish; Ctrl-C again ends it at once.")
        draining = loop.create_task(plane.drain())
        is_killed = await signals.comes_before(draining)
        if is_killed:
            draining.cancel()
        else:
            draining.result()
    finally:
        await plane.close()
    remark("Killed." if is_killed else "Stopped; nothing is left running.")
    return KILLED if is_killed else 0


def notify(state: str) -> None:
    """Whoever started us and waits for that: sd_notify(3)."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where.startswith(("/", "@")):
        address = f"\0{where[1:]}" if where.startswith("@") else where
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
            said.sendto(state.encode(), address)


class Signals:
    """SIGINT, SIGTERM and SIGHUP, counted, so that each can be waited for. The third ends us on the spot."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Queue[int]()
        self._count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                loop.add_signal_handler(number, self._take, number)

    def __repr__(self) -> str:
        return f"<Signals {self._count} came>"

    def _take(self, number: int) -> None:
        self._count += 1
        if self._count > 2:
            os._exit(KILLED)
        self._came.put_nowait(number)

    def lose_lifeline(self) -> None:
        self._loop.remove_reader(sys.stdin.fileno())
        self._take(signal.SIGHUP)

    async def wait(self) -> None:
        await self._came.get()

    async def comes_before(self, task: "asyncio.Task[Any]") -> bool:
        """True when a signal comes first; False when the task has ended, well or badly."""
        waiting = asyncio.ensure_future(self._came.get())
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return True
        waiting.cancel()
        return False


def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A failure that nobody waits for must be seen."""
    logging.getLogger("attacca").error("%s", context["message"], exc_info=context.get("exception"))


def remark(text: str) -> None:
    with contextlib.suppress(OSError):
        say(text)

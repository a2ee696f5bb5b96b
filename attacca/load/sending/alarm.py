"""Sleep to a fraction of a millisecond inside an event loop, whose own timers only know whole ones."""

import asyncio
import contextlib
import ctypes
import os
import struct

CLOCK_MONOTONIC = 1
NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
SPEC = struct.Struct("qqqq")  # interval and value, each in seconds and nanoseconds


class Alarm:
    """A timerfd of Linux that the loop watches. One sleeper at a time."""

    def __init__(self) -> None:
        """Raises OSError where there is no such thing."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "timerfd_create"):
            raise OSError("this system has no timerfd")
        self._fd = self._libc.timerfd_create(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._waiter: asyncio.Future[None] | None = None
        asyncio.get_running_loop().add_reader(self._fd, self._ring)

    def __repr__(self) -> str:
        is_set = self._waiter is not None and not self._waiter.done()
        return f"<Alarm {'set' if is_set else 'not set'}, descriptor {self._fd}>"

    async def sleep(self, seconds: float) -> None:
        whole = int(seconds)
        spec = SPEC.pack(0, 0, whole, max(1, int((seconds - whole) * 1e9)))
        self._waiter = asyncio.get_running_loop().create_future()
        self._libc.timerfd_settime(self._fd, 0, spec, None)
        await self._waiter

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


def alarm() -> Alarm | None:
    try:
        return Alarm()
    except (OSError, AttributeError):
        return None

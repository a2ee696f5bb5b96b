"""A live process of ours: its pidfd, its cgroup, its output, and what is known of its end."""

import asyncio
import contextlib
import functools
import os
import signal
from collections.abc import Callable

from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.quarters import NOWHERE, Quarters

OUTPUT_READ, OUTPUT_PER_S = 16_384, 4 << 20  # what is written past our capture, straight to descriptors 1 and 2
REST_FROM = 1024  # with so many descriptors, a process at rest is known by its number alone
AGAIN_S = 0.1  # while there are no descriptors at all
STATUS_WAIT_S = 0.5  # how long the parent may take to tell how its child ended: on a busy machine, many turns


@functools.cache
def tells_processes_apart() -> bool:
    """Whether pidfds of two processes can be told from one another, as from Linux 6.9 on."""
    found = set()
    for pid in (1, os.getpid()):
        pidfd = os.pidfd_open(pid)
        found.add(os.fstat(pidfd).st_ino)
        os.close(pidfd)
    return len(found) > 1


class ChildProcess:
    """The process of one sandbox or template, from the moment it was ordered.

    `ended` is called once, with what is known of the end, when the process is gone (never before `born`).
    `printed` gets raw output in pieces.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        out: int,
        printed: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        self._loop, self._out = loop, out
        self.group: Group | None = None
        self.parent: ForkClient | None = None  # that was told to make it
        self.number = 0  # of its birth
        self.quarters: Quarters | None = None  # of the zygote that it is of
        self.place = NOWHERE  # where it is born there
        self._printed, self._ended = printed, ended
        self.pid, self._pidfd = 0, -1
        self._life = 0  # of one at rest: what no other process of its number will be
        self._is_doomed = self._is_killed = self._is_over = False
        self._status: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._quota, self._since = 0, 0.0
        self.is_over_memory = False  # as the watchdog saw it; where there is a cgroup, that knows
        self.killed_for = ""  # why we killed it, when the reason is not obvious to whoever hears of it
        os.set_blocking(out, False)
        loop.add_reader(out, self._heard)

    def __repr__(self) -> str:
        state = "over" if self._is_over else f"process {self.pid}" if self.is_born else "not born"
        return f"<ChildProcess {self.number} {state}{', doomed' if self._is_doomed else ''}>"

    @property
    def is_over(self) -> bool:
        """Its end was told."""
        return self._is_over

    @property
    def is_born(self) -> bool:
        return self._pidfd >= 0 or self._life != 0

    def born(self, pid: int, pidfd: int) -> bool:
        """The process exists; its pidfd is ours from here on. False when it was killed before it was born."""
        self.pid, self._pidfd = pid, pidfd
        self._loop.add_reader(pidfd, self._gone)
        if self._is_doomed:
            self.kill()
            return False
        return True

    def listen(self, out: int) -> None:
        """To this instead of what its output was so far; ours from here on."""
        if self._is_over:
            os.close(out)
            return
        self._loop.remove_reader(self._out)
        os.close(self._out)
        os.set_blocking(out, False)
        self._out = out
        self._loop.add_reader(out, self._heard)

    def kill(self, why: str = "") -> None:
        """End it and everything in it."""
        self._is_doomed = True
        self.killed_for = self.killed_for or why
        self.look()
        if self._pidfd >= 0 and not self._is_killed:
            self._is_killed = True  # once is enough
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def rest(self, fewest: int = REST_FROM) -> None:
        """Nothing happens to it for a while: where descriptors are many, let go of its pidfd. It is opened anew when
        the process is to be ended, and when its output, its channel or its parent says that it may have ended: one of
        a template that hides all three has ended unnoticed, until it is asked for something."""
        if self._pidfd < fewest or self._is_doomed or self._status is not None or not tells_processes_apart():
            return
        self._life = os.fstat(self._pidfd).st_ino
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1

    def look(self) -> None:
        """One at rest may have ended: hold it again, if it has not."""
        if self._life == 0 or self._pidfd >= 0:
            return
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._loop.call_soon(self._gone)
        except OSError:  # no descriptor is left, and others will be
            self._loop.call_later(AGAIN_S, self.kill if self._is_doomed else self.look)
        else:
            if os.fstat(pidfd).st_ino == self._life:
                self._pidfd = pidfd
                self._loop.add_reader(pidfd, self._gone)
            else:
                os.close(pidfd)
                self._loop.call_soon(self._gone)

    def told(self, status: int) -> None:
        """Its parent says how it ended. Of one that was never seen, that is all there will be."""
        self._status = status
        if self._timer is not None or not self.is_born:
            self._finish()
        else:
            self.look()

    def abandon(self) -> None:
        """It will never be born; if it was, it may have ended."""
        if self.is_born:
            self.look()
        else:
            self._finish()

    def _gone(self) -> None:
        if self._is_over or self._timer is not None:  # both it and its parent spoke in one turn of the loop
            return
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
        if self._status is None:
            self._timer = self._loop.call_later(STATUS_WAIT_S, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        """All the way, whatever goes wrong on it."""
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._quota = 0
        try:
            self._hear()
        finally:
            self._loop.remove_reader(self._out)
            os.close(self._out)
            if self._pidfd >= 0:
                self._loop.remove_reader(self._pidfd)
                os.close(self._pidfd)
                self._pidfd, self._life = -1, 0  # the number may soon be another's, and `_ended` may ask to kill this
            self._ended(self._describe_end())

    def _describe_end(self) -> str:
        """How it ended by itself, if it did; else why we ended it."""
        status = self._status
        if status is None or (self.killed_for and status in (0, signal.SIGKILL)):  # it may leave before it is ended
            return self.killed_for or "its process ended"
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = f"signal {number}"
            with contextlib.suppress(ValueError):  # most real-time signals have no name
                name = signal.Signals(number).name
            return f"its process was killed by {name}"
        return f"its process exited with status {os.WEXITSTATUS(status)}"

    def _heard(self) -> None:
        if not self._is_over:  # the descriptor may be somebody else's by now
            self._hear()

    def _hear(self) -> None:
        """Read a piece; a flood is slowed down by not reading, which stops only the one who floods."""
        now = self._loop.time()
        if now - self._since >= 1.0:
            self._since, self._quota = now, 0
        try:
            data = os.read(self._out, OUTPUT_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._out)
            if not self._is_over:
                self.look()
            return
        self._printed(data)
        self._quota += len(data)
        if self._quota > OUTPUT_PER_S and not self._is_over:
            self._loop.remove_reader(self._out)
            self._loop.call_at(self._since + 1.0, self._listen_again)

    def _listen_again(self) -> None:
        if not self._is_over:
            self._loop.add_reader(self._out, self._heard)

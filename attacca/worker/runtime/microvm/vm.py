"""One micro-VM from its order to its end: a monitor's process, and the sockets by which it is spoken to."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec

from attacca.guest import channel as wire
from attacca.guest.link import Link
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.microvm import needs
from attacca.worker.runtime.microvm.monitor import Left, MachineMonitor
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.untrusted import NONSENSE

LARGEST: Final = 1 << 20  # bytes of a word on the control port
TURN: Final = 8
KILL: Final = ("setpriv", "--pdeathsig", "KILL", "--no-new-privs")  # it ends with us, also when we are killed
SAID_BYTES: Final = 4096
PARTING: Final = "Firecracker exiting"  # of its last line, which says nothing


class FunctionEnd(msgspec.Struct, frozen=True):
    """What the guest's first process says when the function's is gone."""

    status: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    was_oom: bool


ended = msgspec.json.Decoder(FunctionEnd).decode
Hear = Callable[[int, bytes], None]  # a word of the guest's first process: its kind, and its payload


class Vm:
    """Who owns it sets `hear`, `resumed` and `saved` before it begins; `monitor` is set by whoever makes it."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> None:
        self.name, self._loop = name, loop
        self.monitor: MachineMonitor
        self.hear: Hear
        self.resumed: Callable[[], None] = lambda: None
        self.saved: Callable[[Left], None] = lambda _: None
        self.over: Callable[[str], None]
        self.group: Group | None = None
        self.was_oom = False
        self._failed = ""
        self.agent: socket.socket | None = None
        self._attached: Callable[[socket.socket], None] = lambda _: None
        self._control: Link | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._watch = -1
        self._errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        out, self._silent = socket.socketpair()
        self.process = ChildProcess(loop, out.detach(), printed, self._over)

    def __repr__(self) -> str:
        return f"<Vm {self.name} {self.process}>"

    def attach(
        self, control: socket.socket, agent: socket.socket | None = None, out: socket.socket | None = None
    ) -> None:
        """The streams to its guest; ours from here on. A machine without a function may have but the first."""
        writer = os.dup(control.fileno())
        self._control = Link(
            self._loop, control.detach(), writer, LARGEST, self._take, self._closed, lambda _: None, turn=TURN
        )
        if out is not None:
            self.process.listen(out.detach())
            self._silent.close()
        if agent is not None:
            self.agent = agent
            self._attached(agent)

    def when_attached(self, do: Callable[[socket.socket], None]) -> None:
        """Give its agent's stream to somebody: now, or as soon as it is there."""
        self._attached = do
        if self.agent is not None:
            do(self.agent)

    def spawn(
        self,
        words: Sequence[str],
        files: Sequence[int],
        user: int | None,
        *,
        is_kvm: bool,
        place: str = "/",
        before: Sequence[str] = (),
    ) -> None:
        """Start the monitor, in the directory `place`; it inherits `files`. `before` is called as the server's user,
        with all the rest as its own words.

        Raises:
            OSError: it cannot be started.
        """
        became = () if user is None else ("--reuid", str(user), "--regid", str(user), *_groups(is_kvm=is_kvm))
        self._popen = subprocess.Popen(
            [*before, *KILL, *became, "--", *words],
            stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors, pass_fds=files, cwd=place, env={},
        )  # fmt: skip
        pid = self._popen.pid
        self._watch = os.pidfd_open(pid)
        self._loop.add_reader(self._watch, self._reap)
        self.process.group = self.group
        self.process.born(pid, os.pidfd_open(pid))

    def say(self, kind: int, words: bytes) -> None:
        """To the guest's first process."""
        assert self._control is not None, "it is not there yet"
        self._control.send(wire.HEAD.pack(len(words), kind, 0) + words)

    def fail(self, why: str) -> None:
        """Kill one that may be about to end by itself, for the same reason."""
        self._failed = self._failed or self.process.killed_for or why
        self.process.kill(why)

    def kill(self, why: str) -> None:
        self.process.kill(why)
        if not self.process.is_born:
            self.process.abandon()

    def said(self) -> str:
        """The last line of the monitor's errors."""
        with contextlib.suppress(OSError):
            lines = os.pread(self._errors, SAID_BYTES, 0).decode("utf-8", "replace").strip().splitlines()
            telling = [line for line in lines if PARTING not in line]
            return (telling or [""])[-1][-300:]
        return ""

    def close(self) -> None:
        """Its process is gone."""
        if self._control is not None:
            self._control.close()
        if self.agent is not None:
            self.agent.close()
        self.monitor.close()
        self._silent.close()
        if self._watch >= 0:
            self._loop.remove_reader(self._watch)
            os.close(self._watch)
            self._watch = -1
        if self._popen is not None:
            self._popen.poll()
        os.close(self._errors)

    def _reap(self) -> None:
        assert self._popen is not None
        code = self._popen.poll()
        if code is not None:
            self._loop.remove_reader(self._watch)
            self.process.told(-code if code < 0 else code << 8)

    def _over(self, why: str) -> None:
        self.over(self._failed or why)

    def _take(self, kind: int, _number: int, payload: bytes) -> None:
        """The guest may have been taken over by the function in it, and say whatever it likes."""
        try:
            if kind == wire.ENDED:
                self._end(ended(payload))
            else:
                self.hear(kind, payload)
        except NONSENSE as error:
            self.process.kill(f"it said what no micro-VM of ours says ({type(error).__name__}), and was killed")

    def _end(self, told: FunctionEnd) -> None:
        self.was_oom = told.was_oom
        if os.WIFSIGNALED(told.status):
            why = f"its process was killed by signal {os.WTERMSIG(told.status)}"
        else:
            why = f"its process exited with status {os.WEXITSTATUS(told.status)}"
        self.process.kill(why)  # the guest turns itself off, and nothing is lost by not waiting for that

    def _closed(self, why: str) -> None:
        self.process.kill(f"{why}, and was killed")


def _groups(*, is_kvm: bool) -> tuple[str, ...]:
    """The device is its group's."""
    return ("--groups", str(needs.KVM.stat().st_gid)) if is_kvm else ("--clear-groups",)

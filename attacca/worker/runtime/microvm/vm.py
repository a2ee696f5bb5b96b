"""One micro-VM from its order to its end: a monitor's process, and the sockets by which it is spoken to."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from attacca.guest import channel as wire
from attacca.guest.link import Link
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.microvm.monitor import QmpSocket
from attacca.worker.runtime.microvm.needs import KVM
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.untrusted import NONSENSE

LARGEST: Final = 1 << 20  # bytes of a word on the control port
TURN: Final = 8
KILL: Final = ("setpriv", "--pdeathsig", "KILL", "--no-new-privs")  # it ends with us, also when we are killed
SAID_BYTES: Final = 4096


class FunctionEnd(msgspec.Struct, frozen=True):
    """What the guest's first process says when the function's is gone."""

    status: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    was_oom: bool


ended = msgspec.json.Decoder(FunctionEnd).decode
Hear = Callable[[int, bytes], None]  # a word of the guest's first process: its kind, and its payload


class Vm:
    """Who owns it sets `hear`, `resumed` and `saved` before it is spawned."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> None:
        self.name, self._loop = name, loop
        self.hear: Hear
        self.resumed: Callable[[], None] = lambda: None
        self.saved: Callable[[], None] = lambda: None
        self.over: Callable[[str], None]
        self.group: Group | None = None
        self.was_oom = False
        self._popen: subprocess.Popen[bytes] | None = None
        self._watch = -1
        own, self._inner = zip(*(socket.socketpair() for _ in range(1 + len(qemu.PORTS))), strict=True)
        monitor, control, self.agent, out = own
        self._errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        self.process = ChildProcess(loop, out.detach(), printed, self._over)
        self.monitor = QmpSocket(loop, monitor, self._told, self.process.kill)
        writer = os.dup(control.fileno())
        self._control = Link(
            loop, control.detach(), writer, LARGEST, self._take, self._closed, lambda _: None, turn=TURN
        )

    def __repr__(self) -> str:
        return f"<Vm {self.name} {self.process}>"

    def spawn(
        self, program: Path, plan: qemu.MachinePlan, files: Sequence[int], state: int | None, user: int | None
    ) -> None:
        """Start the monitor, which waits for its first order. `files` are the descriptors that the plan names.

        Raises:
            OSError: it cannot be started.
        """
        monitor, *ports = (one.fileno() for one in self._inner)
        words = qemu.command(str(program), plan, monitor, ports, state)
        became = () if user is None else ("--reuid", str(user), "--regid", str(user), *_groups(plan))
        shared = [monitor, *ports, *files, *([state] if state is not None else [])]
        try:
            self._popen = subprocess.Popen(
                [*KILL, *became, "--", *words],
                stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors, pass_fds=shared, cwd="/", env={},
            )  # fmt: skip
        finally:
            self._let_go()
        pid = self._popen.pid
        self._watch = os.pidfd_open(pid)
        self._loop.add_reader(self._watch, self._reap)
        self.process.group = self.group
        self.process.born(pid, os.pidfd_open(pid))

    def say(self, kind: int, words: bytes) -> None:
        """To the guest's first process."""
        self._control.send(wire.HEAD.pack(len(words), kind, 0) + words)

    def kill(self, why: str) -> None:
        self.process.kill(why)
        if not self.process.is_born:
            self.process.abandon()

    def said(self) -> str:
        """The last line of the monitor's errors."""
        with contextlib.suppress(OSError):
            lines = os.pread(self._errors, SAID_BYTES, 0).decode("utf-8", "replace").strip().splitlines()
            return lines[-1][-300:] if lines else ""
        return ""

    def close(self) -> None:
        """Its process is gone."""
        self._control.close()
        self.monitor.close()
        self._let_go()
        if self._watch >= 0:
            self._loop.remove_reader(self._watch)
            os.close(self._watch)
            self._watch = -1
        if self._popen is not None:
            self._popen.poll()
        os.close(self._errors)

    def _let_go(self) -> None:
        for one in self._inner:
            one.close()

    def _reap(self) -> None:
        assert self._popen is not None
        code = self._popen.poll()
        if code is not None:
            self._loop.remove_reader(self._watch)
            self.process.told(-code if code < 0 else code << 8)

    def _over(self, why: str) -> None:
        self.over(why)

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

    def _told(self, told: qemu.QmpLine) -> None:
        if told.error is not None:
            self.process.kill(f"its monitor refused: {told.error.desc[:300]}")
        elif told.event == "RESUME":
            self.resumed()
        elif told.event == "MIGRATION" and told.data.status == "completed":
            self.saved()
        elif told.event == "MIGRATION" and told.data.status == "failed":
            self.process.kill("its memory could not be saved")


def _groups(plan: qemu.MachinePlan) -> tuple[str, ...]:
    """The device is its group's."""
    return ("--groups", str(KVM.stat().st_gid)) if plan.accelerator == "kvm" else ("--clear-groups",)
